"""What each single case costs: the terms whose mean is a score, for paired comparisons and for looking at cases.

All are negatively oriented (0 is perfect), float64, shape `(n,)`, and NaN where the observation is missing.
Forecasts are not checked here; the mean scores do that.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.errors import DataError
from gengap.verification.inputs import Floats
from gengap.verification.plain import plain


def _column(values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(plain(values))
    return array[..., 0] if array.ndim > 1 and array.shape[-1] == 1 else array


def _real(values: ArrayLike) -> Floats:
    return np.asarray(plain(values), dtype=np.float64)


def epsilon_of(y_prob: ArrayLike) -> float:
    """Return the machine epsilon of the forecasts' own dtype (of float64 for whole numbers and lists)."""
    dtype = np.asarray(plain(y_prob)).dtype
    return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)


def _codes(observed: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    codes = _real(observed)
    missing = np.isnan(codes)
    return np.where(missing, 0, codes).astype(np.int64), missing


def case_brier_scores(y_true: ArrayLike, y_prob: ArrayLike) -> Floats:
    r"""Brier score of each case: $(p - o)^2$, or $\sum_k (p_k - o_k)^2$ over the labels of a multiclass task.

    Args:
        y_true: 0/1, or integer codes, shape `(n,)`.
        y_prob: Probability of label 1, shape `(n,)`, or of each label, shape `(n, labels)`.

    Returns:
        Scores, shape `(n,)`; from 0 to 1, or to 2 for several labels.

    Example:
        >>> case_brier_scores([0, 1], [0.2, 0.2])
        array([0.04, 0.64])
        >>> case_brier_scores([0, 2], [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
        array([0. , 1.5])
    """
    p = _column(y_prob).astype(np.float64)
    if p.ndim == 1:
        return np.asarray(np.square(p - _real(y_true).reshape(-1)))
    codes, missing = _codes(y_true)
    scores = np.square(p).sum(axis=1) + 1 - 2 * p[np.arange(len(p)), codes]
    return np.where(missing, np.nan, scores)


def case_log_losses(y_true: ArrayLike, y_prob: ArrayLike, *, epsilon: float | None = None) -> Floats:
    r"""Logarithmic score of each case in nats: $-\log$ of the probability given to what happened.

    Probabilities are clipped at the machine epsilon of their own dtype (2.2e-16 for float64, 1.2e-7 for float32), as
    scikit-learn does, so that one certain miss costs much, but not infinity. This is the only place that clips: every
    log loss of the package comes from here.

    Args:
        y_true: 0/1, or integer codes, shape `(n,)`.
        y_prob: Probability of label 1, shape `(n,)`, or of each label, shape `(n, labels)`.
        epsilon: How far from 0 and 1 probabilities are kept; None for the epsilon of `y_prob`. A reference forecast
            takes that of the forecasts beside it, so that one certain miss costs both the same.

    Returns:
        Losses, shape `(n,)`, from 0 upwards.

    Example:
        >>> case_log_losses([1, 0], [0.5, 0.75]).round(3)
        array([0.693, 1.386])
    """
    tiny = epsilon_of(y_prob) if epsilon is None else epsilon
    p = np.clip(_column(y_prob).astype(np.float64), tiny, 1 - tiny)
    if p.ndim == 1:
        o = _real(y_true).reshape(-1)
        return np.where(np.isnan(o), np.nan, -np.log(np.where(o == 1, p, 1 - p)))
    codes, missing = _codes(y_true)
    return np.where(missing, np.nan, -np.log(p[np.arange(len(p)), codes]))


def case_ranked_probability_scores(y_true: ArrayLike, y_prob: ArrayLike) -> Floats:
    r"""Ranked probability score of each case: $\sum_{k=1}^{K-1} (P_k - O_k)^2$ over cumulative probabilities.

    For ordered labels: probability on a neighbour of what happened costs less than on a distant label. With two
    labels it is the Brier score of label 1.

    Args:
        y_true: Integer codes in the order of the labels, shape `(n,)`.
        y_prob: Probability of each label, shape `(n, labels)`.

    Returns:
        Scores, shape `(n,)`, from 0 to `labels - 1`.

    Example:
        >>> case_ranked_probability_scores([0, 0], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        array([1., 2.])
    """
    p = _real(y_prob)
    codes, missing = _codes(y_true)
    happened = np.arange(p.shape[1] - 1) >= codes[:, None]
    scores = np.square(np.cumsum(p, axis=1)[:, :-1] - happened).sum(axis=1)
    return np.where(missing, np.nan, scores)


def case_squared_errors(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Squared error of each case, in squared units of `y_true`; the mean over targets where there are several.

    Args:
        y_true: Observations, shape `(n,)` or `(n, targets)`.
        y_pred: Forecasts, same shape.

    Example:
        >>> case_squared_errors([1.0, 2.0], [1.5, 0.0])
        array([0.25, 4.  ])
    """
    error = np.square(_difference(y_true, y_pred))
    return error if error.ndim == 1 else error.mean(axis=1)


def case_absolute_errors(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Absolute error of each case, in units of `y_true`; the mean over targets where there are several.

    Args:
        y_true: Observations, shape `(n,)` or `(n, targets)`.
        y_pred: Forecasts, same shape.

    Example:
        >>> case_absolute_errors([1.0, 2.0], [1.5, 0.0])
        array([0.5, 2. ])
    """
    error = np.abs(_difference(y_true, y_pred))
    return error if error.ndim == 1 else error.mean(axis=1)


def case_quantile_scores(y_true: ArrayLike, y_pred: ArrayLike, *, quantile: float) -> Floats:
    r"""Quantile (pinball) score of each case: $(\mathbb 1\{y \le q\} - \tau)(q - y)$, in units of `y_true`.

    Args:
        y_true: Observations, shape `(n,)`.
        y_pred: Forecasts of the quantile, shape `(n,)`.
        quantile: Its level $\tau$, between 0 and 1.

    Raises:
        ValueError: `quantile` is not between 0 and 1.

    Example:
        >>> case_quantile_scores([3.0, 3.0], [1.0, 5.0], quantile=0.9)
        array([1.8, 0.2])
    """
    if not 0 < quantile < 1:
        raise ValueError(f"`quantile` must lie between 0 and 1, got {quantile}")
    error = _difference(y_true, y_pred)
    return np.maximum(quantile * error, (quantile - 1) * error)


def case_interval_scores(y_true: ArrayLike, y_interval: ArrayLike, *, coverage: float = 0.9) -> Floats:
    r"""Interval score of each case: the interval's width, plus $2/\alpha$ times the distance of a miss.

    $$\mathrm{IS} = (u - l) + \tfrac{2}{\alpha}(l - y)_+ + \tfrac{2}{\alpha}(y - u)_+,
    \quad \alpha = 1 - \text{coverage}$$

    Args:
        y_true: Observations, shape `(n,)`.
        y_interval: Lower and upper end, shape `(n, 2)`.
        coverage: Nominal coverage of the central interval.

    Raises:
        ValueError: `coverage` is not between 0 and 1.

    Example:
        >>> case_interval_scores([1.0, 3.0], [[0.0, 2.0], [0.0, 2.0]], coverage=0.9)
        array([ 2., 22.])
    """
    if not 0 < coverage < 1:
        raise ValueError(f"`coverage` must lie between 0 and 1, got {coverage}")
    low, high = np.moveaxis(_real(y_interval), -1, 0)
    y = _real(y_true)
    miss = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return np.asarray(high - low + 2 / (1 - coverage) * miss)


def _difference(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    observed, forecast = _column(y_true).astype(np.float64), _column(y_pred).astype(np.float64)
    if observed.shape != forecast.shape and observed.ndim and forecast.ndim:
        raise DataError(f"`y_true` and `y_pred` must have the same shape, got {observed.shape} and {forecast.shape}")
    return np.asarray(observed - forecast)
