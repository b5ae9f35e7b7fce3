"""References in a resampled study: fitted in every fold as networks are, then put together as forecasts of a pass."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.analysis.cases import CaseScore
from gengap.datasets.folds import Fold, Rows, fold_seed
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.resampling import Folds
from gengap.engine.runs import Array
from gengap.study.references import FittedReference, fit_references

if TYPE_CHECKING:
    from gengap.study.training import Training


def references_of(
    training: "Training", given: Sequence[tuple[str, Any]], kind: OutputKind, *, seeds: Sequence[int], score: CaseScore
) -> tuple[FittedReference, ...]:
    """Fit the references of a study on what its networks learn from: the training split, or that of every fold.

    In a fold a reference chooses its strength on the fold's inner validation, takes the inputs that `preprocess` made
    of the fold's own statistics, and, where it draws, the fold's seed.

    Args:
        training: The study.
        given: What `check_references` returned.
        kind: How the networks' output is read.
        seeds: Seeds of the study; with folds, those that it has divisions of.
        score: The common score.

    Raises:
        DataError: A reference cannot be fitted on these data, or does not give forecasts.
    """
    if training.folds is None:
        return fit_references(given, training.data, kind, seeds=seeds, score=score)
    folds, runs = training.folds, {run.seed: run for run in training.runs}
    # where all seeds share one division, what does not draw is fitted once for all of them
    shared = [[seed] for seed in seeds] if folds.divider.redrawn else [list(seeds)]
    fitted: dict[tuple[int, int], tuple[FittedReference, ...]] = {}
    for together in shared:
        for place in range(len(folds.divisions[together[0]].folds)):
            own = [fold_seed(seed, place) for seed in together]
            data = training.data.of(runs[own[0]].fold)
            fitted[together[0], place] = fit_references(given, data, kind, seeds=own, score=score)
    parts = list(folds.held_out().held_out())
    return tuple(_joined(at, fitted, shared, folds, parts) for at in range(len(given)))


def _joined(
    at: int,
    fitted: dict[tuple[int, int], tuple[FittedReference, ...]],
    shared: Sequence[Sequence[int]],
    folds: Folds,
    parts: Sequence[str],
) -> FittedReference:
    """Put the fits of one reference together: every held-out case from the fold that has not seen it."""
    own = {key: every[at] for key, every in fitted.items()}
    first = next(iter(own.values()))

    def of_part(part: str) -> Array:
        rows = [
            _placed([own[key] for key in own if key[0] == one[0]], folds.divisions[one[0]].folds, folds.tested, part)
            for one in shared
        ]
        return np.concatenate(rows)

    return FittedReference(
        first.name,
        {part: of_part(part) for part in parts},
        first.parameters,
        sum(one.seconds for one in own.values()) / len(shared),
        {
            **first.said,
            "chosen": _chosen([str(one.said["chosen"]) for one in own.values()]),
            "varies_with_seed": folds.divider.redrawn or any(one.said["varies_with_seed"] for one in own.values()),
        },
    )


def _placed(fits: Sequence[FittedReference], folds: Sequence[Fold], tested: Rows, part: str) -> Array:
    """Put the forecasts of the folds of a division where their cases stand, shape `(seeds, n[, labels])`."""
    found = [one.forecasts[part] for one in fits]
    whole = np.full((found[0].shape[0], len(tested), *found[0].shape[2:]), np.nan, found[0].dtype)
    for forecast, fold in zip(found, folds, strict=True):
        whole[:, np.searchsorted(tested, fold.rows(part))] = forecast
    return whole


def _chosen(said: Sequence[str]) -> str:
    """Say what was chosen in how many folds; each sentence begins with the value, as in `C=0.1 of 6 values`."""
    counted = Counter(one.partition(" of ")[0] for one in said if one)
    told = ", ".join(f"{value} in {count} folds" for value, count in sorted(counted.items()))
    return f"{told}, by each fold's own validation score" if told else ""
