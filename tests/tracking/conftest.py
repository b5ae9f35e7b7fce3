import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A small study of three labels that was really trained, and the folder that it was saved in."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4)).astype("float32")
    y = np.digitize(x[:, 0] + 0.5 * rng.normal(size=90), [-0.5, 0.5])
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu"), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    study = gg.Study(model, remedies=["dropout(0.5)+l2(0.01)"], seeds=2)
    parts = {"validation_data": (x[40:60], y[40:60]), "test_data": (x[60:], y[60:])}
    result = study.run(x[:40], y[:40], **parts, epochs=3, progress=False)
    folder = tmp_path_factory.mktemp("tracked") / "study"
    result.save(folder)
    return result, folder
