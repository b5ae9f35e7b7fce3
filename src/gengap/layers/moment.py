"""One pass of one run, and the keys of all that it draws."""

from collections import Counter
from dataclasses import dataclass, field

from gengap.randomness import key

INFERENCE = 0
"""The epoch of passes without training: noise that a layer makes there is the same after every epoch."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One pass of one run.

    Attributes:
        seed: Seed of the run.
        epoch: Epoch, from 1; `INFERENCE` for a pass without training.
        step: Step within the epoch, or number of the batch in a prediction, from 1.
        calls: How often each noise was met in this pass.
    """

    seed: int
    epoch: int
    step: int
    calls: Counter[str] = field(default_factory=Counter)

    def word(self, name: str) -> int:
        """Return the key of a generator that the pass meets once more; the first is that of earlier versions."""
        met = self._met(name)
        return key(self.seed, "noise", name if met == 0 else f"{name}/call {met}", self.epoch, self.step)

    def occurrence(self, identity: str) -> int:
        """Return the key of a noise layer that the pass meets once more, as `doors.StackedNode.keys` has it."""
        return key(self.seed, "noise", f"{identity}/{self._met(identity)}", self.epoch, self.step)

    def _met(self, name: str) -> int:
        met = self.calls[name]
        self.calls[name] += 1
        return met
