"""Curves of the runs of folds, read off the forecasts that a resampled study kept of every epoch."""

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import CaseScore, Floats, HeldOut, Part, held_out
from gengap.errors import DataError
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

Rows = NDArray[np.int64]


def has_fold_curves(result: "Result", part: Part) -> bool:
    """Whether the scores of every fold's run on a split are known for every epoch."""
    data = result.validation if part == "validation" else result.test
    return resampling_of(result) is not None and {"prediction_epochs", "fold"} <= set(data.variables)


def folds_of(held: HeldOut) -> Rows:
    """Which fold's run forecast a case in every pass, shape `(seeds, n)`."""
    return cast("Rows", held.data["fold"].transpose("seed", "sample").to_numpy())


def fold_curves(result: "Result", part: Part, variant: str) -> Floats:
    """Score of every fold's run on its own cases of a split after every epoch, shape `(seeds, folds, epochs)`.

    The curves of a pass reach as far as all its folds do; NaN after that, and where a fold has no cases left.

    Args:
        result: A resampled result.
        part: `"validation"` are the inner validations, which choose epochs, `"test"` the cases not seen.
        variant: Name of the variant.

    Raises:
        DataError: The result does not hold the forecasts of every epoch.
    """
    held, resampled = held_out(result, part), resampling_of(result)
    if held is None or resampled is None or not has_fold_curves(result, part):
        raise DataError(
            f"Curves of single folds are read off {part} forecasts of every epoch, and this resampled result holds "
            "none: let `cv` be a number of folds from 3 on, and the study small enough to keep them."
        )
    every = held.data["prediction_epochs"].sel(variant=variant).transpose("seed", "epoch", "sample", ...).to_numpy()
    score, folds = cast("CaseScore", result.score), folds_of(held)
    found = np.full((len(every), resampled.folds, every.shape[1]), np.nan)
    weight = np.ones(len(held)) if held.weight is None else held.weight
    for epoch in range(every.shape[1]):
        values = held.scores(every[:, epoch], score=score)
        for row, own in enumerate(folds):
            sums, total = (
                np.bincount(own, weights=one, minlength=resampled.folds) for one in (weight * values[row], weight)
            )
            found[row, :, epoch] = np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0)
    return found


def at_fold_epochs(every: NDArray[np.float64], epochs: Rows, folds: Rows) -> NDArray[np.float64]:
    """Forecasts of every case at an epoch of its own fold.

    Args:
        every: Forecasts of every epoch, shape `(seeds, epochs, n, ...)`.
        epochs: Epochs from 1 of every fold, shape `(seeds, folds)`; 0 for none, which gives NaN.
        folds: Which fold a case is of, shape `(seeds, n)`.

    Returns:
        Shape `(seeds, n, ...)`.
    """
    at = np.take_along_axis(epochs, folds, axis=1)
    rows, cases = np.ogrid[: folds.shape[0], : folds.shape[1]]
    found: Floats = every[rows, np.maximum(at, 1) - 1, cases].astype(np.float64)
    found[at == 0] = np.nan
    return found
