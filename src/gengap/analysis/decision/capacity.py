"""What a climb found: sizes, gains, and the smallest that is good enough."""

from dataclasses import dataclass
from typing import Any

from gengap.analysis.claims import given_of
from gengap.analysis.decision.ladder import Choice, Gain, Rung
from gengap.analysis.tables import Cell, Column, ShownAsTable, Spread, Table
from gengap.results import Result
from gengap.results.resampled import resampling_of


@dataclass(frozen=True, eq=False, repr=False)
class CapacityLadder(ShownAsTable):
    """What a climb found: where it stopped, why, and which size to keep.

    Attributes:
        rungs: Everything that was trained, in the order of the climb.
        path: Names of the rungs on the search path, from the smallest.
        steps: Every step that was tried, with its gain.
        choice: The smallest rung that is as good as the best, by the rule.
        margin: Gain that is worth a step; None for the one-standard-error rule.
        score: The score that rungs are compared on; smaller is better.
        ended: Why the climb ended, as a clause.
        result: All rungs as one result, for curves, comparison and models.
    """

    rungs: tuple[Rung, ...]
    path: tuple[str, ...]
    steps: tuple[Gain, ...]
    choice: Choice
    margin: float | None
    score: str
    ended: str
    result: Result

    def __getitem__(self, name: str) -> Rung:
        """Return a rung by name."""
        return {rung.name: rung for rung in self.rungs}[name]

    @property
    def sentence(self) -> str:
        """Where it stopped and why, and what to keep."""
        kept, top = self[self.choice.name], self[self.path[-1]]
        said = f"Stopped at {top.size}: {self.ended}. Keep {kept.size}"
        if kept.name == self.choice.best:
            return f"{said}, the best of {len(self.rungs)} sizes."
        rule = "one standard error" if self.margin is None else f"{self.margin:g}"
        best = self[self.choice.best].size
        return (
            f"{said}: the smallest within {rule} of the best ({best}), at a cost of {self.choice.cost.show('.4f')} in "
            f"{_words(self.score)}."
        )

    @property
    def table(self) -> Table:
        """All rungs by size: score, what the step to it gained, and what became of it."""
        tried = {step.upper: step for step in self.steps}
        rows = [self._row(rung, tried.get(rung.name)) for rung in sorted(self.rungs, key=lambda one: one.parameters)]
        notes = (self.sentence, *_notes(self.result, self.margin))
        title = f"Capacity ladder on {_words(self.score)}, smaller is better, {given_of(self.result)}"
        return Table(title, _COLUMNS, tuple(rows), notes)

    def model(self, *, seed: int | None = None) -> Any:
        """Return the trained model of the chosen size; without a seed, that of median validation score."""
        return self.result.model(self.choice.name, seed=seed)

    def _row(self, rung: Rung, step: Gain | None) -> tuple[Cell, ...]:
        of_seeds = rung.values.mean(axis=-1)
        spread = Spread(rung.mean, float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else float("nan"))
        state = "kept" if rung.name == self.choice.name else "on the path" if rung.name in self.path else "tried"
        return (rung.shape, rung.name, rung.parameters, spread, None if step is None else step.gain, state)


_COLUMNS = (
    Column("shape", "hidden units"),
    Column("variant", "variant"),
    Column("parameters", "parameters", ",d"),
    Column("score", "validation score", ".4f"),
    Column("gain", "gain over the rung below", "+.4f"),
    Column("state", "state"),
)


def _words(score: str) -> str:
    return score.replace("_", " ")


def _notes(result: Result, margin: float | None) -> tuple[str, ...]:
    rule = "one standard error of the paired difference" if margin is None else f"a gain of {margin:g}"
    resampled = resampling_of(result)
    where = "validation" if resampled is None else "the inner validations of the folds, which are all cases"
    notes = [f"Rule: {rule}. Scores are means over {len(result.seeds)} seeds (± sd), at the best epoch, on {where}."]
    if resampled is not None:
        notes.append("The size was chosen on these cases: its own score flatters, also where folds tested it.")
    epochs, last = result.runs["best_epoch"], int(result.history.sizes["epoch"])
    late = [str(name) for name in result.variants if float((epochs.sel(variant=name) >= last).mean()) > 0.5]
    if late:
        notes.append(f"Not yet at their best after {last} epochs: {', '.join(late)}; train longer.")
    return tuple(notes)
