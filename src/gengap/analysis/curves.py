"""Learning curves: the mean over seeds with the 95 % interval of that mean, and every seed beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gengap.errors import UnknownNameError
from gengap.naming import did_you_mean

if TYPE_CHECKING:
    from gengap.results import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of one variant.

    Attributes:
        variant: Name of the variant.
        name: Name of the curve in `Result.history`, for example `"val_score"`.
        epoch: Epochs from 1, shape `(epochs,)`.
        seeds: The curve of every run, shape `(seeds, epochs)`; NaN where a run was not trained.
        mean: Mean over the runs that reached the epoch, shape `(epochs,)`.
        low: Lower end of the pointwise 95 % interval of the mean (Student's t over seeds); NaN for a single seed.
        high: Its upper end.
    """

    variant: str
    name: str
    epoch: NDArray[np.int64]
    seeds: Floats
    mean: Floats
    low: Floats
    high: Floats


def learning_curve(result: "Result", variant: str, name: str, *, level: float = 0.95) -> Curve:
    """Return one curve of one variant with the pointwise interval of its mean over seeds.

    The interval is Student's t, since a bootstrap over few seeds is too narrow (coverage .85-.89 for 6-10 seeds). It
    speaks for new seeds on these data, epoch by epoch, not for the whole curve at once.

    Args:
        result: The result.
        variant: Name of the variant.
        name: Name of the curve in `result.history`.
        level: Confidence level of the interval.

    Raises:
        UnknownNameError: There is no such variant or curve.
    """
    if name not in result.history:
        raise UnknownNameError(
            f"There is no curve {name!r}{did_you_mean(name, result.history.data_vars)}; curves are "
            f"{', '.join(map(str, result.history.data_vars))}."
        )
    if variant not in result.variants:
        near = did_you_mean(variant, result.variants)
        raise UnknownNameError(f"There is no variant {variant!r}{near}; variants are {', '.join(result.variants)}.")
    values = result.history[name].sel(variant=variant).transpose("seed", "epoch").to_numpy().astype(np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    reached = np.isfinite(values).sum(axis=0)
    total = np.nansum(values, axis=0)
    mean = np.divide(total, reached, out=np.full(len(total), np.nan), where=reached > 0)
    squares = np.nansum((values - mean) ** 2, axis=0)
    free = np.maximum(reached - 1, 1)
    standard_error = np.sqrt(squares / free / np.maximum(reached, 1))
    half = np.where(reached > 1, stats.t.ppf((1 + level) / 2, free) * standard_error, np.nan)
    epoch = result.history["epoch"].to_numpy().astype(np.int64)
    return Curve(variant, name, epoch, values, mean, mean - half, mean + half)


def learning_curves(result: "Result", name: str, variants: Sequence[str] | None = None) -> tuple[Curve, ...]:
    """Return one curve for each of the chosen variants; all of them by default."""
    return tuple(learning_curve(result, variant, name) for variant in variants or result.variants)


def stopping_epochs(curves: Floats, *, patience: int, min_delta: float = 0.0) -> tuple[Floats, Floats]:
    """Return where Keras' `EarlyStopping(patience, min_delta)` would have stopped, and the best epoch up to there.

    Args:
        curves: Held-out score, smaller is better, shape `(seeds, epochs)`; NaN after the end of a run.
        patience: Epochs without improvement after which a run stops.
        min_delta: Improvements of this size or less do not count.

    Returns:
        Epoch of stopping and epoch of the best score until then, from 1, shape `(seeds,)` each.

    Example:
        >>> stopping_epochs(np.array([[3.0, 1.0, 2.0, 2.0, 0.5]]), patience=2)
        (array([4]), array([2]))
    """
    stops, bests = [], []
    for curve in curves:
        trained = curve[np.isfinite(curve)]
        reference, waited, stop = np.inf, 0, len(trained)
        for epoch, score in enumerate(trained, start=1):
            if score + min_delta < reference:  # in the order of Keras, whose rounding then is ours
                reference, waited = score, 0
                continue
            waited += 1
            if waited >= patience:
                stop = epoch
                break
        stops.append(stop)
        bests.append(int(np.argmin(trained[:stop])) + 1 if stop else 0)
    return np.array(stops), np.array(bests)
