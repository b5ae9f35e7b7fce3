import keras
import numpy as np
import pytest
import torch
from tests.sampling.test_predict import whole_model

from gengap.sampling import graph_sampler, predict_distribution
from gengap.sampling.graph_sampler import GraphSampler
from gengap.sampling.spectral import SpectralConvolution, is_worth_while, spectral_convolution, transform_of
from gengap.sampling.switch import NoiseSource

L = keras.layers


def convolution(plane, window, channels, filters, **settings):
    keras.utils.set_random_seed(0)
    layer = L.Conv2D(filters, window, **({"padding": "same", "bias_initializer": "random_normal"} | settings))
    layer(keras.Input((*plane, channels)))
    return layer


@pytest.mark.parametrize(
    ("plane", "window"),
    [((8, 8), (5, 5)), ((7, 6), (3, 5)), ((6, 9), (4, 2)), ((5, 5), (5, 5)), ((2, 3), (1, 3)), ((4, 4), (7, 7))],
)
@pytest.mark.parametrize("use_bias", [True, False])
def test_it_equals_the_layer(plane, window, use_bias, random):
    layer = convolution(plane, window, 3, 4, activation="relu", use_bias=use_bias)
    x = torch.from_numpy(random.normal(size=(5, *plane, 3)).astype("float32"))
    with torch.inference_mode():
        ours = SpectralConvolution(layer, transform_of(plane, window))(x)
        theirs = layer(x)
    np.testing.assert_allclose(ours, theirs, atol=3e-6)
    assert float(theirs.abs().max()) > 0.1


def test_it_rounds_no_worse_than_a_direct_convolution(random):
    layer = convolution((8, 8), (5, 5), 32, 64)
    x = torch.from_numpy(random.normal(size=(20, 8, 8, 32)).astype("float32"))
    weights, bias = layer.kernel.value.double().permute(3, 2, 0, 1), layer.bias.value.double()
    with torch.inference_mode():
        exact = torch.conv2d(x.double().permute(0, 3, 1, 2), weights, bias, padding=2).permute(0, 2, 3, 1)
        errors = [float((way(x) - exact).abs().max()) for way in (spectral_convolution(layer), layer)]
    assert errors[0] < 1.5 * errors[1]


def test_it_is_taken_where_it_saves_multiplications():
    assert is_worth_while((8, 8), (5, 5, 32, 64))
    assert not is_worth_while((16, 16), (5, 5, 16, 32))  # too large for dense transforms
    assert not is_worth_while((8, 8), (3, 3, 32, 64))
    assert not is_worth_while((8, 8), (5, 5, 3, 8))
    assert spectral_convolution(convolution((8, 8), 5, 32, 64)) is not None
    assert spectral_convolution(convolution((8, 8), 5, 32, 64, strides=2)) is None
    assert spectral_convolution(convolution((8, 8), 5, 32, 64, padding="valid")) is None
    assert spectral_convolution(convolution((None, None), 5, 32, 64)) is None
    assert spectral_convolution(L.Dense(3)) is None


def small_planes_net():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((16, 16, 3))
    for filters in (32, 64):
        x = L.Conv2D(filters, 5, padding="same", activation="relu")(x)
        x = L.AveragePooling2D(2)(L.SpatialDropout2D(0.3)(x))
    x = L.Conv2D(64, 3, padding="same")(L.Dropout(0.1)(x))
    model = keras.Model(inputs, L.Dense(1)(L.Flatten()(x)))
    model.compile(loss="mse")
    return model


@pytest.mark.parametrize("compiled", [True, False])
def test_a_net_of_small_planes_equals_keras_own_call(compiled, random, monkeypatch):
    if not compiled:
        monkeypatch.setattr(graph_sampler, "tiled_convolution", lambda _: None)
        monkeypatch.setattr(graph_sampler, "can_sum_planes", lambda *_: False)
    model, cases = small_planes_net(), random.normal(size=(3, 16, 16, 3)).astype("float32")
    sampler = GraphSampler(model, NoiseSource(0, fixed_mask=False))
    sampler.load([cases])
    assert (len(sampler._tiled), len(sampler._spectral)) == ((2, 0) if compiled else (0, 2))
    fast = predict_distribution(model, cases, num_members=20)
    slow = whole_model(model, cases, num_members=20)
    np.testing.assert_allclose(fast.members.values, slow, atol=1e-5 if compiled else 2e-6)
    assert float(fast.spread.mean()) > 0.01


@pytest.mark.parametrize(
    ("activation", "pool"),
    [("relu", L.AveragePooling2D(2)), ("linear", L.MaxPooling2D((2, 1))), ("tanh", L.AveragePooling2D(2, strides=1))],
)
def test_what_follows_a_compiled_convolution_is_done_once(activation, pool, random):
    """A pooling that cannot be part of it, another activation, and planes that two layers read."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 16))
    x = L.Conv2D(16, 5, padding="same", activation=activation)(L.SpatialDropout2D(0.5)(inputs))
    both = L.SpatialDropout2D(0.2)(L.Add()([L.Activation("relu")(x), x]))
    ends = [L.Flatten()(L.MaxPooling2D(3)(both)), L.GlobalAveragePooling2D()(pool(L.ReLU()(x)))]
    model = keras.Model(inputs, L.Dense(1)(L.Concatenate()(ends)))
    model.compile(loss="mse")
    cases = random.normal(size=(2, 8, 8, 16)).astype("float32")
    fast = predict_distribution(model, cases, num_members=9)
    np.testing.assert_allclose(fast.members.values, whole_model(model, cases, num_members=9), atol=1e-5)
    assert float(fast.spread.mean()) > 0.01
