"""Models of Keras' examples train as `fit` trains them, in both engines, on the same batches."""

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.datasets.cases import take
from gengap.engine.batches import epoch_order
from gengap.errors import ModelError
from gengap.keras_models.initial_weights import draw_initial_weights

BATCH, EPOCHS = 16, 2
TURNS = {"test_fit_trains_the_same": 0, "test_both_engines_train_the_same": 1}
"""Keras trains every model too, by `fit` without noise or by its own loop with noise; both when there is time."""


def columns(y):
    return keras.tree.map_structure(lambda one: one[:, None] if one.ndim == 1 else one, y)


def fitted(bench, seed):
    """Train the model without noise by `fit`, an epoch a call; return its curves and weights."""
    model = bench.fresh(noise=0.0)
    model.set_weights(draw_initial_weights(bench.model(0.0), seed))
    (x, y), (x_held, y_held), curves = (bench.x, columns(bench.y)), bench.held_out, {}
    for epoch in range(1, EPOCHS + 1):
        order = epoch_order(seed, epoch, 40)
        given = {"validation_data": (x_held, columns(y_held)), "validation_batch_size": BATCH}
        one = model.fit(take(x, order), take(y, order), BATCH, shuffle=False, verbose=0, **given)
        for name, (value,) in one.history.items():
            curves.setdefault(name, []).append(float(value))
    return curves, model.get_weights()


def assert_close(ones, others, what):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5, rtol=2e-4, err_msg=what)


def test_both_engines_train_the_same(bench):
    """Noise is on; every curve, forecast and weight."""
    fused, keras_loop = bench.studied("auto"), bench.studied("keras")
    assert set(fused.runs.status.values.ravel()) == {"completed"}
    assert set(fused.history) == set(keras_loop.history)
    for name in fused.history:
        assert_close(fused.history[name].values, keras_loop.history[name].values, name)
    for split in ("prediction_last", "prediction_best"):
        assert_close(fused.validation[split].values, keras_loop.validation[split].values, split)
    for key, weights in fused.weights.items():
        assert_close(weights, keras_loop.weights[key], f"weights of {key}")


def test_fit_trains_the_same(bench):
    """Noise is off, as `fit` draws from generators of its own."""
    result = bench.studied("auto", noise=0.0)
    for seed in (0, 1):
        curves, weights = fitted(bench, seed)
        assert_close(result.weights["baseline", seed, "last"], weights, "weights")
        ours = {name: curve.sel(variant="baseline", seed=seed).values for name, curve in result.history.items()}
        for name, curve in as_fit_counts(ours, adds_losses=bench.example.adds_losses).items():
            assert_close(curve, curves[name], name)
        assert len(set(curves) & set(ours)) == len(curves)


def as_fit_counts(ours, *, adds_losses):
    """Return our curves with penalties where `fit` has them; where the two are of different moments, none."""
    curves = {name: curve for name, curve in ours.items() if name not in {"penalty", "train_score", "val_score"}}
    if adds_losses:
        del curves["val_loss"]
        return curves | {"loss": ours["loss"] + ours["penalty"]}
    if ours["penalty"].any():
        curves.pop("loss")
    return curves | {"val_loss": ours["val_loss"] + ours["penalty"]}


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_numbers_computed_from_weights_are_refused(engine):
    """The example of the tab transformer has them, and on torch Keras' own `fit` ends at the second step."""
    words = keras.Input((3,), dtype="int32")
    x = layers.Embedding(5, 4)(words) + layers.Embedding(3, 4)(keras.ops.arange(3))
    model = keras.Model(words, layers.Dense(1)(layers.Flatten()(x)))
    model.compile("sgd", "mse")
    numbers, answers = np.ones((40, 3), "int32"), np.zeros(40, "float32")
    with pytest.raises(ModelError, match=r"'add.*' numbers of shape \(3, 4\) that a layer made of its weights"):
        gg.Study(model, seeds=1, engine=engine).run(numbers, answers, epochs=1, progress=False)
    with pytest.raises(RuntimeError, match="second time"):
        model.fit(numbers, answers, verbose=0)
