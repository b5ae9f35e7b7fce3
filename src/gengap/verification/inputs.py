"""What every score accepts, and the one rule for missing values.

A case without an observation (`y_true` is NaN) or with weight 0 is left out: nothing can be said about it. A NaN
*forecast* of an observed case is an error, not a reason to look away: a model that fails on hard cases would else
be rewarded for it. So is an infinite one, except where only the order of the forecasts counts (AUC, ROC, ranks) or an
interval has an open end. Trailing axes of length 1, as Keras' `predict` returns them, are dropped.

What a masked array hides is missing, as NaN is.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.errors import DataError
from gengap.verification.plain import codes_of, missing, numbers, plain

Floats = NDArray[np.float64]


class Cases(NamedTuple):
    """Validated cases: observations, forecasts and weights, float64, and which of the given cases they are.

    Attributes:
        observed: Observations, shape `(n,)`.
        forecast: Forecasts, shape `(n,)` or `(n, labels)` or `(n, members)`.
        weight: Weights, shape `(n,)`, all positive.
        kept: Which of the cases given were kept, shape `(cases given,)`, bool; None for all.
    """

    observed: Floats
    forecast: Floats
    weight: Floats
    kept: NDArray[np.bool_] | None

    def keep(self, values: ArrayLike, name: str) -> NDArray[Any]:
        """Return the labels of the kept cases from an array over the cases given, such as `groups`.

        Raises:
            DataError: There is not one label for each case, or one of a kept case is missing.
        """
        # a list of 1 and "1" would become text, and two groups one
        array = np.asarray(plain(values), dtype=object if isinstance(values, list | tuple) else None)
        given = len(self.observed) if self.kept is None else len(self.kept)
        if array.shape != (given,):
            raise DataError(f"`{name}` must have shape ({given},), one entry per case, got {array.shape}")
        labels = array if self.kept is None else array[self.kept]
        if lacking := int(np.sum(missing(labels))):
            raise DataError(
                f"`{name}` lack the label of {lacking} case{'s' * (lacking != 1)} (NaN, None or masked): cases without "
                "one would count as one group; give each a label, or leave these cases out"
            )
        return codes_of(labels) if labels.dtype == object else labels


def _weights(sample_weight: ArrayLike | None, n: int) -> Floats:
    if sample_weight is None:
        return np.ones(n)
    weight = numbers(sample_weight, "sample_weight")
    if weight.shape != (n,):
        raise DataError(f"`sample_weight` must have shape ({n},), one weight per case, got {weight.shape}")
    if not np.all(weight >= 0) or np.isinf(weight).any():
        raise DataError("`sample_weight` must be finite and not negative; give 0 to leave a case out")
    return weight


def cases(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    axes: int = 1,
    infinite: bool = False,
    name: str = "y_true",
) -> Cases:
    """Validate observations and forecasts and apply the rule for missing values.

    Args:
        y_true: Observations, shape `(n,)`; NaN where missing.
        y_pred: Forecasts, shape `(n,)` or, for `axes=2`, `(n, m)`.
        sample_weight: Weights, shape `(n,)`, or None for equal weights.
        axes: How many axes a forecast array must have.
        infinite: Whether forecasts may be infinite.
        name: What the first argument is called in messages.

    Raises:
        DataError: Shapes differ, nothing is left, or a forecast of an observed case is missing or infinite.
    """
    observed = numbers(y_true, name)
    forecast = numbers(y_pred, "the forecasts", squeeze=axes == 1)
    if observed.ndim != 1 or forecast.ndim != axes or len(observed) != len(forecast):
        wanted = "(n,)" if axes == 1 else "(n, m)"
        raise DataError(
            f"`{name}` must have shape (n,) and the forecasts shape {wanted} with the same n, "
            f"got {observed.shape} and {forecast.shape}"
        )
    weight = _weights(sample_weight, len(observed))
    kept = ~np.isnan(observed) & (weight > 0)
    everything = bool(kept.all())
    if not everything:
        observed, forecast, weight = observed[kept], forecast[kept], weight[kept]
    if not len(observed):
        raise DataError("no case is left: every observation is missing or has weight 0, or there was none")
    if np.isinf(observed).any():
        raise DataError(f"`{name}` must be finite, got {observed[np.isinf(observed)][0]}; NaN marks what is missing")
    for what, wrong in (("NaN", np.isnan), ("infinite", np.isinf)):
        if not (infinite and wrong is np.isinf) and (strange := wrong(forecast)).any():
            count = int(strange.reshape(len(forecast), -1).any(axis=1).sum())
            raise DataError(
                f"the forecasts of {count} observed cases are {what}; leave these cases out on purpose or mend them"
            )
    return Cases(observed, forecast, weight, None if everything else kept)


def spread_cases(
    y_true: ArrayLike, y_pred: ArrayLike, spread: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[Cases, Floats]:
    """Validate central forecasts with their spread, one for each case or one for all; return cases and spreads.

    Raises:
        DataError: As `cases`; or a spread is negative, or has another shape.
    """
    centre, width = numbers(y_pred, "y_pred"), numbers(spread, "spread")
    if width.shape not in {(), centre.shape}:
        raise DataError(f"`spread` must be one number or have shape {centre.shape} as `y_pred`, got {width.shape}")
    both = np.stack([centre, np.broadcast_to(width, centre.shape)], axis=-1)
    valid = cases(y_true, both, sample_weight, axes=2)
    if (valid.forecast[:, 1] < 0).any():
        raise DataError(f"`spread` must not be negative, got {valid.forecast[:, 1].min():g}")
    return valid._replace(forecast=valid.forecast[:, 0]), valid.forecast[:, 1]


def binary_cases(y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None = None) -> Cases:
    """Validate 0/1 observations and probabilities of label 1.

    Raises:
        DataError: As `cases`; or an observation is not 0 or 1; or a probability lies outside 0 to 1.
    """
    valid = label_cases(y_true, y_prob, sample_weight)
    low, high = float(valid.forecast.min()), float(valid.forecast.max())
    inside = within_unit(valid.forecast)
    if inside is None:
        raise DataError(
            f"`y_prob` must hold probabilities from 0 to 1, got values from {low:g} to {high:g}; {_advice(low, high)}"
        )
    return valid._replace(forecast=inside)


def within_unit(probabilities: Floats) -> Floats | None:
    """Return probabilities within 0 to 1, those a rounding beyond it set to its end; None where some are further off.

    Args:
        probabilities: Probabilities of any shape; NaN stays NaN.
    """
    with np.errstate(invalid="ignore"):
        beyond = float(
            np.max(np.maximum(-probabilities, probabilities - 1), initial=0.0, where=~np.isnan(probabilities))
        )
    if beyond == 0.0:
        return probabilities
    return probabilities.clip(0, 1) if beyond <= _rounding(probabilities) else None


def label_cases(y_true: ArrayLike, y_score: ArrayLike, sample_weight: ArrayLike | None = None) -> Cases:
    """Validate 0/1 observations and real-valued forecasts whose order alone matters.

    Raises:
        DataError: As `cases`; or an observation is not 0 or 1.
    """
    valid = cases(y_true, y_score, sample_weight, infinite=True)
    if not ((valid.observed == 0) | (valid.observed == 1)).all():
        strange = valid.observed[(valid.observed != 0) & (valid.observed != 1)][0]
        raise DataError(f"`y_true` must hold 0 and 1 (1: the event happened), got {strange:g}")
    return valid


def multiclass_cases(y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None = None) -> Cases:
    """Validate integer label codes and one probability per label.

    Raises:
        DataError: As `cases`; or a code has no column; or a row is not a probability distribution (tolerance 1e-3,
            which half-precision predictions meet).
    """
    valid = cases(y_true, y_prob, sample_weight, axes=2, infinite=True)
    labels = valid.forecast.shape[1]
    if not np.isin(valid.observed, np.arange(labels)).all():
        raise DataError(f"`y_true` must hold the codes 0 to {labels - 1}, one per column of `y_prob`")
    sums = valid.forecast.sum(axis=1)
    low, off = float(valid.forecast.min()), float(np.abs(sums - 1).max())
    if low >= 0 and off <= 1e-3:
        return valid
    rounding = _rounding(valid.forecast)
    if low < -rounding or not off <= max(1e-3, rounding):
        raise DataError(
            "each row of `y_prob` must be a probability distribution over the labels, got a smallest entry of "
            f"{low:g} and sums from {sums.min():g} to {sums.max():g}; apply a softmax to logits first"
        )
    return valid._replace(forecast=valid.forecast.clip(min=0))


def _rounding(forecast: Floats) -> float:
    """Return how far probabilities may leave 0 to 1 by rounding alone, as coarse as the numbers themselves are.

    Numbers that all fit into the eight bits of bfloat16, or the eleven of half precision, were computed in it.
    """
    with np.errstate(over="ignore"):
        single, half = forecast.astype(np.float32), forecast.astype(np.float16).astype(np.float64)
    if (
        np.array_equal(single, forecast, equal_nan=True)
        and not (np.ascontiguousarray(single).view(np.uint32) & 0xFFFF).any()
    ):
        return 4 * 2.0**-8
    return 4 * 2.0**-11 if np.array_equal(half, forecast, equal_nan=True) else 1e-6


def _advice(low: float, high: float) -> str:
    if low >= 0 and 1 < high <= 100:
        return "divide percentages by 100, or apply a sigmoid to logits first"
    return "apply a sigmoid to logits first"
