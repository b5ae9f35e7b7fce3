# ruff: noqa: PLW0108  every test makes a layer of its own
"""Behind the noise, training's kernels compute a layer with the weights of one network: as Keras does."""

import keras
import numpy as np
import pytest

from gengap.sampling.graph_sampler import GraphSampler
from gengap.sampling.masks import Block
from gengap.sampling.noise_layers import NoiseStrength
from gengap.sampling.sampler import WholeModelSampler
from gengap.sampling.switch import NoiseSource

L = keras.layers

BEHIND = {
    "LSTM": lambda h: L.LSTM(5, return_sequences=True)(h),
    "LSTM, backwards": lambda h: L.LSTM(5, go_backwards=True)(h),
    "GRU, reset before": lambda h: L.GRU(3, reset_after=False)(h),
    "Bidirectional": lambda h: L.Bidirectional(L.GRU(4))(h),
    "MultiHeadAttention": lambda h: L.MultiHeadAttention(2, 3)(h, h, use_causal_mask=True),
    "GroupQueryAttention": lambda h: L.GroupQueryAttention(3, 4, 2)(h, L.Dense(4)(h)),
    "Attention": lambda h: L.Attention(use_scale=True)([h, L.Dense(4)(h)]),
    "LayerNormalization": lambda h: L.LayerNormalization()(h),
    "BatchNormalization": lambda h: L.BatchNormalization()(h),
    "GroupNormalization": lambda h: L.GroupNormalization(2)(h),
    "RMSNormalization": lambda h: L.RMSNormalization()(h),
    "SeparableConv1D": lambda h: L.SeparableConv1D(3, 2, activation="softmax")(h),
    "Conv1DTranspose": lambda h: L.Conv1DTranspose(3, 2, strides=2)(h),
    "EinsumDense": lambda h: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", activation="softmax")(h),
    "PReLU": lambda h: L.PReLU(alpha_initializer="uniform")(h),
    "TimeDistributed": lambda h: L.TimeDistributed(L.Dense(3, "tanh"))(h),
    "parts": lambda h: L.Concatenate(axis=2)([h[:, 1:, :2], h[:, :-1, -1:]]),
    "softmax of few": lambda h: L.Dense(3, "softmax")(L.Flatten()(h)),
    "ReLU, bent": lambda h: L.ReLU(max_value=0.5, negative_slope=0.1)(h),
    "an activation of one's own": lambda h: L.Dense(3, activation=centred)(h),
}


def centred(x):
    return x - keras.ops.mean(x, axis=-1, keepdims=True)


def behind_noise(build, *, masked):
    start = keras.Input((6,) if masked else (6, 4))
    h = L.Embedding(5, 4, mask_zero=True)(start) if masked else start
    h = build(L.SpatialDropout1D(0.4)(h))
    h = h if len(h.shape) == 2 else L.GlobalAveragePooling1D()(L.ReLU()(h))
    return keras.Model(start, L.Dense(2)(h))


def drawn(sampler, model, x):
    one = sampler(model, NoiseSource(3, fixed_mask=False))
    one.load([x])
    return one, one.draw(Block(1, 3, 2, 7), NoiseStrength())


HEED_MASKS = ("LSTM", "Bidirectional", "Attention", "LayerNormalization", "TimeDistributed")
CASES = [*((name, False) for name in BEHIND), *((name, True) for name in HEED_MASKS)]


@pytest.mark.parametrize(("name", "masked"), CASES, ids=lambda one: one if isinstance(one, str) else "")
def test_a_layer_behind_noise_is_as_keras_computes_it(name, masked):
    keras.utils.set_random_seed(1)
    model = behind_noise(BEHIND[name], masked=masked)
    for weight in model.weights:
        weight.assign(weight + 0.2 * np.random.default_rng(2).random(weight.shape))
    before = model.get_weights()
    draw = np.random.default_rng(0)
    x = draw.integers(0, 5, (5, 6)) if masked else draw.normal(size=(5, 6, 4)).astype("float32")
    _, expected = drawn(WholeModelSampler, model, x)
    _, found = drawn(GraphSampler, model, x)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    assert np.ptp(found, axis=0).min() > 0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


CONSTANT = np.array([[True, True, False, True, False, True]])
CONSTANT_MASKS = {
    "GlobalAveragePooling1D": lambda h: L.GlobalAveragePooling1D()(h, mask=keras.ops.convert_to_tensor(CONSTANT)),
    "LSTM": lambda h: L.LSTM(3)(h, mask=keras.ops.convert_to_tensor(CONSTANT)),
}


@pytest.mark.parametrize("name", CONSTANT_MASKS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_mask_that_is_a_constant_of_the_call_is_heeded(name, masked):
    model = behind_noise(CONSTANT_MASKS[name], masked=masked)
    draw = np.random.default_rng(0)
    x = draw.integers(0, 5, (5, 6)) if masked else draw.normal(size=(5, 6, 4)).astype("float32")
    (_, expected), (sampler, found) = (drawn(one, model, x) for one in (WholeModelSampler, GraphSampler))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(sampler.infer(), model.predict(x, verbose=0), rtol=2e-5, atol=2e-6)


def masked_attention(dtype, rate):
    start = keras.Input((6,))
    h = L.Dropout(rate, dtype=dtype)(L.Embedding(5, 4, mask_zero=True, dtype=dtype)(start))
    once = L.Add(dtype=dtype)([h, L.MultiHeadAttention(2, 3, dropout=0.3, dtype=dtype)(h, h)])
    twice = L.MultiHeadAttention(2, 3, dtype=dtype)(L.LayerNormalization(dtype=dtype)(once), h)
    return keras.Model(start, L.Dense(2)(L.GlobalAveragePooling1D()(twice)))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_attention_takes_masks_off_as_in_keras_and_not_off_what_the_next_pass_reads(dtype, rate):
    keras.utils.set_random_seed(1)
    model, x = masked_attention(dtype, rate), np.random.default_rng(0).integers(0, 5, (5, 6))
    found = []
    for kind in (WholeModelSampler, GraphSampler):
        sampler = kind(model, NoiseSource(3, fixed_mask=False))
        sampler.load([x])
        inferred = sampler.infer()
        found.append(
            [inferred, *(sampler.draw(Block(1, 3, start, n), NoiseStrength()) for start, n in ((0, 1), (1, 4)))]
        )
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)
