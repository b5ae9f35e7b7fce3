"""What a search found: every trial, the one that is chosen, what that choice is worth, and what mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gengap.analysis import compare
from gengap.analysis.cases import EpochRule, held_out
from gengap.analysis.numbers import typewritten, write_score
from gengap.analysis.summary import at_epoch
from gengap.analysis.tables import SCORE, Cell, Column, ShownAsTable, Spread, Table
from gengap.results import Result
from gengap.searching.drawing import importances
from gengap.searching.space import Space
from gengap.searching.trials import Trial, best_of, strongest_within


@dataclass(frozen=True, eq=False)
class Picked:
    """All trials and what was picked of them, before it is judged.

    Attributes:
        space: Where strengths were sought.
        trials: All trials.
        baseline: The model as it was given.
        best: The best trial.
        strongest: The strongest within one standard error of it.
        edges: Dimensions in which the best lies at an edge.
        importances: Share of the variance of scores that each dimension explains, the largest first.
        rule: The epoch that trials are read at.
    """

    space: Space
    trials: tuple[Trial, ...]
    baseline: Trial
    best: Trial
    strongest: Trial
    edges: Mapping[str, str]
    importances: Mapping[str, float]
    rule: EpochRule

    def to_dict(self) -> dict[str, Any]:
        """Return the search as JSON, as a result's manifest keeps it under `"search"`."""
        log = {one.name: bool(getattr(one.values, "log", False)) for one in self.space.dimensions}
        return {
            "space": self.space.describe(),
            "log": log,
            "trials": [one.to_dict() for one in self.trials],
            "baseline": self.baseline.to_dict(),
            "best": self.best.number,
            "strongest": self.strongest.number,
            "edges": dict(self.edges),
            "importances": dict(self.importances),
            "epoch": self.rule,
            "seeds": len(self.baseline.scores),
        }

    def remarks(self, result: Result, chosen: str) -> tuple[str, ...]:
        """Return what a reader has to know, given how the chosen variant was judged."""
        best, strongest, ranges = self.best, self.strongest, self.space.describe()
        said = [
            f"The best {name} lies at the {side} edge of what was searched ({ranges[name]}): search beyond it."
            for name, side in self.edges.items()
        ]
        if strongest is not best:
            what = strongest.remedy or "the model as it is"
            said.append(f"Strongest within one standard error of the best: {what} ({write_score(strongest.score)}).")
        if best.remedy and best.remedy == chosen:
            anew = float(at_epoch(result, chosen, "val_score", self.rule).mean())
            said.append(
                f"The best trial scored {write_score(best.score)} with the seeds that it was chosen by, and "
                f"{write_score(anew)} with fresh ones, on the same validation cases."
            )
        for state, words in (("halted", "were halted"), ("diverged", "diverged")):
            if number := sum(one.state == state for one in self.trials):
                said.append(f"{number} of {len(self.trials)} trials {words}.")
        return tuple(said)


def pick(space: Space, trials: Sequence[Trial], baseline: Trial, *, rule: EpochRule, seed: int) -> Picked:
    """Pick of the trials.

    Raises:
        DataError: No trial was trained to the end.
    """
    best = best_of(trials)
    strongest, shares = strongest_within(trials, best), importances(space, trials, seed=seed)
    return Picked(space, tuple(trials), baseline, best, strongest, space.edges(best.strengths), shares, rule)


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult(Picked, ShownAsTable):
    """All trials of a search, and the chosen one judged anew.

    Scores of trials are for choosing: the best of many looks better than it is. `result` holds the model as it was
    given, the best trial and the strongest one that is as good, trained again with seeds that no trial has seen and
    read on the test split where there is one; `compare`, `recommend`, `report` and `ship` take it.

    Attributes:
        space: Where strengths were sought.
        trials: All trials, in the order in which they were drawn.
        baseline: The model as it was given, trained with the seeds of the trials.
        best: The trial of best mean held-out score.
        strongest: The strongest regularization within one standard error of it.
        edges: Dimensions in which the best trial lies at an edge of the space, `"lower"` or `"upper"`.
        importances: Share of the variance of scores that each dimension explains, the largest first.
        score: The score; smaller is better.
        rule: The epoch that trials are read at: of best validation score, or the last.
        result: The finalists, judged.
        study: The trials as Optuna holds them; in `optuna.journal` of the storage where there is one.
        notes: What a reader has to know.
    """

    score: str
    result: Result
    study: Any = field(repr=False)
    notes: tuple[str, ...] = ()

    def __getitem__(self, number: int) -> Trial:
        """Return a trial by its number."""
        return {one.number: one for one in self.trials}[number]

    @property
    def remedy(self) -> str:
        """The best trial's cocktail in written form, as a study takes it; empty where the model is best as it is."""
        return self.best.remedy

    @property
    def sentence(self) -> str:
        """What was chosen, and what it is worth where nothing was chosen by."""
        return self.result.manifest["search"]["sentence"]  # type: ignore[no-any-return]

    @property
    def table(self) -> Table:
        """The trials, the best first."""
        return trials_table(self)


def trials_table(found: SearchResult) -> Table:
    """Return the trials as a table, the best first."""
    ordered = sorted(found.trials, key=lambda one: (one.state == "halted", one.score, one.number))
    names = [one.name for one in found.space.dimensions]
    columns = (
        Column("trial", "trial", "d"),
        *(Column(name, name, spare=0) for name in names),
        Column("score", f"validation {found.score.replace('_', ' ')}", SCORE, spare=0),
        Column("strength", "strength", ".2f", spare=3),
        Column("epochs", "epochs", ".1f", spare=2),
        Column("state", "", spare=1),
    )
    rows: list[tuple[Cell, ...]] = [_row(one, found, names) for one in ordered]
    title = (
        f"{len(found.trials)} trials x {len(found.best.scores)} seeds, read at the {found.rule} epoch (mean ± sd of "
        "seeds; smaller is better)"
    )
    return Table(title, columns, tuple(rows), (found.sentence, *found.notes))


def _row(trial: Trial, found: SearchResult, names: list[str]) -> tuple[Cell, ...]:
    both = trial is found.best and trial is found.strongest
    role = "best" if trial is found.best else "strongest within 1 SE" if trial is found.strongest else ""
    state = "best, and strongest within 1 SE" if both else role or ("" if trial.state == "complete" else trial.state)
    drawn: list[Cell] = [_shown(trial.strengths[name]) for name in names]
    score: Cell = Spread(trial.score, trial.deviation) if trial.state != "diverged" else None
    return (trial.number, *drawn, score, trial.strength, trial.epochs, state)


def _shown(value: Any) -> str:
    return "off" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def say(result: Result, told: Mapping[str, Any], chosen: str, *, nested: bool) -> str:
    """Return the sentence of a search: what was chosen among how many, and what it is worth where it was judged.

    Args:
        result: The finalists, judged.
        told: What `describe` returned.
        chosen: Name of the chosen variant; the baseline's where the model is best as it is.
        nested: Whether folds chose for themselves.
    """
    number = len(told["trials"])
    seeds = len(result.seeds)
    if chosen == result.baseline:
        return f"Best of {number} trials on validation: the model as it is. Keep it, or search elsewhere."
    contrast = compare(result)[chosen]
    numbers = typewritten(f"{contrast.shown:+}")
    told_verdict = f"{contrast.verdict.short} ({numbers})"
    if nested:
        return (
            f"In every fold the best of {number} trials was chosen by the fold's own inner validation, and judged with "
            f"{seeds} fresh seeds on cases that the choice never saw: {told_verdict} against the model as it is."
        )
    if held_out(result, "test") is not None:
        return (
            f"Best of {number} trials on validation: {chosen}. With {seeds} fresh seeds on the test split, which "
            f"nothing was chosen by: {told_verdict} against the model as it is."
        )
    return (
        f"Best of {number} trials on validation: {chosen}. With {seeds} fresh seeds on the validation cases that it "
        f"was chosen by, which flatters it: {told_verdict} against the model as it is. Give `test_data` or "
        "`cv` to know."
    )
