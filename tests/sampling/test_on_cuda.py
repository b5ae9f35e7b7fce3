"""Predictive distributions on a CUDA device: the members are those of the CPU."""

import keras
import numpy as np
import pytest
import torch
from keras import layers

from gengap.sampling.predict import predict_distribution


def dense():
    return [layers.Dense(8, activation="relu"), layers.Dropout(0.4)], (5,)


def convolution():
    inner = [layers.Conv2D(8, 5, padding="same"), layers.ReLU(), layers.SpatialDropout2D(0.3)]
    return [*inner, layers.AveragePooling2D(2), layers.Conv2D(8, 3, padding="same"), layers.Flatten()], (8, 8, 2)


def noisy():
    return [layers.GaussianNoise(0.2), layers.Dense(4), layers.GaussianDropout(0.3), layers.LayerNormalization()], (5,)


def build(make, device):
    with keras.device(device):
        inner, shape = make()
        model = keras.Sequential([keras.Input(shape), *inner, layers.Dense(1, activation="sigmoid")])
        model.compile("sgd", "binary_crossentropy")
    return model, shape


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("make", [dense, convolution, noisy])
def test_members_are_those_of_the_cpu(make):
    check(make, "gpu")


def test_the_check_itself_works_on_the_cpu():
    check(dense, "cpu")


def check(make, device):
    keras.utils.set_random_seed(0)
    here, shape = build(make, "cpu")
    there, _ = build(make, device)
    there.set_weights(here.get_weights())
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype(np.float32)
    with keras.device("cpu"):
        wanted = predict_distribution(here, x, seed=3)
    with keras.device(device):
        found = predict_distribution(there, x, seed=3)
    assert float(wanted.members.std("member").min()) > 0
    np.testing.assert_allclose(found.members, wanted.members, atol=2e-5)
    np.testing.assert_allclose(found.deterministic, wanted.deterministic, atol=2e-5)
