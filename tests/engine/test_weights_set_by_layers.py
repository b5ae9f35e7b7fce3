"""Layers that set a trainable weight while they are called train as in Keras' own fit, or alone."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import layers, ops

import gengap as gg

pytestmark = pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


@keras.saving.register_keras_serializable("weights_set")
class Bounded(layers.Layer):
    """Cuts its own kernel down before it is used."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")

    def call(self, x, training=False):
        if training:
            self.kernel.assign(ops.clip(self.kernel.value, -0.3, 0.3))
        return x @ self.kernel


MIDDLES = {
    "spectral": lambda: [layers.SpectralNormalization(layers.Dense(4, "tanh"))],
    "nested": lambda: [keras.Sequential([keras.Input((5,)), layers.SpectralNormalization(layers.Dense(4))])],
    "along time": lambda: [
        layers.Reshape((5, 1)),
        layers.TimeDistributed(layers.SpectralNormalization(layers.Dense(3))),
        layers.Flatten(),
    ],
    "convolution": lambda: [
        layers.Reshape((5, 1)),
        layers.SpectralNormalization(layers.Conv1D(3, 2)),
        layers.Flatten(),
    ],
    "own": lambda: [Bounded()],
}


def net(middle):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,)), *MIDDLES[middle](), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.3), "binary_crossentropy")
    return model


GIVEN = {"validation_data": (X[40:], Y[40:]), "epochs": 3, "batch_size": 8, "shuffle": False}


@cache
def curves_of_fit(middle):
    return net(middle).fit(X[:40], Y[:40], verbose=0, **GIVEN).history


@pytest.mark.parametrize("engine", ["fused", "keras"])
@pytest.mark.parametrize("middle", MIDDLES)
def test_curves_are_those_of_fit(middle, engine):
    expected = curves_of_fit(middle)
    study = gg.Study(net(middle), seeds=2, engine=engine, initial_weights="keep")
    result = study.run(X[:40], Y[:40], progress=False, **GIVEN)
    for name in ("loss", "val_loss"):
        for seed in result.seeds:
            got = result.history[name].sel(variant="baseline", seed=seed)
            np.testing.assert_allclose(got, expected[name], rtol=1e-5, err_msg=name)
