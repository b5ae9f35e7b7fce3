"""What can be chosen: every variant, at its best epoch, at its last, or where early stopping would have kept it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import EpochRule, Floats, HeldOut, is_reference, primary_rule
from gengap.analysis.claims import Claim, claim_of, given_of
from gengap.analysis.comparison.contrasts import Pairs, pair
from gengap.analysis.comparison.ensembles import ensemble_values
from gengap.analysis.comparison.estimators import ScoreName, carriers, case_values, convention_of
from gengap.analysis.comparison.gains import as_training_cases
from gengap.analysis.curves import stopping_epochs
from gengap.analysis.decision.best import AllPairs, all_pairs
from gengap.analysis.run_curves import at_fold_epochs, choosing_curves, folds_of, has_fold_curves
from gengap.analysis.summary import at_epoch
from gengap.errors import DataError
from gengap.results.resampled import resampling_of

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
        ensemble: Whether the mean forecast of all runs is read in place of every run's own.
    """

    name: str
    patience: int | None = None
    ensemble: bool = False

    def __str__(self) -> str:
        when = f"patience {self.patience}" if self.patience is not None else f"{self.name} epoch"
        return f"{when}, mean of all runs" if self.ensemble else when


@dataclass(frozen=True)
class Option:
    """One thing that can be shipped: a variant, trained until a rule says stop.

    Attributes:
        variant: Name of the variant.
        rule: When its runs are read.
        score: Mean over seeds and cases, in the score's units.
        epoch: Mean epoch whose weights are kept; None where the result knows no epochs.
        parameters: Trainable parameters, of an ensemble those of all its runs; None where unknown.
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
        if rule.ensemble:
            return ensemble_values(self.result, self.held, variant, rule=name, score=self._name)
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
        """What is claimed on it."""
        return claim_of(self.result, None) if self.new_cases else "this test set"

    @property
    def given(self) -> str:
        """For which training sets."""
        return given_of(self.result)

    def rho(self, first: tuple[str, Rule], second: tuple[str, Rule]) -> float | None:
        """What new training sets add to the variance between cases, by convention; None for one training set."""
        resampled = resampling_of(self.result)
        if self.held is None or resampled is None or resampled.kind != "passes":
            return None
        return max(self._convention(*first), self._convention(*second))  # of a pair the larger one, by definition

    def _convention(self, variant: str, rule: Rule) -> float:
        assert self.held is not None  # noqa: S101  as above
        held = self.held if rule.patience is None else self._stopped(variant, rule.patience)
        one = variant, cast("EpochRule", "best" if rule.patience is not None else rule.name)
        return convention_of(self.result, held, (one, one), score=self.score)

    def as_training_cases(self, first: "Option", second: "Option") -> Floats:
        """What units do by having been trained on, where a mean forecast is compared with runs alone; else zeros.

        Shape `(units,)` or `(1,)`. Of two variants the larger gain counts.
        """
        resampled = resampling_of(self.result)
        if first.rule.ensemble == second.rule.ensemble or resampled is None or resampled.kind != "passes":
            return np.zeros(1)
        gains = {one: self._gain(one) for one in (first, second)}
        most = max(gains, key=lambda one: abs(gains[one]))
        assert self.held is not None  # noqa: S101  ensembles need forecasts
        rule = cast("EpochRule", "best" if most.rule.patience is not None else most.rule.name)
        role = as_training_cases(self.result, self.held, most.variant, rule)
        return gains[most] * role * (1 if first.rule.ensemble else -1)

    def _gain(self, option: "Option") -> float:
        together, alone = (replace(option.rule, ensemble=one) for one in (True, False))
        found = self.losses(option.variant, together) - self.losses(option.variant, alone)
        return float(np.nanmean(found))

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
        forecasts, folds = exact.to_numpy().copy(), self._folds
        same = np.take_along_axis(kept == best, folds, axis=1)  # of the best epoch forecasts are exact
        forecasts[0] = np.where(
            _like(same, forecasts[0]), forecasts[0], at_fold_epochs(self._every(variant), kept, folds)
        )
        changed = data.drop_vars("prediction_best").sel(variant=[variant])
        return replace(self.held, data=changed.assign(prediction_best=exact.copy(data=forecasts)))

    @property
    def _folds(self) -> NDArray[np.int64]:
        """Which fold a case is of, shape `(seeds, n)`; all of one where there are no folds."""
        assert self.held is not None  # noqa: S101  as above
        if "fold" in self.held.data.coords:
            return folds_of(self.held)
        return np.zeros((len(self.result.seeds), len(self.held)), np.int64)

    def _every(self, variant: str) -> NDArray[np.float64]:
        """Forecasts of every epoch, shape `(seeds, epochs, n[, labels])`."""
        assert self.held is not None  # noqa: S101  as above
        every = self.held.data["prediction_epochs"].sel(variant=variant).transpose("seed", "epoch", "sample", ...)
        return cast("Floats", every.to_numpy())

    def half_precision_error(self, variant: str) -> float:
        """By how much forecasts stored in half precision miss the score of the best epoch, at most over seeds."""
        assert self.held is not None  # noqa: S101  as above
        data, best = self.held.data, best_epochs(self.result, variant)
        exact = data["prediction_best"].sel(variant=[variant]).transpose("variant", "seed", "sample", ...)
        every = self._every(variant)
        # the curves of a pass end with its shortest fold: what lies beyond is not read, and so not missed by anything
        rows = at_fold_epochs(every, np.where(best <= every.shape[1], np.maximum(best, 1), 0), self._folds)
        rows = np.where(np.isnan(rows), exact.to_numpy()[0], rows)
        rough = exact.copy(data=rows[None].astype(exact.dtype))
        changed = replace(self.held, data=data.sel(variant=[variant]).assign(prediction_best=rough))
        values = case_values(self.result, changed, variant, rule="best", score=self._name)
        error = np.abs(values.mean(axis=-1) - self.values(variant, Rule("best")).mean(axis=-1))
        return float(np.nanmax(error)) if np.isfinite(error).any() else 0.0


def best_epochs(result: "Result", variant: str) -> NDArray[np.int64]:
    """Epoch of best validation score of every run, shape `(seeds, folds)`; one fold where there are none."""
    name = "best_epoch" if resampling_of(result) is None else "fold_best_epoch"
    found = result.runs[name].sel(variant=variant).to_numpy().astype(np.int64)
    return found.reshape(len(result.seeds), -1)


def stopped_at(result: "Result", variant: str, patience: int) -> NDArray[np.int64]:
    """Epoch that early stopping would have kept of every run, as Keras' `EarlyStopping` counts; 0 for none.

    Returns:
        Shape `(seeds, folds)`; one fold where there are none.
    """
    kept = stopping_epochs(choosing_curves(result, variant), patience=patience)[1]
    return kept.astype(np.int64).reshape(len(result.seeds), -1)


def _like(mask: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A mask of cases with axes for what a forecast has besides."""
    return mask.reshape(*mask.shape, *[1] * (values.ndim - mask.ndim))


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


def with_ensembles(reading: Reading, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Add to every rule that the mean forecast of all runs is read.

    Raises:
        DataError: There are no forecasts, or fewer than two seeds.
    """
    if reading.held is None or len(reading.result.seeds) < 2:
        raise DataError("Ensembles need held-out forecasts of two seeds or more: leave `ensembles` out.")
    return (*rules, *(replace(rule, ensemble=True) for rule in rules if rule.patience is None))


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
    if resampling_of(reading.result) is not None and not has_fold_curves(reading.result, "validation"):
        raise DataError(
            "`patience` in a resampled study needs the inner validation of every case, as a number of folds from 3 on "
            "gives it: leave it out; each fold's best epoch is judged in any case."
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
        parameters=None if unknown or size is None else size * (len(result.seeds) if rule.ensemble else 1),
        gap=None if epochs is None or rule.ensemble else _gap(result, variant, epochs, good),
        lost=int((~good).sum()),
    ), values


def _epochs(reading: Reading, variant: str, rule: Rule) -> Floats | None:
    result = reading.result
    if result.history.sizes.get("epoch", 0) < 2 or is_reference(result, variant):
        return None
    if rule.patience is not None:
        return cast("Floats", stopped_at(result, variant, rule.patience).mean(axis=1))
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
            two = options[first], options[second]
            pairs[first][second] = pair(
                options[first].variant,
                primary_rule(reading.result),
                treated + reading.as_training_cases(*two),
                reading.losses(options[second].variant, options[second].rule),
                new_cases=reading.new_cases,
                carriers=carrying,
                rho=reading.rho(*((one.variant, one.rule) for one in two)),
            )
    return all_pairs(pairs)
