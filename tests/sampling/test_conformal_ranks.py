"""The rank of the residual that a conformal interval ends at: level x (n + 1), where rounding must add none."""

from fractions import Fraction

import numpy as np
import pytest

from gengap.analysis.uncertainty import conformal_interval, conformal_set
from gengap.errors import DataError
from gengap.sampling.predict import assemble


def forecasts(mean, task="regression"):
    """A distribution of two members around `mean`, each as far apart as any other."""
    mean = np.asarray(mean, dtype="float32")
    step = np.float32(0.0 if task != "regression" else 1.0)
    return assemble([np.stack([mean - step, mean + step])], [mean], [0], task, {})


def exact_rank(level, n):
    return -(-Fraction(str(level)) * (n + 1) // 1)


@pytest.mark.parametrize("level", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("scaled", [False, True])
def test_an_interval_ends_at_the_residual_of_the_exact_rank(level, scaled):
    for n in [1, 3, 4, 9, 19, 29, 39, 49, 98, 99, 199]:
        residuals = np.arange(1, n + 1) * np.where(np.arange(n) % 2, 1.0, -1.0)
        interval = conformal_interval(residuals, forecasts(np.zeros(n)), forecasts([5.0]), level=level, scaled=scaled)
        rank = exact_rank(level, n)
        half = float(rank) if rank <= n else np.inf
        np.testing.assert_allclose(interval, [[5 - half, 5 + half]])


def test_nine_residuals_hold_nine_tenths_by_the_largest():
    interval = conformal_interval(np.arange(1.0, 10.0), forecasts(np.zeros(9)), forecasts([0.0]), scaled=False)
    np.testing.assert_array_equal(interval, [[-9, 9]])


@pytest.mark.parametrize("n", [9, 19, 29, 39, 99])
def test_a_set_leaves_out_what_is_stranger_than_the_exact_rank(n):
    probability = np.linspace(0.3, 0.9, n)  # of the true label, 1: the strangeness is one less
    rank = int(exact_rank(0.9, n))
    edge = np.sort(1 - probability.astype("float32").astype(float))[rank - 1]
    new = forecasts([1 - edge + 1e-4, 1 - edge - 1e-4], "binary")
    sets = conformal_set(np.ones(n), forecasts(probability, "binary"), new, level=0.9)
    np.testing.assert_array_equal(sets[:, 1], [True, False])


def test_both_agree_with_crepes_where_rounding_decides_nothing():
    crepes = pytest.importorskip("crepes")
    random = np.random.default_rng(0)
    y, centre, new = random.normal(size=57), random.normal(size=57), random.normal(size=8)
    calibration, fresh = forecasts(centre), forecasts(new)
    for level in (0.5, 0.83, 0.9, 0.97):
        theirs = crepes.ConformalRegressor()
        theirs.fit(y - calibration.mean.values)
        ours = conformal_interval(y, calibration, fresh, level=level, scaled=False)
        np.testing.assert_allclose(ours, theirs.predict_int(fresh.mean.values, confidence=level))
    labels, known = random.integers(0, 2, 57), forecasts(random.uniform(size=57), "binary")
    asked = forecasts(random.uniform(size=20), "binary")
    by_label = np.stack([1 - known.mean.values, known.mean.values], axis=1)
    theirs = crepes.ConformalClassifier()
    theirs.fit(1 - by_label[np.arange(57), labels])
    sets = theirs.predict_set(
        1 - np.stack([1 - asked.mean.values, asked.mean.values], axis=1), confidence=0.83, smoothing=False
    )
    np.testing.assert_array_equal(conformal_set(labels, known, asked, level=0.83), sets.astype(bool))


def test_what_cannot_be_calibrated_is_refused():
    known = forecasts(np.zeros(9))
    with pytest.raises(ValueError, match="`level`"):
        conformal_interval(np.zeros(9), known, known, level=1.0)
    with pytest.raises(DataError, match="one answer per calibration case, 9; received 8"):
        conformal_interval(np.zeros(8), known, known)
    with pytest.raises(DataError, match="finite"):
        conformal_interval(np.full(9, np.nan), known, known)
