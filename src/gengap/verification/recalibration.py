"""Recalibration: a rising function from forecasts to better calibrated ones, fitted on validation, judged on test.

Fitted and judged on the same cases every method looks better than it is; isotonic regression most of all.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike

from gengap.errors import DataError
from gengap.verification.decomposition import CorpDecomposition, corp_decomposition, recalibrated_values
from gengap.verification.estimates import Estimate
from gengap.verification.inputs import Floats, binary_cases, within_unit
from gengap.verification.named import Labelled
from gengap.verification.plain import numbers
from gengap.verification.probability import probability_cases
from gengap.verification.ranking import rank
from gengap.verification.reliability import top_label
from gengap.verification.scores import score_difference

_TINY = 1e-12
"""Probabilities are kept this far from 0 and 1 before their log-odds are taken."""


class Recalibration(ABC):
    """A fitted map from forecast probabilities to recalibrated ones."""

    @classmethod
    @abstractmethod
    def fit(cls, y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the map; use validation cases, never those that are judged.

        Raises:
            DataError: The cases are invalid.
        """

    def apply(self, y_prob: ArrayLike) -> Floats:
        """Return recalibrated probabilities, same shape; a labelled array keeps its dims. NaN stays NaN.

        Raises:
            DataError: A probability lies outside 0 to 1 or is not a number.
        """
        given: Any = y_prob
        if isinstance(given, Labelled):
            ordered = given.transpose(*sorted(given.dims, key="label".__eq__))  # labels last
            recalibrated = ordered.copy(data=self._map(_probabilities(ordered.values)))
            return cast("Floats", recalibrated.transpose(*given.dims))
        return self._map(_probabilities(y_prob))

    @abstractmethod
    def _map(self, p: Floats) -> Floats:
        """Return recalibrated probabilities, same shape; labels lie on the last axis."""


@dataclass(frozen=True, eq=False)
class Isotonic(Recalibration):
    """Isotonic recalibration: the best non-decreasing function, linear between the fitted values, flat beyond them.

    Needs some hundreds of cases; ties forecasts that were different.

    Attributes:
        forecast: Distinct forecast values, ascending, shape `(k,)`.
        probability: Their recalibrated probabilities, non-decreasing, shape `(k,)`.

    Example:
        >>> Isotonic.fit([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9]).apply([0.5, 1.0])
        array([0.5, 1. ])
    """

    forecast: Floats
    probability: Floats

    @classmethod
    def fit(cls, y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by pooling adjacent violators."""
        ranked = rank(binary_cases(y_true, y_prob, sample_weight), weighted=sample_weight is not None)
        return cls(ranked.values, recalibrated_values(ranked))

    def _map(self, p: Floats) -> Floats:
        return np.asarray(np.interp(p, self.forecast, self.probability))


@dataclass(frozen=True)
class Platt(Recalibration):
    r"""Platt scaling: a straight line in the log-odds, $\operatorname{logit} p' = a + b \operatorname{logit} p$.

    Two parameters: fits with some dozens of cases; keeps the order of forecasts if b > 0.

    Attributes:
        intercept: a.
        slope: b.

    Example:
        >>> Platt(intercept=0.0, slope=0.5).apply([0.5, 0.9])
        array([0.5 , 0.75])
    """

    intercept: float
    slope: float

    @classmethod
    def fit(cls, y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by maximum likelihood with Platt's smoothed targets, which keep it finite for separable cases."""
        from scipy.optimize import minimize

        valid = binary_cases(y_true, y_prob, sample_weight)
        odds, o, w = _log_odds(valid.forecast), valid.observed, valid.weight
        events, non_events = float(w @ o), float(w @ (1 - o))
        target = np.where(o == 1, (events + 1) / (events + 2), 1 / (non_events + 2))

        def loss(ab: Floats) -> tuple[float, Floats]:
            z = ab[0] + ab[1] * odds
            slack = w * (_sigmoid(z) - target)
            return float(w @ (np.logaddexp(0, z) - target * z)), np.array([slack.sum(), slack @ odds])

        a, b = minimize(loss, np.array([0.0, 1.0]), jac=True, method="BFGS").x
        return cls(float(a), float(b))

    def _map(self, p: Floats) -> Floats:
        return _sigmoid(self.intercept + self.slope * _log_odds(p))


@dataclass(frozen=True)
class Temperature(Recalibration):
    r"""Temperature scaling: $p'_k \propto p_k^{1/T}$, for two labels or several; T > 1 tempers overconfidence.

    One parameter: keeps the most probable class, and the AUC.

    Attributes:
        temperature: T.

    Example:
        >>> Temperature(2.0).apply([0.5, 0.9])
        array([0.5 , 0.75])
    """

    temperature: float

    @classmethod
    def fit(cls, y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by minimizing log loss over T from 1/100 to 100."""
        from scipy.optimize import minimize_scalar

        valid = probability_cases(y_true, y_prob, sample_weight)
        several = valid.forecast.ndim == 2
        rows = valid.forecast if several else np.column_stack([1 - valid.forecast, valid.forecast])
        logs = np.log(np.clip(rows, _TINY, 1))
        happened = logs[np.arange(len(logs)), valid.observed.astype(np.int64)]

        def loss(log_temperature: float) -> float:
            cool = np.exp(-log_temperature)
            peak = (cool * logs).max(axis=1)
            total = np.log(np.exp(cool * logs - peak[:, None]).sum(axis=1)) + peak
            return float(np.average(total - cool * happened, weights=valid.weight))

        best = minimize_scalar(loss, bounds=(-np.log(100), np.log(100)), method="bounded", options={"xatol": 1e-8})
        return cls(float(np.exp(best.x)))

    def _map(self, p: Floats) -> Floats:
        if p.ndim < 2 or p.shape[-1] == 1:
            return _sigmoid(_log_odds(p) / self.temperature)
        logs = np.log(np.clip(p, _TINY, 1)) / self.temperature
        powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class RecalibrationEffect:
    """What recalibration did to cases it was not fitted on.

    Attributes:
        brier_score: Brier score after less before; negative is a gain.
        log_loss: Log loss after less before; negative is a gain.
        before: Miscalibration and discrimination before (CORP, of the Brier score; of the most probable class where
            there are several).
        after: The same after.
    """

    brier_score: Estimate
    log_loss: Estimate
    before: CorpDecomposition
    after: CorpDecomposition


def recalibration_effect(
    recalibration: Recalibration,
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> RecalibrationEffect:
    """Judge a fitted recalibration on test cases, paired case by case, with the reliability before and after.

    `ReliabilityDisplay` draws the latter: one diagram for `y_prob`, one for `recalibration.apply(y_prob)`.

    Args:
        recalibration: Fitted on validation cases.
        y_true: 0/1, or integer codes, shape `(n,)`.
        y_prob: Forecasts before recalibration.
        groups: Labels of groups of cases that are not independent, shape `(n,)`, or None.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: The cases are invalid.
    """
    after = recalibration.apply(y_prob)
    brier, log = (
        score_difference(y_true, after, y_prob, score=score, groups=groups, sample_weight=sample_weight)
        for score in ("brier_score", "log_loss")
    )
    before, after_parts = (_reliability(y_true, p, sample_weight) for p in (y_prob, after))
    return RecalibrationEffect(brier, log, before, after_parts)


def _reliability(y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None) -> CorpDecomposition:
    valid = probability_cases(y_true, y_prob, sample_weight)
    if valid.forecast.ndim == 1:
        return corp_decomposition(y_true, y_prob, sample_weight=sample_weight)
    top = top_label(valid.observed, valid.forecast)
    return corp_decomposition(top.correct, top.confidence, sample_weight=valid.weight)


def _probabilities(y_prob: ArrayLike) -> Floats:
    p = numbers(y_prob, "y_prob", squeeze=False)
    inside = within_unit(p)
    if inside is None:
        raise DataError(f"`y_prob` must hold probabilities from 0 to 1, got {np.nanmin(p):g} to {np.nanmax(p):g}")
    return inside


def _log_odds(p: Floats) -> Floats:
    clipped = np.clip(p, _TINY, 1 - _TINY)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _sigmoid(z: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(z))
