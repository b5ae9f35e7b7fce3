"""Normalizations of inputs whose mean is a thousand times their spread keep their digits, in training and inference."""

import keras
import numpy as np
import pytest
from keras import layers

from gengap import fit_many

LAYERS = {
    "batch": layers.BatchNormalization,
    "layer": layers.LayerNormalization,
    "layer, all of a case": lambda: layers.LayerNormalization(axis=(1, 2, 3)),
    "group": lambda: layers.GroupNormalization(4),
    "group, channels first": lambda: layers.GroupNormalization(2, axis=1),
    "one group": lambda: layers.GroupNormalization(1),
}


@pytest.mark.parametrize("name", LAYERS)
def test_large_means_cost_no_digits(name):
    """Expected are the losses of NumPy in float64; torch's group norm of channels-last tensors is off by 1 here."""
    x = (np.random.default_rng(0).normal(size=(32, 32, 33, 8)) + 1000).astype("float32")
    layer = LAYERS[name]()
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    target = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    (history,) = fit_many([model], x, target, validation_data=(x, target), seeds=[0], epochs=1)
    normalized = expected(layer, x.astype(float))
    assert history.history["loss"][0] == pytest.approx(((normalized - target) ** 2).mean(), rel=1e-5)
    if name != "batch":  # which in inference goes by its moving averages
        assert history.history["val_score"][0] == pytest.approx(((normalized - target) ** 2).mean(), rel=1e-5)


def expected(layer, x):
    if isinstance(layer, layers.GroupNormalization):
        apart = np.moveaxis(x, layer.axis, -1)
        grouped = apart.reshape(*apart.shape[:-1], layer.groups, -1)
        return np.moveaxis(standardized(grouped, (1, 2, 4), 1e-3).reshape(apart.shape), -1, layer.axis)
    batch = isinstance(layer, layers.BatchNormalization)
    return standardized(x, (0, 1, 2) if batch else tuple(np.atleast_1d(layer.axis)), layer.epsilon)


def standardized(x, axes, epsilon):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
