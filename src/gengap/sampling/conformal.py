"""Conformal intervals and sets: the guarantee to compare with, computed by crepes (extra `conformal`)."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.errors import DataError, MissingExtraError
from gengap.sampling.distribution import PredictiveDistribution


def conformal_interval(
    y_calibration: ArrayLike,
    calibration: PredictiveDistribution,
    distribution: PredictiveDistribution,
    *,
    level: float = 0.9,
    scaled: bool = True,
) -> NDArray[np.float64]:
    """Return intervals around the mean forecast of a regression that hold the outcome in `level` of all cases.

    The guarantee is on average over exchangeable cases (calibration and new ones alike), whatever the model is worth;
    it is none for a kind of case, and none for a later time than the calibration's. With `scaled` an interval is as
    wide as the spread of the case's members says, relative to the others.

    Args:
        y_calibration: Answers of the calibration cases, which the model was not trained on, shape `(n,)`.
        calibration: Their distribution.
        distribution: The distribution of the cases to forecast.
        level: Share of outcomes to be held.
        scaled: Whether width follows the spread.

    Returns:
        Lower and upper end, `(cases, 2)`; infinite where the calibration is too small for the level.

    Raises:
        MissingExtraError: crepes is not installed.
        DataError: The distributions are not a regression's of one target.

    References:
        Vovk, V., Gammerman, A. and Shafer, G. (2005). Algorithmic Learning in a Random World. Springer.
    """
    if calibration.task != "regression" or "label" in calibration.members.dims:
        raise DataError("Conformal intervals are for a regression of one target; classifiers have `conformal_set`.")
    y = np.asarray(y_calibration, dtype=np.float64).reshape(-1)
    conformal = _crepes().ConformalRegressor()
    sigmas = {"sigmas": _scale(calibration)} if scaled else {}
    conformal.fit(y - calibration.mean.values, **sigmas)
    sigmas = {"sigmas": _scale(distribution)} if scaled else {}
    centre = distribution.mean.values
    return np.asarray(conformal.predict_int(centre, confidence=level, **sigmas), dtype=np.float64)


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
        MissingExtraError: crepes is not installed.
        DataError: The distributions are a regression's.
    """
    if calibration.task == "regression":
        raise DataError("Conformal sets are for classifiers; a regression has `conformal_interval`.")
    probability, new = _by_label(calibration), _by_label(distribution)
    y = np.asarray(y_calibration, dtype=int).reshape(-1)
    conformal = _crepes().ConformalClassifier()
    conformal.fit(1 - probability[np.arange(len(y)), y])
    inside = conformal.predict_set(1 - new, confidence=level, smoothing=False)
    return np.asarray(inside, dtype=bool)


def _scale(distribution: PredictiveDistribution) -> NDArray[np.float64]:
    spread = distribution.spread.values.astype(np.float64)
    return np.maximum(spread, 1e-12)


def _by_label(distribution: PredictiveDistribution) -> NDArray[np.float64]:
    mean: Any = distribution.mean.values
    return np.stack([1 - mean, mean], axis=1) if mean.ndim == 1 else mean


def _crepes() -> ModuleType:
    try:
        import crepes  # type: ignore[import-untyped]
    except ImportError as missing:
        raise MissingExtraError('Conformal prediction needs crepes: pip install "gengap[conformal]".') from missing
    module: ModuleType = crepes
    return module
