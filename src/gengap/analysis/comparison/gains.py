"""What cases do to an ensemble's gain by having been trained on, in a resampled study."""

from typing import TYPE_CHECKING, cast

import numpy as np

from gengap.analysis.cases import EpochRule, Floats, HeldOut
from gengap.analysis.comparison.estimators import ScoreName, case_values

if TYPE_CHECKING:
    from gengap.results import Result

_SQUARES = {"binary": "brier_score", "multiclass": "brier_score", "regression": "squared_error"}
"""The squared residual of a forecast, by task."""


def as_training_cases(result: "Result", held: HeldOut, variant: str, rule: EpochRule) -> Floats:
    r"""Influence that units have on the logarithm of an ensemble's gain by having been trained on.

    To first order a gain is $-c\,\sigma^2$, with the variance $\sigma^2$ of forecasts between runs. Drawing training
    cases anew (a division, a bootstrap sample, the order of batches) moves a forecast by the weighted sum of the
    residuals $e_i$ of its training cases, so by the infinitesimal jackknife $\sigma^2 \propto \sum_i w_i e_i^2$: a mean
    over all cases, since over the passes each is trained on as often. Its influence is $e_i^2 / \bar{e^2} - 1$. It
    moves the gain of all cases at once, so that neither the spread of passes nor that of test cases shows it: added to
    what a case does where it is tested, it makes the variance between cases that of both its roles.
    `benchmarks/ensembles_of_passes.py` counts what that brings.

    Args:
        result: A resampled result.
        held: Its cases.
        variant: Whose runs.
        rule: At which epoch.

    Returns:
        Shape `(units,)`, of mean 0; zeros where nothing is left to explain.

    References:
        Efron, B. (2014). Estimation and accuracy after model selection. Journal of the American Statistical Association
        109, 991-1007. doi:10.1080/01621459.2013.823775

        Wager, S., Hastie, T. and Efron, B. (2014). Confidence intervals for random forests: the jackknife and the
        infinitesimal jackknife. Journal of Machine Learning Research 15, 1625-1651.
    """
    values = case_values(result, held, variant, rule=rule, score=cast("ScoreName", _SQUARES[result.task]))
    good = values[np.isfinite(values).all(axis=-1)]
    squares = good.mean(axis=0) if len(good) else np.zeros(values.shape[-1])
    mean = squares.mean()
    return squares / mean - 1 if mean > 0 else np.zeros_like(squares)
