"""How good the uncertainty is: other questions for classifiers than for regression, as outcomes of 0 and 1 hide it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.errors import DataError
from gengap.verification import (
    DiscardCurve,
    Estimate,
    PitHistogram,
    SpreadSkillCurve,
    discard_curve,
    ensemble_pit,
    interval_coverage,
    pit_histogram,
    score_interval,
    spread_skill_curve,
)
from gengap.verification.scores import get_score

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Levels of the central intervals whose coverage is measured."""


@dataclass(frozen=True, eq=False)
class ClassifierUncertainty:
    """What entropy and spread of a classifier's members are worth.

    Attributes:
        score: Name of the score behind the discard test.
        mean_forecast: That score of the mean forecast, with its interval.
        discard: Does the score fall as the most uncertain cases are set aside?
        error_detection: Area under the ROC curve of entropy as a detector of wrong decisions; .5 knows nothing. NaN
            where all decisions are right, or all wrong.
        entropy_error: In classes of entropy of equally many cases: mean `entropy`, `error_rate` of decisions, `cases`.
        coverage: Share of other seeds' forecasts (`seeds`) and of true probabilities (`truth`) inside the central
            intervals of the members, by level; NaN for what was not given.
        spread: Mean spread of the members.
    """

    score: str
    mean_forecast: Estimate
    discard: DiscardCurve
    error_detection: Estimate
    entropy_error: pd.DataFrame
    coverage: pd.DataFrame
    spread: float

    def summary(self) -> pd.Series:
        """Return the numbers as one column."""
        return pd.Series({
            self.score: self.mean_forecast.value,
            "mean spread": self.spread,
            "monotonicity fraction": self.discard.monotonicity_fraction,
            "discard improvement": self.discard.improvement,
            "error detection (AUC of entropy)": self.error_detection.value,
            **{f"coverage of other seeds at {level:.0%}": row["seeds"] for level, row in self.coverage.iterrows()},
            **{f"coverage of the truth at {level:.0%}": row["truth"] for level, row in self.coverage.iterrows()},
        }).dropna()  # fmt: skip


@dataclass(frozen=True, eq=False)
class RegressionUncertainty:
    """Whether the members of a regression are as far from the truth as from each other.

    Attributes:
        crps: Continuous ranked probability score, with its interval.
        spread_skill: Error in classes of spread, with SSREL and SSRAT (`reliability`, `ratio`).
        pit: Histogram of the probability integral transform, with PITD (`deviation`).
        coverage: `coverage` and mean `width` of the central intervals of the members, by level.
        discard: Does the squared error of the mean fall as the cases of largest spread are set aside?
        spread: Mean spread of the members.
    """

    crps: Estimate
    spread_skill: SpreadSkillCurve
    pit: PitHistogram
    coverage: pd.DataFrame
    discard: DiscardCurve
    spread: float

    def summary(self) -> pd.Series:
        """Return the numbers as one column."""
        return pd.Series({
            "crps": self.crps.value,
            "mean spread": self.spread,
            "SSRAT": self.spread_skill.ratio,
            "SSREL": self.spread_skill.reliability,
            "PITD": self.pit.deviation,
            "monotonicity fraction": self.discard.monotonicity_fraction,
            "discard improvement": self.discard.improvement,
            **{f"coverage at {level:.0%}": row["coverage"] for level, row in self.coverage.iterrows()},
            **{f"width at {level:.0%}": row["width"] for level, row in self.coverage.iterrows()},
        })  # fmt: skip


def classifier_uncertainty(
    y_true: ArrayLike,
    distribution: PredictiveDistribution,
    *,
    score: str = "brier_score",
    groups: ArrayLike | None = None,
    other_seeds: ArrayLike | None = None,
    true_probability: ArrayLike | None = None,
    levels: Sequence[float] = LEVELS,
) -> ClassifierUncertainty:
    """Judge the uncertainty of a classifier by what can be known of it from outcomes.

    The spread of probabilities cannot be calibrated against 0/1 outcomes: with exactly right spread the spread-skill
    ratio is far below 1, and the CRPS is best at several times the right spread. So neither is offered here; the order
    of the cases is judged, and coverage of what the members do claim to cover: forecasts of other networks, or the
    true probability where a generator knows it.

    Args:
        y_true: 0/1 or integer codes, shape `(n,)`; one-hot rows are read as codes.
        distribution: The distribution of the same cases.
        score: `"brier_score"` or `"log_loss"`, of the mean forecast.
        groups: Groups of cases that are not independent, shape `(n,)`, or None.
        other_seeds: Forecasts of other networks without noise, `(seeds, n[, labels])`, or None.
        true_probability: Probability that drew each answer, shape `(n[, labels])`, or None.
        levels: Levels of the central intervals.

    Raises:
        DataError: The distribution is a regression's, or shapes differ.
    """
    if distribution.task == "regression":
        raise DataError("These are a regression's members: judge them by `regression_uncertainty`.")
    y, mean = plain_answers(y_true), distribution.mean.values
    _check_length(y, mean)
    entropy = distribution.entropy().values
    losses = get_score(score).losses
    if losses is None:
        raise DataError(f"`score` must be the mean of a loss per case, such as 'brier_score'; received {score!r}.")
    decision = mean >= 0.5 if mean.ndim == 1 else mean.argmax(axis=1)
    wrong = (decision != y).astype(int)
    return ClassifierUncertainty(
        score=score,
        mean_forecast=score_interval(y, mean, score=score, groups=groups),
        discard=discard_curve(losses(y, mean), entropy),
        error_detection=_detection(wrong, entropy, groups),
        entropy_error=_classes(entropy, wrong),
        coverage=_seed_coverage(distribution, other_seeds, true_probability, levels),
        spread=float(distribution.spread.mean()),
    )


def regression_uncertainty(
    y_true: ArrayLike,
    distribution: PredictiveDistribution,
    *,
    groups: ArrayLike | None = None,
    levels: Sequence[float] = LEVELS,
) -> RegressionUncertainty:
    """Judge the uncertainty of a regression of one target.

    Members of dropout or of seeds carry the doubt about the network, not the noise of the target: unless the model
    leaves no noise, expect a spread-skill ratio below 1, and read here how far.

    Args:
        y_true: Observations, shape `(n,)`, in the units of the forecasts.
        distribution: The distribution of the same cases.
        groups: Groups of cases that are not independent, shape `(n,)`, or None.
        levels: Levels of the central intervals.

    Raises:
        DataError: The distribution is a classifier's, has several targets, or shapes differ.
    """
    if distribution.task != "regression" or "label" in distribution.members.dims:
        raise DataError("`regression_uncertainty` judges a regression of one target; see `classifier_uncertainty`.")
    y = np.asarray(y_true, dtype=np.float64).reshape(-1)
    members = distribution.members.values.T.astype(np.float64)
    _check_length(y, members)
    ends = {level: distribution.interval(level).values for level in levels}
    coverage = {level: interval_coverage(y, interval) for level, interval in ends.items()}
    width = {level: float(np.mean(interval[:, 1] - interval[:, 0])) for level, interval in ends.items()}
    spread = members.std(axis=1, ddof=1)
    return RegressionUncertainty(
        crps=score_interval(y, members, score="crps_ensemble", groups=groups),
        spread_skill=spread_skill_curve(y, members.mean(axis=1), spread=spread),
        pit=pit_histogram(ensemble_pit(y, members)),
        coverage=pd.DataFrame({"coverage": coverage, "width": width}).rename_axis("level"),
        discard=discard_curve((members.mean(axis=1) - y) ** 2, spread),
        spread=float(spread.mean()),
    )


def plain_answers(y: ArrayLike) -> NDArray[Any]:
    """Return answers along one axis: integer codes of one-hot rows."""
    values = np.asarray(y)
    return values.argmax(axis=1) if values.ndim == 2 and values.shape[1] > 1 else values.reshape(-1)


def _check_length(y: NDArray[Any], forecast: NDArray[Any]) -> None:
    if len(y) != len(forecast):
        raise DataError(f"`y_true` must hold one answer per case: {len(forecast)} cases, {len(y)} answers.")


def _detection(wrong: NDArray[np.int_], entropy: NDArray[np.float64], groups: ArrayLike | None) -> Estimate:
    if len(np.unique(wrong)) < 2:
        nan = float("nan")
        return Estimate(nan, nan, nan, nan, 0.95, nan, len(wrong))
    return score_interval(wrong, entropy, score="roc_auc", groups=groups)


def _classes(entropy: NDArray[np.float64], wrong: NDArray[np.int_], classes: int = 10) -> pd.DataFrame:
    order = np.argsort(entropy, kind="stable")
    parts = [part for part in np.array_split(order, min(classes, len(order))) if len(part)]
    return pd.DataFrame({
        "entropy": [entropy[part].mean() for part in parts],
        "error_rate": [wrong[part].mean() for part in parts],
        "cases": [len(part) for part in parts],
    })  # fmt: skip


def _seed_coverage(
    distribution: PredictiveDistribution,
    other_seeds: ArrayLike | None,
    true_probability: ArrayLike | None,
    levels: Sequence[float],
) -> pd.DataFrame:
    rows = {}
    for level in levels:
        ends = distribution.interval(level).values
        rows[level] = {
            name: np.nan if given is None else _inside(np.asarray(given, dtype=np.float64), ends)
            for name, given in (("seeds", other_seeds), ("truth", true_probability))
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("level")


def _inside(values: NDArray[np.float64], ends: NDArray[np.float64]) -> float:
    if values.shape[-(ends.ndim - 1) :] != ends.shape[:-1]:
        raise DataError(f"Forecasts of {ends.shape[:-1]} cases (and labels) are needed; received shape {values.shape}.")
    return float(((values >= ends[..., 0]) & (values <= ends[..., 1])).mean())
