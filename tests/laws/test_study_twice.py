"""A study of a model of Keras' examples, run twice, gives the same numbers."""

import numpy as np
import pytest

TURNS = {"test_twice": 1}  # the models of odd places; the others are trained alone in `test_alone_as_together.py`


def same_plan(first, again):
    """Tell whether the same runs were computed together in the same way; what the planner measured may differ."""
    plans = [one.manifest["plan"] or {"chunks": []} for one in (first, again)]
    how = [[(one["runs"], one.get("threads")) for one in plan["chunks"]] for plan in plans]
    return how[0] == how[1]


@pytest.mark.parametrize("engine", ["auto", pytest.param("keras", marks=pytest.mark.slow)])
def test_twice(bench, engine):
    """To the bit under one plan; to rounding where the planner, which measures, has chosen another."""
    first, again = bench.studied(engine), bench.study(engine)
    close = {"rtol": 0, "atol": 0} if same_plan(first, again) else {"rtol": 1e-5, "atol": 1e-5}
    for name in first.history:
        np.testing.assert_allclose(first.history[name], again.history[name], err_msg=name, **close)
    np.testing.assert_allclose(first.validation["prediction_last"], again.validation["prediction_last"], **close)
    for key, weights in first.weights.items():
        for one, other in zip(weights, again.weights[key], strict=True):
            np.testing.assert_allclose(one, other, **close)
    curve = first.history["loss"].sel(variant="baseline").values
    assert np.isfinite(curve).all()
    assert np.abs(curve[0] - curve[1]).max() > 1e-4  # seeds differ
