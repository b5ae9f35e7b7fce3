"""Nested cross-validation: every fold chooses its own trial, and is judged on cases that no choice of it has seen."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gengap.engine.runs import Run
from gengap.errors import DataError
from gengap.remedies.base import Model
from gengap.remedies.catalogue import remedy
from gengap.results import Result
from gengap.searching.trials import Trial
from gengap.searching.trying import Trying
from gengap.study import Study
from gengap.study.rounds import Judging
from gengap.study.variants import run_of

SEARCHED = "searched"
"""Name of the variant whose strengths each fold chose for itself."""


def judged_in_folds(
    trying: Trying,
    model: Model,
    judge: Mapping[str, Any],
    fit: Mapping[str, Any],
    *,
    storage: Path | None,
    progress: bool,
    judging: Judging,
) -> tuple[Result, str, dict[str, Any]]:
    """Train in every fold what it chose by its own inner validation, with fresh seeds, beside the model as it is.

    Args:
        trying: The trials, drawn without looking.
        model: The model as it was given.
        judge: Arguments of the study that judges.
        fit: Arguments of `Study.run`, with `cv`.
        storage: Folder that keeps the runs.
        progress: Whether to show how far it is.
        judging: Trains the study.

    Returns:
        The result, the name of its searched variant, and what the search's account adds: the choice of every fold.
    """
    untreated = trying.study.variants[0]
    chosen = [chosen_in_fold(trying.trials, fold) for fold in range(trying.rounds.num_folds)]
    variants = [remedy(one.remedy).treat(untreated) if one.remedy else untreated for one in chosen]
    pair = {untreated.name: model, SEARCHED: variants[0].model}
    study = Study(pair, primary_epoch=trying.study.primary_epoch, storage=storage, **judge)

    def own(run: Run, fold: int) -> Run:
        if run.variant != SEARCHED:
            return run
        return replace(run_of(variants[fold], run.seed), variant=run.variant, fold=run.fold)

    result = judging(study, {**fit, "progress": progress}, own)
    told = {name: dict(facts) for name, facts in result.manifest["variants"].items()}
    told[SEARCHED] |= {"model": None, "summary": "", "remedy": ""}  # every fold has its own
    bare = replace(result, manifest={**result.manifest, "variants": told}, weights={})
    return bare, SEARCHED, {"folds": [one.remedy for one in chosen]}


def chosen_in_fold(trials: list[Trial], fold: int) -> Trial:
    """Return the trial of best inner validation in one fold.

    Raises:
        DataError: None was trained to the end.
    """
    whole = [one for one in trials if one.state == "complete"]
    if not whole:
        raise DataError("No trial was trained to the end in all folds: narrow the space.")
    return min(whole, key=lambda one: (one.of_folds[fold], one.number))
