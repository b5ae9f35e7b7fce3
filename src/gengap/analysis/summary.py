"""The table of variants: score, skill, gap, size and time, at the best and at the last epoch."""

from typing import TYPE_CHECKING, cast

import numpy as np

from gengap.analysis.cases import (
    CASE_SCORES,
    EpochRule,
    Floats,
    HeldOut,
    Part,
    held_out,
    is_reference,
)
from gengap.analysis.climatology import SKILL_OF, climatology_scores
from gengap.analysis.findings.wording import GIVEN
from gengap.analysis.tables import AS_UNCERTAIN, Cell, Column, Spread, Table
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

RULES: tuple[EpochRule, ...] = ("best", "last")
PARTS: tuple[Part, ...] = ("validation", "test")
SKILL_LABEL = {"brier_score": "Brier skill", "squared_error": "MSE skill"}


def summarize(result: "Result") -> Table:
    """Table of all variants: two rows each, at the best epoch (chosen on validation) and at the last.

    Scores are means over seeds with the standard deviation between seeds. Skill is one minus the Brier score (for
    regression: the mean squared error) over that of always predicting the training climatology: 1 is perfect, 0 is
    no better than the base rate. The gap is the held-out minus the training score at the same epoch, both without
    penalties and noise. A run that diverged counts in no mean; a note says so.

    Args:
        result: A study's result, or one from elsewhere; columns that it cannot fill are left out.

    Returns:
        A table with the columns `variant`, `rule`, `epoch`, `validation_score`, `validation_skill`, `test_score`,
        `test_skill`, `gap`, `parameters` and `seconds`.
    """
    score = str(result.manifest.get("score") or "log_loss")
    task = str(result.manifest.get("task") or "binary")
    skill = SKILL_LABEL[SKILL_OF[task]]
    columns = [Column("variant", "variant"), Column("rule", "at epoch", spare=0), Column("epoch", "epoch", ".1f")]
    for part in PARTS:
        columns.append(
            Column(f"{part}_score", f"{part} {score.replace('_', ' ')}", AS_UNCERTAIN, spare=int(part != "test"))
        )
        columns.append(Column(f"{part}_skill", f"{part} {skill}", AS_UNCERTAIN))
    columns += [
        Column("gap", "gap", AS_UNCERTAIN),
        Column("parameters", "parameters", ",d", spare=2),
        Column("seconds", "seconds", ".1f", spare=3),
    ]
    rows = [
        _row(result, variant, rule, columns)
        for variant in result.variants
        for rule in (RULES[:1] if is_reference(result, variant) else RULES)
    ]
    used = [index for index, _ in enumerate(columns) if any(row[index] is not None for row in rows)]
    return Table(
        title=_title(result),
        columns=tuple(columns[index] for index in used),
        rows=tuple(tuple(row[index] for index in used) for row in rows),
        notes=_notes(result, score),
    )


def _title(result: "Result") -> str:
    seeds, resampled = result.runs.sizes["seed"], resampling_of(result)
    number = f"{seeds} seed{'s' if seeds != 1 else ''}"
    if resampled is None:
        return f"{len(result.variants)} variants, {number} each (mean ± sd of seeds, {GIVEN})"
    how = "a division of its own each" if resampled.kind == "passes" else "all on one division"
    return (
        f"{len(result.variants)} variants, {resampled.folds} folds x {number}, {how} (mean ± sd of passes over all "
        f"{resampled.cases:,} cases; {resampled.sizes} training cases a fold)"
    )


def _row(result: "Result", variant: str, rule: EpochRule, columns: list[Column]) -> tuple[Cell, ...]:
    runs = result.runs.sel(variant=variant)
    epochs = runs["best_epoch" if rule == "best" else "epochs"].to_numpy().astype(float)
    cells: dict[str, Cell] = {"variant": variant, "rule": rule, "epoch": _spread(epochs)}
    if is_reference(result, variant):
        cells |= {"rule": None, "epoch": None}
    for part in PARTS:
        cells[f"{part}_score"] = _spread(_score(result, variant, rule, part))
        cells[f"{part}_skill"] = _spread(_skill(result, variant, rule, part))
    cells["gap"] = _spread(
        at_epoch(result, variant, "val_score", rule) - at_epoch(result, variant, "train_score", rule)
    )
    if "parameters" in runs:
        size = int(runs["parameters"].to_numpy().max())
        cells["parameters"] = None if is_reference(result, variant) and not size else size
    if "seconds" in runs:
        cells["seconds"] = _spread(runs["seconds"].to_numpy().astype(float))
    return tuple(cells.get(column.name) for column in columns)


def at_epoch(result: "Result", variant: str, name: str, rule: EpochRule) -> Floats:
    """Return a column of the history at each run's best or last epoch, shape `(seeds,)`; NaN where unknown."""
    seeds = result.runs.sizes["seed"]
    if name not in result.history or not result.history.sizes["epoch"]:
        return np.full(seeds, np.nan)
    curve = result.history[name].sel(variant=variant).transpose("seed", "epoch").to_numpy().astype(np.float64)
    counts = result.runs["best_epoch" if rule == "best" else "epochs"].sel(variant=variant).to_numpy()
    index = np.clip(np.nan_to_num(counts.astype(float), nan=1.0).astype(int) - 1, 0, curve.shape[1] - 1)
    return cast("Floats", curve[np.arange(seeds), index])


def _score(result: "Result", variant: str, rule: EpochRule, part: Part) -> Floats:
    """Score of each seed: from the stored predictions, else (validation only) from the history."""
    score = str(result.manifest.get("score") or "log_loss")
    held = held_out(result, part)
    if held is not None and score in CASE_SCORES:
        return _means(held, held.scores(held.predictions(variant, rule), score=score))
    if part == "validation":
        return at_epoch(result, variant, "val_score", rule)
    return np.full(result.runs.sizes["seed"], np.nan)


def _skill(result: "Result", variant: str, rule: EpochRule, part: Part) -> Floats:
    held = held_out(result, part)
    if held is None:
        return np.full(result.runs.sizes["seed"], np.nan)
    score = SKILL_OF[str(result.manifest.get("task") or "binary")]
    reference = _means(held, climatology_scores(result, held, score=score))
    if not (reference > 0).all():
        return np.full(result.runs.sizes["seed"], np.nan)
    return 1 - _means(held, held.scores(held.predictions(variant, rule), score=score)) / reference


def _means(held: HeldOut, scores: Floats) -> Floats:
    return cast("Floats", np.average(scores, axis=-1, weights=held.weight))


def _spread(values: Floats) -> Spread | None:
    kept = values[np.isfinite(values)]
    if not len(kept):
        return None
    return Spread(float(kept.mean()), float(kept.std(ddof=1)) if len(kept) > 1 else float("nan"))


def _chosen_on(result: "Result") -> str:
    """Say on which cases the best epoch was chosen, where there are epochs."""
    if resampling_of(result) is not None:
        return (
            "Best epoch: chosen by each fold on its inner validation, where predictions are read; the epoch shown, and "
            "the gap at it, are those of the mean curve of the folds."
        )
    if "val_score" in result.history:
        return "Best epoch: chosen on validation."
    if not result.history.sizes["epoch"]:
        return ""
    without = "There is no validation split, so the best epoch is the last."
    held = any(held_out(result, part) is not None for part in PARTS)
    return without if held else f"{without} Nothing was held out, so no score tells how good a variant is."


def _notes(result: "Result", score: str) -> tuple[str, ...]:
    notes = [f"{score.replace('_', ' ').capitalize()}: smaller is better. {_chosen_on(result)}".rstrip()]
    if "val_score" in result.history and held_out(result, "test") is None:
        notes.append("There is no test split: the best epoch was chosen on the cases that are scored here.")
    if "status" in result.runs:
        status = result.runs["status"].to_numpy().astype(str)
        lost = int(np.sum(np.char.startswith(status, "diverged")))
        if lost:
            notes.append(f"{lost} of {status.size} runs diverged; they count in no mean.")
    return tuple(notes)
