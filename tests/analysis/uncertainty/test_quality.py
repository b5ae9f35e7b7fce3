import numpy as np
import pytest
from scipy import stats

from gengap.analysis.uncertainty import (
    classifier_uncertainty,
    compare_centres,
    conformal_interval,
    conformal_set,
    regression_uncertainty,
)
from gengap.errors import DataError
from gengap.sampling.predict import assemble


def ensemble(members, task):
    members = np.asarray(members, dtype="float32")
    return assemble([members], [members.mean(0)], [0], task, {})


@pytest.fixture(scope="module")
def calibrated(random):
    """A regression whose members are drawn as its outcomes are, with a spread that varies from case to case."""
    centre, sd = random.normal(size=3000), random.uniform(0.5, 2, size=3000)
    return random.normal(centre, sd), ensemble(random.normal(centre, sd, size=(60, 3000)), "regression")


@pytest.fixture(scope="module")
def known(random):
    """A classifier with exactly right epistemic spread: truth and members come from the same beta distribution."""
    a, b = random.uniform(0.5, 6, size=(2, 4000))
    truth = random.beta(a, b)
    return truth, (random.random(4000) < truth).astype(int), ensemble(random.beta(a, b, size=(200, 4000)), "binary")


def test_a_calibrated_regression_is_called_so(calibrated):
    y, forecast = calibrated
    judged = regression_uncertainty(y, forecast)
    assert judged.spread_skill.ratio == pytest.approx(0.95, abs=0.05)  # the mean of unequal spreads: below 1 by Jensen
    assert judged.coverage.loc[0.9, "coverage"] == pytest.approx(0.9, abs=0.03)
    assert judged.pit.deviation < 2.5 * judged.pit.expected_deviation
    assert judged.discard.monotonicity_fraction == 1
    half = ensemble(forecast.mean.values + 0.5 * (forecast.members.values - forecast.mean.values), "regression")
    narrow = regression_uncertainty(y, half)
    assert narrow.spread_skill.ratio < 0.55
    assert narrow.crps.value > judged.crps.value
    assert set(judged.summary().index) >= {"SSRAT", "SSREL", "PITD", "crps"}


def test_right_spread_of_a_classifier_covers_the_truth_and_other_seeds(known, random):
    truth, y, forecast = known
    judged = classifier_uncertainty(y, forecast, true_probability=truth, other_seeds=forecast.members.values[:5])
    assert judged.coverage.loc[0.9, "truth"] == pytest.approx(0.9, abs=0.02)
    assert judged.coverage.loc[0.9, "seeds"] == pytest.approx(0.9, abs=0.02)
    assert judged.error_detection.low > 0.6
    assert judged.discard.improvement > 0
    assert judged.entropy_error["error_rate"].iloc[0] < judged.entropy_error["error_rate"].iloc[-1]
    assert "coverage of the truth at 90%" in judged.summary().index
    assert "coverage of the truth at 90%" not in classifier_uncertainty(y, forecast).summary().index


def test_useless_entropy_detects_nothing(random):
    forecast = ensemble(random.random((20, 500)), "binary")
    judged = classifier_uncertainty(random.integers(0, 2, 500), forecast)
    assert judged.error_detection.low < 0.5 < judged.error_detection.high


def test_all_decisions_right_leaves_detection_undefined():
    judged = classifier_uncertainty([0, 1], ensemble([[0.1, 0.9], [0.2, 0.7]], "binary"))
    assert np.isnan(judged.error_detection.value)


def test_each_task_has_its_own_questions(calibrated, known):
    with pytest.raises(DataError, match="regression_uncertainty"):
        classifier_uncertainty(calibrated[0], calibrated[1])
    with pytest.raises(DataError, match="classifier_uncertainty"):
        regression_uncertainty(known[1], known[2])
    with pytest.raises(DataError, match="one answer per case"):
        classifier_uncertainty([0, 1], known[2])
    with pytest.raises(DataError, match="received shape"):
        classifier_uncertainty(known[1], known[2], true_probability=known[0][:5])


def test_one_hot_answers_are_read_as_codes(random):
    probability = random.dirichlet([1, 1, 1], size=(30, 40)).astype("float32")
    forecast, y = ensemble(probability, "multiclass"), random.integers(0, 3, 40)
    plain, hot = (classifier_uncertainty(answers, forecast).summary() for answers in (y, np.eye(3)[y]))
    assert plain.equals(hot)
    assert compare_centres(np.eye(3)[y], forecast).equals(compare_centres(y, forecast))
    with pytest.raises(DataError, match="several"):
        compare_centres(y, ensemble(probability, "regression"))


def test_the_mean_of_an_overconfident_ensemble_beats_one_member(known):
    _, y, forecast = known
    one = assemble([forecast.members.values], [forecast.members.values[0]], [0], "binary", {})
    table = compare_centres(y, one).set_index(["forecast", "reference"])
    pair = table.loc["mean", "deterministic"]
    assert pair["high"] < 0
    assert pair["difference"] == pytest.approx(pair["score"] - pair["reference_score"])
    assert len(table) == 3


def test_conformal_intervals_hold_what_they_promise(calibrated):
    y, forecast = calibrated
    for scaled in (True, False):
        interval = conformal_interval(
            y[:1500], forecast.select(slice(1500)), forecast.select(slice(1500, None)), level=0.8, scaled=scaled
        )
        inside = (interval[:, 0] <= y[1500:]) & (y[1500:] <= interval[:, 1])
        assert stats.binomtest(int(inside.sum()), 1500, 0.8).pvalue > 1e-3
    assert len(np.unique(np.diff(interval).round(6))) == 1


def test_conformal_sets_hold_what_they_promise(known):
    _, y, forecast = known
    sets = conformal_set(y[:2000], forecast.select(slice(2000)), forecast.select(slice(2000, None)), level=0.9)
    inside = sets[np.arange(2000), y[2000:]]
    assert sets.shape == (2000, 2)
    assert inside.mean() == pytest.approx(0.9, abs=0.025)
