"""What can be chosen: every variant, at its best epoch, at its last, or where early stopping would have kept it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import EpochRule, Floats, HeldOut, is_reference, primary_rule
from gengap.analysis.claims import Claim
from gengap.analysis.comparison.contrasts import Pairs, pair
from gengap.analysis.comparison.estimators import ScoreName, carriers, case_values
from gengap.analysis.curves import stopping_epochs
from gengap.analysis.decision.best import AllPairs, all_pairs
from gengap.analysis.summary import at_epoch
from gengap.errors import DataError

if TYPE_CHECKING:
    from gengap.results import Result

_MOST_KEPT = 3e7
"""Case values kept in memory: a million cases of every option would not fit, and are read again for every pair."""


@dataclass(frozen=True)
class Rule:
    """When a run is read.

    Attributes:
        name: `"best"`, `"last"`, or `"patience"`: the best epoch until early stopping would have ended the run.
        patience: Epochs without improvement; None for the other two.
    """

    name: str
    patience: int | None = None

    def __str__(self) -> str:
        return f"patience {self.patience}" if self.patience is not None else f"{self.name} epoch"


@dataclass(frozen=True)
class Option:
    """One thing that can be shipped: a variant, trained until a rule says stop.

    Attributes:
        variant: Name of the variant.
        rule: When its runs are read.
        score: Mean over seeds and cases, in the score's units.
        epoch: Mean epoch whose weights are kept; None where the result knows no epochs.
        parameters: Trainable parameters; None where unknown.
        gap: Held-out minus training score there; None where unknown.
        lost: Runs that diverged.
    """

    variant: str
    rule: Rule
    score: float
    epoch: float | None
    parameters: int | None
    gap: float | None
    lost: int

    def __str__(self) -> str:
        return self.variant if self.epoch is None else f"{self.variant}, {self.rule}"


@dataclass(frozen=True, eq=False)
class Reading:
    """Where options are read: a score on the held-out cases, or curves where there are no predictions.

    Attributes:
        result: The result.
        held: The split that is read; None for a result that holds curves alone.
        score: The score.
        larger_is_better: Its orientation.
        new_cases: Whether claims are about new cases as well as new seeds.
    """

    result: "Result"
    held: HeldOut | None
    score: str
    larger_is_better: bool
    new_cases: bool

    def values(self, variant: str, rule: Rule) -> Floats:
        """Case values of an option, shape `(seeds, units)`; a diverged run is a row of NaN."""
        if rule.patience is not None:
            held = self._stopped(variant, rule.patience)
            return case_values(self.result, held, variant, rule="best", score=self._name)
        name = cast("EpochRule", rule.name)
        if self.held is None:
            return at_epoch(self.result, variant, "val_score", name)[:, None]
        return case_values(self.result, self.held, variant, rule=name, score=self._name)

    def losses(self, variant: str, rule: Rule) -> Floats:
        """The same, turned so that smaller is better; read once for all that ask, as far as memory allows."""
        return self._read(variant, rule)

    @cached_property
    def _read(self) -> "Callable[[str, Rule], Floats]":
        cells = len(self.result.seeds) * (1 if self.held is None else len(self.held))

        @lru_cache(maxsize=max(2, int(_MOST_KEPT // max(cells, 1))))
        def read(variant: str, rule: Rule) -> Floats:
            values = self.values(variant, rule)
            return -values if self.larger_is_better else values

        return read

    @property
    def claim(self) -> Claim:
        """What is claimed on it, given this training set."""
        return "new cases and seeds" if self.new_cases else "this test set"

    @property
    def part(self) -> str:
        """The split that is read."""
        return "validation" if self.held is None else self.held.part

    @property
    def _name(self) -> ScoreName:
        return cast("ScoreName", self.score)

    def _stopped(self, variant: str, patience: int) -> HeldOut:
        """The split with the forecasts of the epoch that early stopping would have kept in place of the best ones."""
        assert self.held is not None  # noqa: S101  rules with patience are made where there are forecasts
        kept, best = stopped_at(self.result, variant, patience), best_epochs(self.result, variant)
        data = self.held.data
        exact = data["prediction_best"].sel(variant=[variant]).transpose("variant", "seed", "sample", ...)
        every = data["prediction_epochs"].sel(variant=variant).transpose("seed", "epoch", "sample", ...)
        forecasts = exact.to_numpy().copy()
        for row in np.flatnonzero((kept != best) & (kept > 0)):
            forecasts[0, row] = every[row, kept[row] - 1].to_numpy()
        forecasts[0, kept == 0] = np.nan
        changed = data.drop_vars("prediction_best").sel(variant=[variant])
        return replace(self.held, data=changed.assign(prediction_best=exact.copy(data=forecasts)))

    def half_precision_error(self, variant: str) -> float:
        """By how much forecasts stored in half precision miss the score of the best epoch, at most over seeds."""
        assert self.held is not None  # noqa: S101  as above
        data, best = self.held.data, best_epochs(self.result, variant)
        exact = data["prediction_best"].sel(variant=[variant]).transpose("variant", "seed", "sample", ...)
        every = data["prediction_epochs"].sel(variant=variant).transpose("seed", "epoch", "sample", ...)
        rows = np.stack([every[row, max(epoch, 1) - 1].to_numpy() for row, epoch in enumerate(best.tolist())])
        rough = exact.copy(data=rows[None].astype(exact.dtype))
        changed = replace(self.held, data=data.sel(variant=[variant]).assign(prediction_best=rough))
        values = case_values(self.result, changed, variant, rule="best", score=self._name)
        error = np.abs(values.mean(axis=-1) - self.values(variant, Rule("best")).mean(axis=-1))
        return float(np.nanmax(error)) if np.isfinite(error).any() else 0.0


def best_epochs(result: "Result", variant: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Epoch of best validation score of every run."""
    return cast("np.ndarray[tuple[int], np.dtype[np.int64]]", result.runs["best_epoch"].sel(variant=variant).to_numpy())


def stopped_at(result: "Result", variant: str, patience: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Epoch that early stopping would have kept of every run, as Keras' `EarlyStopping` counts; 0 for none."""
    curves = result.history["val_score"].sel(variant=variant).transpose("seed", "epoch").to_numpy().astype(np.float64)
    return stopping_epochs(curves, patience=patience)[1].astype(np.int64)


def check_alpha(alpha: float) -> None:
    """Check the error that is allowed.

    Raises:
        DataError: It is out of range.
    """
    if not 0 < alpha < 0.5:
        raise DataError(f"`alpha` must lie between 0 and .5, received {alpha}.")


def rules_of(reading: Reading, patience: int | None) -> tuple[Rule, ...]:
    """When each variant may be read: stopping at the best epoch is a remedy like any other.

    Where the best epoch was chosen on the cases that are read, it would win by that alone; then there is one rule.

    Raises:
        DataError: `patience` needs what the result does not hold.
    """
    result, held = reading.result, reading.held
    known = bool(result.history.sizes.get("epoch", 0) > 1)
    fair = held is not None and held.part == "test" and known and "val_score" in result.history
    if patience is not None:
        _check_patience(reading, patience, fair=fair)
    if not fair:
        return (Rule(primary_rule(result)),)
    return (Rule("best"), Rule("last"), *([] if patience is None else [Rule("patience", patience)]))


def _check_patience(reading: Reading, patience: int, *, fair: bool) -> None:
    if patience < 1:
        raise DataError(f"`patience` must be 1 or more, received {patience}.")
    if not fair:
        raise DataError(
            "Early stopping can be judged only where the epoch is chosen on validation and read on test: this result "
            "lacks a test split, or curves. Leave `patience` out, or run the study with `test_data`."
        )
    assert reading.held is not None  # noqa: S101  fair says so
    if "prediction_epochs" not in reading.held.data:
        raise DataError(
            "`patience` needs the test forecasts of every epoch, which this result does not hold: leave it out (the "
            "best epoch is judged in any case), or let the study keep them."
        )


def option_of(reading: Reading, variant: str, rule: Rule) -> tuple[Option, Floats]:
    """Describe an option, and return its losses of every seed and unit."""
    result = reading.result
    values = reading.losses(variant, rule)
    good: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=-1))
    sign = -1.0 if reading.larger_is_better else 1.0
    epochs = _epochs(reading, variant, rule)
    size = int(result.runs["parameters"].sel(variant=variant).max()) if "parameters" in result.runs else None
    unknown = is_reference(result, variant) and not size  # trees have no parameters that could be counted
    return Option(
        variant=variant,
        rule=rule,
        score=sign * float(values[good].mean()) if good.any() else float("nan"),
        epoch=None if epochs is None or not good.any() else float(epochs[good].mean()),
        parameters=None if unknown else size,
        gap=None if epochs is None else _gap(result, variant, epochs, good),
        lost=int((~good).sum()),
    ), values


def _epochs(reading: Reading, variant: str, rule: Rule) -> Floats | None:
    result = reading.result
    if result.history.sizes.get("epoch", 0) < 2 or is_reference(result, variant):
        return None
    if rule.patience is not None:
        return stopped_at(result, variant, rule.patience).astype(np.float64)
    counted = result.runs["best_epoch" if rule.name == "best" else "epochs"].sel(variant=variant)
    return counted.to_numpy().astype(np.float64)


def _gap(result: "Result", variant: str, epochs: Floats, good: NDArray[np.bool_]) -> float | None:
    if "val_score" not in result.history or "train_score" not in result.history:
        return None
    history = result.history.sel(variant=variant)
    gaps = (history["val_score"] - history["train_score"]).transpose("seed", "epoch").to_numpy()
    rows = gaps[np.arange(len(gaps)), np.clip(np.nan_to_num(epochs, nan=1), 1, gaps.shape[1]).astype(int) - 1][good]
    return float(np.nanmean(rows)) if np.isfinite(rows).any() else None


def distinct(reading: Reading, rules: Sequence[Rule]) -> tuple[tuple[Option, ...], tuple[Option, ...]]:
    """All options that differ from one another, and those that are in every number another one.

    Where every run was best at its last epoch, stopping there and training on are one option; the earlier rule stands
    for both.
    """
    found: list[Option] = []
    same: list[Option] = []
    for variant in reading.result.variants:
        mine: list[Floats] = []
        for rule in rules[:1] if is_reference(reading.result, variant) else rules:
            option, values = option_of(reading, variant, rule)
            if any(np.array_equal(values, other, equal_nan=True) for other in mine):
                same.append(option)
                continue
            mine.append(values)
            found.append(option)
    return tuple(found), tuple(same)


def compared(reading: Reading, options: Sequence[Option]) -> AllPairs:
    """Compare all options with each other, paired by seed and by case."""
    carrying = None if reading.held is None else carriers(reading.held, reading.score)
    count = len(options)
    pairs: list[list[Pairs | None]] = [[None] * count for _ in options]
    for first in range(count):
        treated = reading.losses(options[first].variant, options[first].rule)
        for second in range(first + 1, count):
            pairs[first][second] = pair(
                options[first].variant,
                primary_rule(reading.result),
                treated,
                reading.losses(options[second].variant, options[second].rule),
                new_cases=reading.new_cases,
                carriers=carrying,
            )
    return all_pairs(pairs)
