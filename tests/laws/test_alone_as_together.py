"""A run of a model of Keras' examples does not depend on the runs beside it."""

import numpy as np

TURNS = {"test_alone": 0}  # the models of even places; the others are studied twice in `test_study_twice.py`


def test_alone(bench):
    together, alone = bench.studied(), bench.study(seeds=(1,))
    for name in together.history:
        curves = [one.history[name].sel(seed=1).values for one in (together, alone)]
        np.testing.assert_allclose(*curves, atol=2e-5, rtol=2e-4, err_msg=name)
    for rule in ("last", "best"):
        for one, other in zip(*(result.weights["baseline", 1, rule] for result in (together, alone)), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-5, rtol=2e-4)
