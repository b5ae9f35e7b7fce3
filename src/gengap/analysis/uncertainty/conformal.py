"""Conformal intervals and sets: the guarantee to compare with."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.errors import DataError

_ROUNDING = 1e-9
"""What rounding may add to `level * (n + 1)`: .95 * 20 must be 19, and .9 * 10 be 9."""


def conformal_interval(
    y_calibration: ArrayLike,
    calibration: PredictiveDistribution,
    distribution: PredictiveDistribution,
    *,
    level: float = 0.9,
    scaled: bool = True,
) -> NDArray[np.float64]:
    r"""Return intervals around the mean forecast of a regression that hold the outcome in `level` of all cases.

    The guarantee is on average over exchangeable cases (calibration and new ones alike), whatever the model is worth;
    it is none for a kind of case, and none for a later time than the calibration's. With `scaled` an interval is as
    wide as the spread of the case's members says, relative to the others. Half an interval is the residual of rank
    $\lceil \text{level} \cdot (n + 1) \rceil$ among the `n` of the calibration, by size.

    Args:
        y_calibration: Answers of the calibration cases, which the model was not trained on, shape `(n,)`.
        calibration: Their distribution.
        distribution: The distribution of the cases to forecast.
        level: Share of outcomes to be held.
        scaled: Whether width follows the spread.

    Returns:
        Lower and upper end, `(cases, 2)`; infinite where the calibration is too small for the level.

    Raises:
        DataError: The distributions are not a regression's of one target, answers are missing or not finite.
        ValueError: `level` is outside (0, 1).

    References:
        Vovk, V., Gammerman, A. and Shafer, G. (2005). Algorithmic Learning in a Random World. Springer.
    """
    for one in (calibration, distribution):
        if one.task != "regression" or "label" in one.members.dims:
            raise DataError("Conformal intervals are for a regression of one target; classifiers have `conformal_set`.")
    y = _answers(y_calibration, calibration)
    residuals = np.abs(y - calibration.mean.values)
    width = np.ones(distribution.members.sizes["sample"])
    if scaled:
        residuals, width = residuals / _scale(calibration), _scale(distribution)
    half = _threshold(residuals, level) * width
    centre = distribution.mean.values
    return np.stack([centre - half, centre + half], axis=1)


def conformal_set(
    y_calibration: ArrayLike,
    calibration: PredictiveDistribution,
    distribution: PredictiveDistribution,
    *,
    level: float = 0.9,
) -> NDArray[np.bool_]:
    """Return sets of labels that hold the true one in `level` of all cases, from the mean forecast of a classifier.

    The guarantee is that of `conformal_interval`. A set of both labels of a binary task is the honest "cannot say"; an
    empty set means that the case resembles neither.

    Args:
        y_calibration: 0/1 or integer codes of the calibration cases, shape `(n,)`.
        calibration: Their distribution.
        distribution: The distribution of the cases to forecast.
        level: Share of cases whose label is to be held.

    Returns:
        Whether each label is in the set, `(cases, labels)`; two columns for a binary task.

    Raises:
        DataError: The distributions are a regression's, answers are missing or not finite.
        ValueError: `level` is outside (0, 1).
    """
    if "regression" in {calibration.task, distribution.task}:
        raise DataError("Conformal sets are for classifiers; a regression has `conformal_interval`.")
    probability, new = _by_label(calibration), _by_label(distribution)
    y = _answers(y_calibration, calibration).astype(int)
    strangeness = 1 - probability[np.arange(len(y)), y]
    inside: NDArray[np.bool_] = 1 - new <= _threshold(strangeness, level)
    return inside


def _threshold(strangeness: NDArray[np.float64], level: float) -> float:
    """Return the value of rank `level * (n + 1)`, rounded up, which a new one exceeds in 1 - `level` of all cases."""
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1; received {level}.")
    rank = math.ceil(level * (len(strangeness) + 1) - _ROUNDING)
    return float(np.sort(strangeness)[rank - 1]) if rank <= len(strangeness) else math.inf


def _answers(y_calibration: ArrayLike, calibration: PredictiveDistribution) -> NDArray[np.float64]:
    y = np.asarray(y_calibration, dtype=np.float64).reshape(-1)
    cases = calibration.members.sizes["sample"]
    if len(y) != cases:
        raise DataError(f"`y_calibration` must hold one answer per calibration case, {cases}; received {len(y)}.")
    if not (np.isfinite(y).all() and np.isfinite(calibration.mean.values).all()):
        raise DataError("Calibration needs finite answers and forecasts; leave out the cases that have none.")
    return y


def _scale(distribution: PredictiveDistribution) -> NDArray[np.float64]:
    spread = distribution.spread.values.astype(np.float64)
    return np.maximum(spread, 1e-12)


def _by_label(distribution: PredictiveDistribution) -> NDArray[np.float64]:
    mean: Any = distribution.mean.values
    return np.stack([1 - mean, mean], axis=1) if mean.ndim == 1 else mean
