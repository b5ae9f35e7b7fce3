"""A search under way: rounds of trials that train together, until there are as many as were asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gengap.remedies.base import Variant
from gengap.searching.drawing import Drawing
from gengap.searching.space import Space
from gengap.searching.trials import Trial, read_trial
from gengap.study.rounds import Rounds


class Trying:
    """Trials of one space, round after round.

    Args:
        rounds: Rounds of a study of the model alone, with the seeds of the trials.
        space: Where strengths are sought.
        drawing: What draws, and is told.
        storage: Folder of the search; None keeps everything in memory.
        progress: Whether to show how far it is.
        running: Is kept up to date with Optuna's trials that train, by the names of their variants.
    """

    def __init__(
        self,
        rounds: Rounds,
        space: Space,
        drawing: Drawing,
        *,
        storage: Path | None = None,
        progress: bool = False,
        running: dict[str, Any] | None = None,
    ) -> None:
        self.rounds, self.study, self.space, self.drawing = rounds, rounds.study, space, drawing
        self._untreated = self.study.variants[0]
        self._rule, self._progress, self._storage = self.study.primary_epoch, progress, storage
        self.rounds.manifest["baseline"] = self._untreated.name
        self.trials: list[Trial] = []
        self.baseline: Trial | None = None
        self._known: dict[str, Trial] = {}
        self._running = {} if running is None else running

    def advance(self, number: int) -> int:
        """Draw, train and read so many trials; what was trained before under the same name is not trained again.

        Returns:
            How many variants were trained, the untreated one among them in the first round.
        """
        drawn = self.drawing.ask(number)
        named = [(asked, strengths, self._named(strengths)) for asked, strengths in drawn]
        self._running.clear()
        for asked, _, (name, _) in reversed(named):  # of equal draws the first stands for all
            self._running[name] = asked
        trained = self._train([(name, remedy, strengths) for _, strengths, (name, remedy) in named])
        for asked, strengths, (name, _) in named:
            like = self._known[name]
            strength = self.space.strength(strengths)
            trial = replace(like, number=asked.number, strengths=strengths, strength=strength)
            self.trials.append(trial)
            self.drawing.tell(asked, trial)
        if self._storage is not None:
            self.drawing.kept_in(self._storage)
        return trained

    @property
    def leader(self) -> Trial | None:
        """The best trial so far."""
        whole = [one for one in self.trials if one.state == "complete" and np.isfinite(one.score)]
        return min(whole, key=lambda one: one.score) if whole else None

    def _named(self, strengths: Mapping[str, Any]) -> tuple[str, Any]:
        remedy = self.space.remedy(strengths)
        return (self._untreated.name if remedy is None else str(remedy)), remedy

    def _train(self, wanted: Sequence[tuple[str, Any, Mapping[str, Any]]]) -> int:
        """Train what is not known yet, and the untreated model with the first trials; return how many."""
        new: dict[str, Variant] = {} if self.baseline is not None else {self._untreated.name: self._untreated}
        for name, remedy, _ in wanted:
            if name not in self._known and name not in new:
                new[name] = remedy.treat(self._untreated)
        if not new:
            return 0
        result = self.rounds.train(list(new.values()), progress=self._progress)
        for name in new:
            self._known[name] = read_trial(result, name, self._rule, number=-1, strengths={}, strength=0.0)
        self.baseline = self.baseline or self._known[self._untreated.name]
        return len(new)
