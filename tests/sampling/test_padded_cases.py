"""Masks of padded time steps travel through noise, as they do in Keras."""

import keras
import numpy as np
import pytest

from gengap.sampling import predict_distribution
from gengap.sampling.masks import Block
from gengap.sampling.noise_layers import NoiseStrength
from gengap.sampling.sampler import WholeModelSampler
from gengap.sampling.switch import NoiseSource

L = keras.layers

MIDDLES = {
    "lstm": lambda x: L.LSTM(4)(L.Dropout(0.3)(x)),
    "pooling": lambda x: L.GlobalAveragePooling1D()(L.SpatialDropout1D(0.3)(x)),
    "attention": lambda x: L.GlobalAveragePooling1D()(
        L.MultiHeadAttention(2, 3, dropout=0.2)(*[L.Dropout(0.2)(x)] * 2)
    ),
    "attention with noise": lambda x: L.GlobalAveragePooling1D()(L.Attention(dropout=0.3)([x, x])),
    "recurrent noise": lambda x: L.GRU(4, dropout=0.3)(L.Activation("tanh")(x)),
    "activation between": lambda x: L.LSTM(4)(L.Activation("relu")(L.Dense(5)(L.Dropout(0.3)(x)))),
    "two noises": lambda x: L.LSTM(4)(L.GaussianNoise(0.1)(L.LSTM(3, return_sequences=True)(L.Dropout(0.3)(x)))),
    "attention that takes the mask away": lambda x: L.LSTM(4)(
        L.Add()([L.MultiHeadAttention(2, 3)(x, x), L.Dropout(0.3)(x)])
    ),
    "untouched beside": lambda x: L.LSTM(4)(L.Add()([x, L.Dropout(0.3)(x)])),
}


def words(random):
    x = random.integers(1, 20, size=(5, 9))
    for row, length in enumerate([9, 7, 4, 2, 1]):
        x[row, length:] = 0
    return x


@pytest.mark.parametrize("name", MIDDLES)
@pytest.mark.parametrize("start", ["embedding", "masking"])
def test_padding_counts_for_nothing(name, start, random):
    keras.utils.set_random_seed(0)
    if start == "embedding":
        inputs, cases = keras.Input((9,), dtype="int32"), words(random)
        x = L.Embedding(20, 5, mask_zero=True)(inputs)
    else:
        inputs = keras.Input((9, 5))
        cases = random.normal(size=(5, 9, 5)).astype("float32") * (words(random) > 0)[..., None]
        x = L.Masking()(inputs)
    model = keras.Model(inputs, L.Dense(1)(MIDDLES[name](x)))
    model.compile(loss="mse")
    forecast = predict_distribution(model, cases, num_members=8)
    np.testing.assert_allclose(forecast.deterministic, model.predict(cases, verbose=0)[:, 0], atol=1e-6)
    sampler = WholeModelSampler(model, NoiseSource(0, fixed_mask=False))
    sampler.load([cases])
    whole = sampler.draw(Block(0, 5, 0, 8), NoiseStrength()).reshape(5, 8).T
    np.testing.assert_allclose(forecast.members, whole, atol=2e-6)
    assert forecast.members.values.std(axis=0).max() > 0
