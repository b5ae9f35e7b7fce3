"""Models that compute in 16 bits are sampled as Keras predicts with them."""

import keras
import numpy as np
import pytest

from gengap.sampling import predict_distribution

L = keras.layers
POLICIES = ["mixed_bfloat16", "bfloat16", "mixed_float16", "float32"]


def net(policy, last_dtype=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = L.Dropout(0.1, dtype=policy)(inputs)
    x = L.Conv2D(4, 3, activation="relu", dtype=policy)(x)
    x = L.SpatialDropout2D(0.3, dtype=policy)(x)
    x = L.Conv2D(4, 3, dtype=policy)(L.AveragePooling2D(2, dtype=policy)(x))
    x = L.GaussianNoise(0.1, dtype=policy)(L.Flatten(dtype=policy)(x))
    model = keras.Model(inputs, L.Dense(1, activation="sigmoid", dtype=last_dtype or policy)(x))
    model.compile(loss="binary_crossentropy")
    return model


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("last_dtype", [None, "float32", "bfloat16"])
def test_a_model_of_any_policy_is_sampled(policy, last_dtype, random):
    x = random.normal(size=(4, 8, 8, 3)).astype("float32")
    model = net(policy, last_dtype)
    exact = net("float32")
    model.set_weights([weights.astype("float32") for weights in exact.get_weights()])
    reference = predict_distribution(exact, x, num_members=100)
    forecast = predict_distribution(model, x, num_members=100)
    np.testing.assert_allclose(
        forecast.deterministic, np.asarray(model.predict(x, verbose=0), dtype="float32")[:, 0], atol=1e-6
    )
    assert forecast.members.dtype == np.float32
    assert float(np.abs(forecast.members - reference.members).max()) < 0.05
    assert float(reference.spread.min()) > 0.02


def test_a_whole_study_under_a_mixed_policy_is_sampled(random):
    """Set globally, as Keras' guide has it."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layers = [L.LSTM(4, dropout=0.3), L.Dropout(0.2), L.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input((5, 2)), *layers])
        model.compile(loss="sparse_categorical_crossentropy")
        forecast = predict_distribution(model, random.normal(size=(3, 5, 2)).astype("float32"), num_members=20)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(forecast.members.sum("label"), 1, atol=0.02)
    assert float(forecast.spread.min()) > 0
