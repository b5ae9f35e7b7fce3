"""Which single number to forecast: deterministic, mean and median forecast scored against each other, paired."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.analysis.uncertainty.quality import plain_answers
from gengap.errors import DataError
from gengap.verification import score_difference, score_interval


def compare_centres(
    y_true: ArrayLike,
    distribution: PredictiveDistribution,
    *,
    score: str | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Score deterministic, mean and median forecast against each other, case by case.

    Args:
        y_true: Answers, shape `(n,)`.
        distribution: The distribution of the same cases.
        score: A score of `gengap.verification.SCORES`; None takes the Brier score, or a regression's squared error.
        groups: Groups of cases that are not independent, shape `(n,)`, or None.
        level: Coverage of the intervals, pointwise.

    Returns:
        One row per pair `forecast`, `reference`: `score`, `reference_score`, their `difference` (forecast less
        reference) with `low` and `high`. The medians of several labels are rescaled to sum to 1.

    Raises:
        DataError: The distribution is of several targets, or there is not one answer per case.
    """
    if distribution.task == "regression" and "label" in distribution.members.dims:
        raise DataError("Centres are compared for one target; the distribution has several: select one of them.")
    y = plain_answers(y_true)
    name = score or ("squared_error" if distribution.task == "regression" else "brier_score")
    centres: dict[str, Any] = {
        "mean": distribution.mean.values,
        "median": distribution.median.values,
        "deterministic": distribution.deterministic.values.astype(np.float64),
    }
    if distribution.task == "multiclass":
        centres["median"] = centres["median"] / centres["median"].sum(axis=1, keepdims=True)
        centres["deterministic"] = centres["deterministic"] / centres["deterministic"].sum(axis=1, keepdims=True)
    rows = []
    for forecast, reference in combinations(centres, 2):
        difference = score_difference(y, centres[forecast], centres[reference], score=name, groups=groups, level=level)
        rows.append({
            "forecast": forecast,
            "reference": reference,
            "score": score_interval(y, centres[forecast], score=name, groups=groups).value,
            "reference_score": score_interval(y, centres[reference], score=name, groups=groups).value,
            "difference": difference.value,
            "low": difference.low,
            "high": difference.high,
        })  # fmt: skip
    return pd.DataFrame(rows)
