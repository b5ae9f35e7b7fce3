"""A model that was once saved as `.h5` keeps its optimizer here, though Keras takes it out of what it remembers."""

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.keras_models.clone import clone_compiled

X = np.random.default_rng(7).normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def saved(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.AdamW(0.02, weight_decay=0.01), "binary_crossentropy")
    before = run(model)
    model.save(tmp_path / "model.h5")
    return model, before


def run(model, engine="keras", **given):
    return gg.Study(model, seeds=1, engine=engine, **given).run(
        X[:30], Y[:30], validation_data=(X[30:], Y[30:]), epochs=2, progress=False
    )


def test_keras_takes_the_optimizer_out(saved):
    assert "optimizer" not in saved[0]._compile_config.config  # else this file tests nothing


@pytest.mark.parametrize("engine", ["keras", "fused"])
def test_a_study_trains_and_rebuilds_it_with_its_optimizer(saved, engine):
    model, before = saved
    after = run(model, engine, remedies=["l2(0.01)"])
    np.testing.assert_allclose(after.history.loss[0], before.history.loss[0], rtol=1e-5)
    assert type(after.model("baseline", seed=0).optimizer).__name__ == "AdamW"


def test_clones_remedies_and_code_keep_it(saved):
    model, _ = saved
    assert clone_compiled(model).optimizer.get_config()["weight_decay"] == 0.01
    assert "AdamW(learning_rate=0.02" in gg.to_code(model)
    assert float(gg.Dropout(0.1)(model).optimizer.learning_rate) == pytest.approx(0.02)
