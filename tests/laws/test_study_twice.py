"""A study of a model of Keras' examples, run twice, gives the same numbers."""

import numpy as np
import pytest


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_twice(bench, engine):
    first, again = bench.studied(engine), bench.study(engine)
    for name in first.history:
        np.testing.assert_array_equal(first.history[name], again.history[name], err_msg=name)
    np.testing.assert_array_equal(first.validation["prediction_last"], again.validation["prediction_last"])
    for key, weights in first.weights.items():
        for one, other in zip(weights, again.weights[key], strict=True):
            np.testing.assert_array_equal(one, other)
    curve = first.history["loss"].sel(variant="baseline").values
    assert np.isfinite(curve).all()
    assert np.abs(curve[0] - curve[1]).max() > 1e-4  # seeds differ
