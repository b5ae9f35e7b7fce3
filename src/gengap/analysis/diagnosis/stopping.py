"""Early stopping, computed afterwards from stored curves, for any patience and threshold."""

from typing import TYPE_CHECKING

import numpy as np

from gengap.analysis.cases import Floats, networks
from gengap.analysis.claims import given_of
from gengap.analysis.curves import stopping_epochs
from gengap.analysis.run_curves import choosing_curves, curves_on_test, has_test_curves
from gengap.analysis.tables import AS_UNCERTAIN, Column, Spread, Table
from gengap.errors import DataError
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result


def early_stopping(result: "Result", *, patience: int, min_delta: float = 0.0) -> Table:
    """Table of what early stopping would have done to every variant, beside the last epoch.

    Epochs are chosen on validation. Test scores at those epochs come from the predictions that were stored for every
    epoch; without them, or without a test split, validation scores are shown, which chose the
    epoch themselves. In a resampled study the run of every fold stops by itself, on its inner validation, and is read
    on the cases that it has not seen.

    Args:
        result: A result with held-out curves.
        patience: Epochs without improvement after which a run would have stopped.
        min_delta: Improvements of this size or less do not count.

    Returns:
        A table with the columns `variant`, `stopped`, `best`, `score`, `score_last` and `saved`.

    Raises:
        DataError: There are no held-out curves; of a resampled study, forecasts of every epoch are not kept.
        ValueError: `patience` is not positive.

    References:
        Prechelt, L. (1998). Early stopping, but when? In Neural Networks: Tricks of the Trade. Springer.
        doi 10.1007/3-540-49430-8_3
    """
    check_is_result(result, "early_stopping")
    if not isinstance(patience, int | np.integer) or isinstance(patience, bool) or patience < 1:
        raise ValueError(f"`patience` must be a whole number of epochs, at least 1; received {patience!r}.")
    result = networks(result)
    if "val_score" not in result.history or not result.history.sizes["epoch"]:
        raise DataError("Early stopping needs held-out curves: run the study with validation data.")
    on_test, runs = has_test_curves(result), "seeds" if resampling_of(result) is None else "the runs of all folds"
    rows = []
    for variant in result.variants:
        curves = choosing_curves(result, variant)
        stops, bests = stopping_epochs(curves, patience=patience, min_delta=min_delta)
        trained = np.isfinite(curves).sum(axis=1)
        scores = curves_on_test(result, variant) if on_test else curves
        at = [_at(scores, bests), _at(scores, trained)]
        rows.append((variant, stops, bests, *at, 1 - stops / np.maximum(trained, 1)))
    lowest = [min(rows, key=lambda row: float(np.nanmean(row[place])))[0] for place in (3, 4)]
    part = "test" if on_test else "validation"
    columns = (
        Column("variant", "variant"),
        Column("stopped", "stops at epoch", ".1f"),
        Column("best", "best epoch", ".1f", spare=2),
        Column("score", f"{part} {result.score.replace('_', ' ')} there", AS_UNCERTAIN, spare=0),
        Column("score_last", "at the last epoch", AS_UNCERTAIN, spare=0),
        Column("saved", "epochs saved", ".0%"),
    )
    cells = tuple(
        (name, _spread(stops), _spread(bests), _spread(score), _spread(last), float(np.mean(saved)))
        for name, stops, bests, score, last, saved in rows
    )
    notes = (
        f"Lowest mean: {lowest[0]} with stopping, {lowest[1]} at the last epoch.",
        f"These are means over {runs} and no verdicts: compare() says which differences are established.",
    )
    given = given_of(result, new_cases=False)
    title = f"Early stopping in hindsight, patience {patience}, min_delta {min_delta:g}, {given}"
    return Table(title, columns, cells, notes)


def _at(curves: Floats, epochs: Floats) -> Floats:
    return np.array(
        [curve[epoch - 1] if epoch else np.nan for curve, epoch in zip(curves, epochs.astype(int), strict=True)]
    )


def _spread(values: Floats) -> Spread:
    return Spread(float(np.nanmean(values)), float(np.nanstd(values, ddof=1)) if len(values) > 1 else float("nan"))
