"""Two variants, of one result or of two, paired run by run and case by case."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gengap.analysis.cases import EpochRule, Floats
from gengap.analysis.comparison.contrasts import Pairs, estimates_with_skewness, pair
from gengap.analysis.comparison.estimators import carriers
from gengap.analysis.decision.options import Reading, Rule
from gengap.analysis.inference.components import MeanEstimate
from gengap.analysis.inference.looks import looks_of
from gengap.errors import DataError
from gengap.results.resampled import resampling_of

_CALLED = {"y_true": "answers", "weight": "weights", "group": "groups"}


@dataclass(frozen=True)
class Alignment:
    """Which runs are paired.

    Attributes:
        first: Positions of the runs of one result.
        second: Positions of their partners.
        notes: What was left out, or could not be paired by seed.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Match:
    """A variant and what it is held against.

    Attributes:
        mine: Where the variant is read.
        theirs: Where the other one is read; the same reading for one result.
        variant: Name of the variant.
        against: Name of the other one.
        rule: Epoch at which both are read.
    """

    mine: Reading
    theirs: Reading
    variant: str
    against: str
    rule: EpochRule

    @cached_property
    def alignment(self) -> Alignment:
        """The runs that are paired: those of common seeds, else in their order."""
        return aligned(self.mine.result.seeds, self.theirs.result.seeds)

    @cached_property
    def pairs(self) -> Pairs:
        """The variant's runs with their partners, as losses: smaller is better."""
        return self._family[0]

    @cached_property
    def estimate(self) -> MeanEstimate | None:
        """How much more the variant loses; None where there are fewer than two pairs, or cases."""
        return estimates_with_skewness(self._family)[0]

    @property
    def looks(self) -> tuple[int, ...]:
        """The looks that are paid for; of two results those of the one that was looked at more often."""
        return max((looks_of(self.mine.result), looks_of(self.theirs.result)), key=len)

    @cached_property
    def lost(self) -> int:
        """Runs of the variant that diverged while their partners did not."""
        treated, untreated = self._values(self.variant)
        return int((~np.isfinite(treated).all(axis=-1) & np.isfinite(untreated).all(axis=-1)).sum())

    def rho(self, name: str) -> float | None:
        """What new training sets add to the variance between cases, by convention; None for one training set."""
        rule = Rule(self.rule)
        own, other = (name, rule), (self.against, rule)
        if self.mine is self.theirs:
            return self.mine.rho(own, other)
        shares = self.mine.rho(own, own), self.theirs.rho(other, other)
        return None if shares[0] is None or shares[1] is None else max(shares[0], shares[1])

    @cached_property
    def _family(self) -> tuple[Pairs, ...]:
        """The variant's pairs, and after them those of all beside it: together they show how skewed noise may be."""
        others = self.mine.result.variants if self.mine is self.theirs else ()
        beside = [name for name in others if name not in {self.variant, self.against}]
        carrying = None if self.mine.held is None else carriers(self.mine.held, self.mine.score)
        return tuple(
            pair(
                name,
                self.rule,
                *self._values(name),
                new_cases=self.mine.new_cases,
                carriers=carrying,
                rho=self.rho(name),
            )
            for name in (self.variant, *beside)
        )

    def _values(self, name: str) -> tuple[Floats, Floats]:
        rule = Rule(self.rule)
        treated, untreated = self.mine.losses(name, rule), self.theirs.losses(self.against, rule)
        return treated[list(self.alignment.first)], untreated[list(self.alignment.second)]


def aligned(first: tuple[int, ...], second: tuple[int, ...]) -> Alignment:
    """Pair runs by seed where two seeds or more are common, else in their order.

    Example:
        >>> aligned((0, 1, 2), (2, 1, 5)).second
        (1, 0)
    """
    common = [seed for seed in first if seed in second]
    if len(common) > 1 or first == second:
        left = len(common) < max(len(first), len(second))
        said = f"Paired by the {len(common)} seeds that both results hold; other runs are left out."
        places = tuple(map(first.index, common)), tuple(map(second.index, common))
        return Alignment(*places, notes=(said,) if left else ())
    fewest = tuple(range(min(len(first), len(second))))
    said = f"The results share fewer than two seeds: their first {len(fewest)} runs are paired in their order."
    return Alignment(fewest, fewest, (said,))


def same_cases(mine: Reading, theirs: Reading) -> list[str]:
    """Refuse two results about different things; note where their data differ.

    Raises:
        DataError: They do not hold forecasts of the same held-out cases.
    """
    wanted = "Two results can be held against each other only on the same held-out cases"
    if mine.held is None or theirs.held is None:
        raise DataError(f"{wanted}, and one has no forecasts at all.")
    if (mine.held.task, mine.score) != (theirs.held.task, theirs.score):
        raise DataError(f"{wanted} and score: {mine.score} is of the first, {theirs.score} of the second.")
    if mine.held.part != theirs.held.part:
        raise DataError(f"{wanted}: the first is read on {mine.held.part}, the second on {theirs.held.part}.")
    for name, called in _CALLED.items():
        first, second = getattr(mine.held, name), getattr(theirs.held, name)
        if (first is None) != (second is None) or not (first is None or np.array_equal(first, second)):
            raise DataError(f"{wanted}: their {called} differ.")
    _same_divisions(mine, theirs)
    prints = [(one.result.manifest.get("data") or {}).get("fingerprint") for one in (mine, theirs)]
    same = prints[0] == prints[1]
    return [] if same else ["The two studies were not made from the same data: that is part of the difference."]


def _same_divisions(mine: Reading, theirs: Reading) -> None:
    """Refuse two results of which one alone is resampled, or whose passes divided the cases otherwise."""
    found = resampling_of(mine.result), resampling_of(theirs.result)
    if found == (None, None):
        return
    if found[0] is None or found[1] is None or (found[0].kind, found[0].folds) != (found[1].kind, found[1].folds):
        told = " and ".join("a single split" if one is None else f"{one.folds} folds ({one.kind})" for one in found)
        raise DataError(
            f"Two results can be held against each other only if their training sets were drawn alike, and these are "
            f"of {told}: give both studies the same `cv`."
        )
    common = [seed for seed in mine.result.seeds if seed in theirs.result.seeds]
    if len(common) < 2:
        raise DataError("Passes of two resampled studies are paired by seed, and these share fewer than two seeds.")
    assert mine.held is not None and theirs.held is not None  # noqa: S101, PT018  `same_cases` saw to it
    first, second = (one.data["fold"].sel(seed=common).transpose("seed", "sample") for one in (mine.held, theirs.held))
    if not np.array_equal(first.to_numpy(), second.to_numpy()):
        raise DataError(
            "Passes of the two studies divided the cases otherwise, so that they cannot be paired: give both the same "
            "`cv`, seeds, groups and order of cases."
        )
