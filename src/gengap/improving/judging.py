"""Finalists judged with as many seeds as there is time for: block after block, measured, and ended by the clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import Any

from gengap.improving.planning import Clock, Pace, first_block, is_late, next_block
from gengap.results import Result
from gengap.study import Study
from gengap.study.rounds import Own, blocks_of


@dataclass(frozen=True)
class ByTheClock:
    """Trains a study of many seeds with as many of them as fit, three at least; see `gengap.study.rounds.Judging`.

    How many there are depends on the clock and on nothing that was found: no score is read in between, and a block that
    was ended leaves nothing.

    Attributes:
        clock: The time that there is.
        pace: What the last round of trials has cost.
    """

    clock: Clock
    pace: Pace

    def __call__(self, study: Study, fit: Mapping[str, Any], own: Own | None) -> Result:
        """Train the study and return its result."""
        blocks = blocks_of(study, fit, own)
        each, pace, whole = blocks.runs_of_seed, self.pace, True
        number = first_block(self.clock, pace, each=each, most=blocks.left)
        while number and whole:
            begun, computed = self.clock.spent, process_time()
            whole = blocks.train(number, over=partial(is_late, self.clock, pace) if blocks.seeds else None)
            pace = Pace(self.clock.spent - begun, number * each, process_time() - computed)
            number = next_block(self.clock, pace, each=each, most=blocks.left)
        return blocks.result()
