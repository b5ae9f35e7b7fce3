"""Weights that are bfloat16 themselves: NumPy and the stacks of runs know no such numbers, Keras' own loop does."""

import keras
import ml_dtypes
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.keras_models.fusable import why_not_fused

RNG = np.random.default_rng(2)
X = RNG.normal(size=(50, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def model(policy):
    made = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "relu", dtype=policy), layers.Dense(1, "sigmoid", dtype=policy)]
    )
    made.compile("sgd", "binary_crossentropy")
    return made


@pytest.mark.parametrize(("policy", "kept"), [("bfloat16", ml_dtypes.bfloat16), ("mixed_bfloat16", np.float32)])
def test_a_policy_of_half_the_bits_trains_and_comes_back(policy, kept, tmp_path):
    splits = {"validation_data": (X[40:], Y[40:])}
    result = gg.Study({"a": model(policy)}, seeds=[3]).run(X[:40], Y[:40], **splits, epochs=1, progress=False)
    assert {w.dtype for w in result.weights["a", 3, "last"]} == {np.dtype(kept)}
    result.save(tmp_path)
    again = gg.load(tmp_path).model("a", seed=3, epoch="last")
    stored = result.validation["prediction_last"].sel(variant="a", seed=3).to_numpy()
    np.testing.assert_allclose(again.predict(X[40:], verbose=0)[:, 0], stored, atol=0.01)


def test_only_weights_that_are_bfloat16_keep_a_model_from_the_fused_engine():
    assert why_not_fused(model("bfloat16")) == "its weights are bfloat16"
    assert why_not_fused(model("mixed_bfloat16")) is None
