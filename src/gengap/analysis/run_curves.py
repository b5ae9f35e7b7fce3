"""Curves of single runs: those of seeds, or of folds, which are read off the forecasts kept of every epoch."""

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import CaseScore, Floats, HeldOut, Part, held_out
from gengap.errors import DataError
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

Rows = NDArray[np.int64]


def has_test_curves(result: "Result") -> bool:
    """Whether test scores of every epoch can be computed: predictions were stored for all of them."""
    if resampling_of(result) is not None:
        return has_fold_curves(result, "test")
    return held_out(result, "test") is not None and "prediction_epochs" in result.test


def choosing_curves(result: "Result", variant: str) -> Floats:
    """Validation score after every epoch of every run, those of folds one by one, shape `(runs, epochs)`.

    Raises:
        DataError: The result is resampled and does not hold inner validations of every epoch.
    """
    if resampling_of(result) is not None:
        curves = fold_curves(result, "validation", variant)
        return curves.reshape(-1, curves.shape[-1])
    return result.history["val_score"].sel(variant=variant).transpose("seed", "epoch").to_numpy().astype(np.float64)


def curves_on_test(result: "Result", variant: str) -> Floats:
    """Score on the test split after every epoch of every run, shape `(runs, epochs)`; NaN where a run had ended.

    Raises:
        DataError: The result holds no test predictions of every epoch.
    """
    held = held_out(result, "test")
    if held is None or not has_test_curves(result):
        raise DataError("Test scores of every epoch need stored predictions of every epoch; this result has none.")
    if resampling_of(result) is not None:
        curves = fold_curves(result, "test", variant)
        return curves.reshape(-1, curves.shape[-1])
    every = held.data["prediction_epochs"].sel(variant=variant).transpose("seed", "epoch", "sample", ...).to_numpy()
    score = cast("CaseScore", result.score)
    by_epoch = [held.scores(every[:, epoch], score=score) for epoch in range(every.shape[1])]
    return np.stack([np.average(scores, axis=-1, weights=held.weight) for scores in by_epoch], axis=1)


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
