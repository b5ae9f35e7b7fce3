"""One table of evidence for all scores: a value by hand, a published number, somebody else's code, degenerate input.

The laws that hold for all of them are in `test_laws.py`, which runs over the same names.
"""

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import lazy_loader as lazy
import numpy as np
import pytest
from sklearn import metrics

import gengap.verification as gv
from gengap.errors import DataError
from gengap.verification import SCORES

# only in the worker that asks them: they compile for seconds when they are imported
late = SimpleNamespace(properscoring=lazy.load("properscoring"), scoringrules=lazy.load("scoringrules"))

TABLE = [name for name in SCORES if hasattr(gv.Contingency, name)]
every_score = pytest.mark.parametrize("name", list(SCORES))
RNG = np.random.default_rng(11)
P = np.round(RNG.beta(1, 2, 200), 2)
Y = (RNG.random(200) < P).astype(int)
W = RNG.uniform(0.1, 2, 200)
REAL = RNG.normal(size=200)
GUESS = REAL + RNG.normal(size=200)
MEMBERS = REAL[:, None] + RNG.normal(size=(200, 6))
ENDS = np.sort(MEMBERS[:, :2], axis=1)
LABELS = RNG.integers(0, 4, 200)
PK = RNG.dirichlet(np.ones(4), 200)
NAN = float("nan")


class Known(NamedTuple):
    """A score of given cases, and what it must be."""

    y: Any
    p: Any
    expected: float
    source: str = "by hand"
    options: dict[str, Any] = {}  # noqa: RUF012  never changed
    within: float = 1e-12


class Evidence(NamedTuple):
    """What speaks for a score.

    Attributes:
        by_hand: Small enough to be checked on paper.
        published: A number that others printed, with its source; for want of one an exact value that theory gives.
        oracle: Others' code on random cases with weights: returns ours and theirs.
        degenerate: Cases at the edge, with the documented answer: a number, NaN, or the error.
    """

    by_hand: Known
    published: Known
    oracle: Callable[[], tuple[float, float]]
    degenerate: list[tuple[Any, Any, float | type[Exception]]]


def finley() -> tuple[np.ndarray, np.ndarray]:
    """Finley's tornado forecasts of 1884 case by case: hits, false alarms, misses, correct negatives."""
    cells = (28, 72, 23, 2680)
    return np.repeat([1, 0, 1, 0], cells), np.repeat([1.0, 1.0, 0.0, 0.0], cells)


FOUR = ([1, 0, 1, 0, 0], [0.9, 0.8, 0.2, 0.1, 0.3])  # one hit, one false alarm, one miss, two correct negatives
WILKS = "Wilks (2019), Statistical Methods in the Atmospheric Sciences, 4th ed., chapter 9, Finley's tornadoes"


def yes_no(by_hand: float, published: float, oracle: Callable[..., float], within: float = 0.0006, **degenerate: Any):
    """Return the evidence for a score of a contingency table."""
    y, p = finley()
    return Evidence(
        Known(*FOUR, by_hand),
        Known(y, p, published, WILKS, within=within),
        lambda: (gv.contingency(Y, P, sample_weight=W), oracle(Y, P >= 0.5)),
        [
            ([0, 0], [0.9, 0.1], degenerate["no_event"]),
            ([1, 1], [0.9, 0.1], degenerate["all_events"]),
            ([0, 1], [0.1, 0.2], degenerate["never_yes"]),
        ],
    )


def confusion(y: Any, yes: Any) -> tuple[float, float, float, float]:
    """Return hits, false alarms, misses and correct negatives as scikit-learn counts them."""
    d, b, c, a = metrics.confusion_matrix(y, yes, sample_weight=W).ravel()
    return float(a), float(b), float(c), float(d)


def by_scores(name: str) -> Callable[..., float]:
    """Return a score of the table by the scores library (nci), from the counts of scikit-learn."""

    def score(y: Any, yes: Any) -> float:
        from scores.categorical import BasicContingencyManager

        a, b, c, d = confusion(y, yes)
        counts = {"tp_count": a, "fp_count": b, "fn_count": c, "tn_count": d, "total_count": a + b + c + d}
        import xarray as xr

        manager = BasicContingencyManager({name: xr.DataArray(count) for name, count in counts.items()})
        return float(getattr(manager, name)())

    return score


def weighted(metric: Callable[..., float]) -> Callable[..., float]:
    return lambda y, yes: float(metric(y, yes, sample_weight=W))


def mean(losses: Any) -> float:
    return float(np.average(losses, weights=W))


def d2_brier_score() -> float:
    if hasattr(metrics, "d2_brier_score"):  # not in 1.6
        return float(metrics.d2_brier_score(Y, P, sample_weight=W))
    base = np.full(len(Y), np.average(Y, weights=W))
    model, reference = (metrics.brier_score_loss(Y, p, sample_weight=W) for p in (P, base))
    return float(1 - model / reference)


SKLEARN = "scikit-learn 1.9, docstring of "
EVIDENCE: dict[str, Evidence] = {
    "brier_score": Evidence(
        Known([0, 1], [0.2, 0.2], 0.34),
        Known([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3], 0.0375, SKLEARN + "brier_score_loss"),
        lambda: (gv.brier_score(Y, P, sample_weight=W), metrics.brier_score_loss(Y, P, sample_weight=W)),
        [([0, 0], [0.0, 0.0], 0.0), ([1], [0.5], 0.25), ([], [], DataError), ([0, 2], [0.1, 0.1], DataError)],
    ),
    "log_loss": Evidence(
        Known([1, 0], [0.5, 0.75], 1.5 * np.log(2)),
        Known([1, 0, 0, 1], [0.9, 0.1, 0.2, 0.65], 0.21616, SKLEARN + "log_loss", within=5e-6),
        lambda: (gv.log_loss(Y, P, sample_weight=W), metrics.log_loss(Y, P, sample_weight=W)),
        [([1], [0.0], -np.log(np.finfo(float).eps)), ([0, 0], [0.0, 0.0], 2.220446049250313e-16), ([], [], DataError)],
    ),
    "ranked_probability_score": Evidence(
        Known([2], [[0.2, 0.3, 0.5]], 0.29),
        Known([0, 0], [[0.2, 0.5, 0.3], [0.2, 0.3, 0.5]], (0.73 + 0.89) / 2, "Wilks (2011), 3rd ed., section 8.4.9"),
        lambda: (
            gv.ranked_probability_score(LABELS, PK, sample_weight=W),
            mean(late.scoringrules.rps_score(LABELS + 1, PK)),
        ),
        [([0], [[0.0, 0.0, 1.0]], 2.0), ([0], [[1.0, 0.0]], 0.0), ([3], [[0.5, 0.5]], DataError)],
    ),
    "squared_error": Evidence(
        Known([1.0, 2.0], [2.0, 4.0], 2.5),
        Known([3, -0.5, 2, 7], [2.5, 0.0, 2, 8], 0.375, SKLEARN + "mean_squared_error"),
        lambda: (
            gv.squared_error(REAL, GUESS, sample_weight=W),
            metrics.mean_squared_error(REAL, GUESS, sample_weight=W),
        ),
        [([1.0], [1.0], 0.0), ([NAN], [1.0], DataError), ([1.0], [NAN], DataError)],
    ),
    "absolute_error": Evidence(
        Known([1.0, 2.0], [2.0, 4.0], 1.5),
        Known([3, -0.5, 2, 7], [2.5, 0.0, 2, 8], 0.5, SKLEARN + "mean_absolute_error"),
        lambda: (
            gv.absolute_error(REAL, GUESS, sample_weight=W),
            metrics.mean_absolute_error(REAL, GUESS, sample_weight=W),
        ),
        [([1.0], [1.0], 0.0), ([NAN], [1.0], DataError), ([1.0], [np.inf], DataError)],
    ),
    "quantile_score": Evidence(
        Known([3.0, 3.0], [1.0, 5.0], 0.5 * (0.6 + 1.4), options={"quantile": 0.3}),
        Known([0.3], [0.5], 0.16, "scoringrules, docstring of quantile_score", {"quantile": 0.2}),
        lambda: (
            gv.quantile_score(REAL, GUESS, quantile=0.3, sample_weight=W),
            metrics.mean_pinball_loss(REAL, GUESS, alpha=0.3, sample_weight=W),
        ),
        [([1.0], [1.0], 0.0), ([], [], DataError)],
    ),
    "interval_score": Evidence(
        Known([1.0, 3.0], [[0.0, 2.0], [0.0, 2.0]], 7.0, options={"coverage": 0.8}),
        Known([0.1], [[0.0, 0.4]], 0.4, "scoringrules, docstring of interval_score", {"coverage": 0.5}),
        lambda: (
            gv.interval_score(REAL, ENDS, coverage=0.8, sample_weight=W),
            mean(late.scoringrules.interval_score(REAL, ENDS[:, 0], ENDS[:, 1], 0.2)),
        ),
        [([1.0], [[1.0, 1.0]], 0.0), ([1.0], [[1.0, 0.0]], DataError), ([1.0], [[0.0, np.inf]], DataError)],
    ),
    "crps_ensemble": Evidence(
        Known([0.0], [[-1.0, 1.0]], 0.5),
        Known(
            (seen := np.random.default_rng(123)).normal(size=3),
            seen.normal(size=(3, 10)),
            np.mean([0.69605316, 0.32865417, 0.39048665]),
            "scoringrules, docstring of crps_ensemble (its default is the fair score)",
            {"fair": True},
            1e-8,
        ),
        lambda: (
            gv.crps_ensemble(REAL, MEMBERS, sample_weight=W),
            mean(late.properscoring.crps_ensemble(REAL, MEMBERS)),
        ),
        [([1.0], [[3.0]], 2.0), ([1.0], [[1.0, 1.0]], 0.0), ([1.0], [[1.0, NAN]], DataError)],
    ),
    "brier_skill_score": Evidence(
        Known([0, 0, 1, 1], [0.0, 0.5, 0.5, 1.0], 0.5),
        Known(
            np.repeat([1, 0], 1000),
            np.tile((np.arange(1000) + 0.5) / 1000, 2),
            1 / 3,
            "exact: E (p - o)^2 = 1/6 and the base rate scores 1/4 for calibrated uniform forecasts",
            {"sample_weight": np.concatenate([(np.arange(1000) + 0.5) / 1000, 1 - (np.arange(1000) + 0.5) / 1000])},
            1e-6,
        ),
        lambda: (gv.brier_skill_score(Y, P, sample_weight=W), d2_brier_score()),
        [([0, 0], [0.1, 0.2], NAN), ([1], [1.0], NAN), ([], [], DataError)],
    ),
    "squared_error_skill_score": Evidence(
        Known([1.0, 2.0, 3.0], [1.0, 2.0, 2.0], 0.5),
        Known([1, 2, 3], [3, 2, 1], -3.0, SKLEARN + "r2_score"),
        lambda: (
            gv.squared_error_skill_score(REAL, GUESS, sample_weight=W),
            metrics.r2_score(REAL, GUESS, sample_weight=W),
        ),
        [([2.0, 2.0], [1.0, 2.0], NAN), ([1.0], [1.0], NAN)],
    ),
    "roc_auc": Evidence(
        Known([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),
        Known(
            np.repeat([0, 1], [58, 51]),
            np.repeat(np.tile(np.arange(1, 6), 2), [33, 6, 6, 11, 2, 3, 2, 2, 11, 33]),
            0.893,
            "Hanley and McNeil (1982), Table II, doi 10.1148/radiology.143.1.7063747",
            within=0.0005,
        ),
        lambda: (gv.roc_auc(Y, P, sample_weight=W), metrics.roc_auc_score(Y, P, sample_weight=W)),
        [([0, 1], [0.5, 0.5], 0.5), ([1, 1], [0.1, 0.9], NAN), ([0, 1], [-np.inf, np.inf], 1.0)],
    ),
    "probability_of_detection": yes_no(
        0.5, 0.549, weighted(metrics.recall_score), no_event=NAN, all_events=0.5, never_yes=0.0
    ),
    "probability_of_false_detection": yes_no(
        1 / 3,
        0.0262,
        by_scores("probability_of_false_detection"),
        within=0.00006,
        no_event=0.5,
        all_events=NAN,
        never_yes=0.0,
    ),
    "false_alarm_ratio": yes_no(
        0.5, 0.720, by_scores("false_alarm_ratio"), no_event=1.0, all_events=0.0, never_yes=NAN
    ),
    "success_ratio": yes_no(0.5, 0.280, weighted(metrics.precision_score), no_event=0.0, all_events=1.0, never_yes=NAN),
    "critical_success_index": yes_no(
        1 / 3, 0.228, weighted(metrics.jaccard_score), no_event=0.0, all_events=0.5, never_yes=0.0
    ),
    "frequency_bias": yes_no(
        1.0, 1.96, by_scores("frequency_bias"), within=0.005, no_event=NAN, all_events=0.5, never_yes=0.0
    ),
    "accuracy": yes_no(0.6, 0.966, weighted(metrics.accuracy_score), no_event=0.5, all_events=0.5, never_yes=0.5),
    "peirce_skill_score": yes_no(
        0.5 - 1 / 3, 0.523, by_scores("peirce_skill_score"), no_event=NAN, all_events=NAN, never_yes=0.0
    ),
    "heidke_skill_score": yes_no(
        1 / 6, 0.355, weighted(metrics.cohen_kappa_score), no_event=0.0, all_events=0.0, never_yes=0.0
    ),
    "gilbert_skill_score": yes_no(
        1 / 11, 0.216, by_scores("gilberts_skill_score"), no_event=0.0, all_events=0.0, never_yes=0.0
    ),
}


def scored(name: str, y: Any, p: Any, **options: Any) -> float:
    if name in TABLE:
        return gv.contingency(y, p, **options).score(name)
    needed = {"quantile_score": {"quantile": 0.3}, "interval_score": {"coverage": 0.8}}
    return getattr(gv, name)(y, p, **({} if options else needed.get(name, {})), **options)


def test_no_score_is_without_evidence_or_outside_the_laws():
    assert set(EVIDENCE) == set(SCORES)
    laws = runpy.run_path(str(Path(__file__).with_name("test_laws.py")))
    assert laws["every_score"].args[1] == list(SCORES)
    assert {*laws["FUNCTIONS"], *laws["TABLE"]} == set(SCORES)
    for name, evidence in EVIDENCE.items():
        assert evidence.published.source != "by hand", name
        assert len(evidence.degenerate) >= 2, name


@every_score
@pytest.mark.parametrize("kind", ["by_hand", "published"])
def test_known_values(name, kind):
    known = getattr(EVIDENCE[name], kind)
    found = scored(name, known.y, known.p, **known.options)
    assert found == pytest.approx(known.expected, abs=known.within, rel=1e-9), known.source


@every_score
def test_others_code_agrees(name):
    ours, theirs = EVIDENCE[name].oracle()
    ours = ours.score(name) if name in TABLE else ours
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)


@every_score
def test_degenerate_input_has_its_documented_answer(name):
    for y, p, expected in EVIDENCE[name].degenerate:
        if isinstance(expected, type):
            with pytest.raises(expected):
                scored(name, y, p)
        else:
            assert scored(name, y, p) == pytest.approx(expected, nan_ok=True, abs=1e-15, rel=1e-12)


def test_calibration_error_as_torchmetrics_prints_it():
    # torchmetrics, docstring of BinaryCalibrationError: .2900 (l1) and .2918 (l2) with two bins
    p, y = [0.25, 0.25, 0.55, 0.75, 0.75], [0, 0, 1, 1, 1]
    assert gv.expected_calibration_error(y, p, bins=2) == pytest.approx(0.2900, abs=5e-5)
    assert gv.expected_calibration_error(y, p, bins=2, order=2) == pytest.approx(0.2918, abs=5e-5)


def test_normal_crps_as_properscoring_prints_it():
    # properscoring's README: crps_gaussian(0, mu=0, sig=1)
    assert gv.crps_normal([0.0], [0.0], spread=1.0) == pytest.approx(0.23369497725510913, abs=1e-12)
