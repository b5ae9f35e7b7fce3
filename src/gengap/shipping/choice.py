"""Which trained runs are shipped: of which variant, read at which epoch, of which seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from gengap.analysis import recommend
from gengap.analysis.cases import EpochRule, HeldOut, held_out, is_reference, primary_rule
from gengap.errors import DataError, ModelError, UnknownNameError
from gengap.naming import did_you_mean

if TYPE_CHECKING:
    from gengap.analysis import Recommendation
    from gengap.results import Result

Seeds = Literal["median", "all"] | int


@dataclass(frozen=True, eq=False)
class Chosen:
    """What is taken out of a result.

    Attributes:
        result: The result.
        variant: Name of the variant.
        rule: Epoch whose weights are taken.
        seeds: Seeds of the runs that are shipped.
        left_out: Seeds whose runs diverged or have not come to an end.
        recommendation: What chose the variant; None where the user did.
    """

    result: "Result"
    variant: str
    rule: EpochRule
    seeds: tuple[int, ...]
    left_out: tuple[int, ...]
    recommendation: "Recommendation | None"

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epoch whose weights are taken, of every shipped run."""
        counted = self.result.runs["best_epoch" if self.rule == "best" else "epochs"].sel(variant=self.variant)
        return tuple(int(counted.sel(seed=seed)) for seed in self.seeds)

    def held(self) -> tuple[HeldOut, ...]:
        """The held-out splits with forecasts, the one that scores are read on first."""
        parts = [held_out(self.result, part) for part in ("test", "validation")]
        return tuple(part for part in parts if part is not None)

    def forecast(self, held: HeldOut) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        """Mean forecast of the shipped runs for the cases of a split, shape `(n,)` or `(n, labels)`."""
        places = [self.result.seeds.index(seed) for seed in self.seeds]
        every = held.predictions(self.variant, self.rule)[places]
        return cast("np.ndarray[tuple[int, ...], np.dtype[np.float64]]", every.astype(np.float64).mean(axis=0))


def chosen(result: "Result", variant: str | None, *, epoch: EpochRule | None, seeds: Seeds) -> Chosen:
    """Choose runs.

    Args:
        result: A study's result, with weights.
        variant: Name of the variant; None takes what `recommend` says, its epoch rule included.
        epoch: Epoch rule; None takes the recommended one, or for a variant of the user's the declared one.
        seeds: The run of median validation score, all runs, or the run of one seed.

    Raises:
        UnknownNameError: There is no such variant, seed or rule.
        DataError: No run came to an end.
        ModelError: The result holds no weights.
    """
    recommended = None
    if variant is None:
        recommended = recommend(result)
        variant, rule = recommended.choice.variant, epoch or cast("EpochRule", recommended.choice.rule.name)
    else:
        rule = epoch or primary_rule(result)
    if variant not in result.variants:
        near = did_you_mean(variant, result.variants)
        raise UnknownNameError(f"There is no variant {variant!r}{near}; the variants are {', '.join(result.variants)}.")
    if is_reference(result, variant):
        why = "the recommended option" if recommended else "that"
        raise ModelError(
            f"{why.capitalize()} is {variant!r}, a reference and no Keras model: fit it on your data and keep it with "
            "joblib, or name the network that is to be shipped."
        )
    if rule not in {"best", "last"}:
        raise UnknownNameError(f"There is no epoch rule {rule!r}; choose 'best' or 'last'.")
    if not result.weights:
        _refuse_a_search_in_folds(result.manifest.get("search") or {})
        raise ModelError(
            "This result has no weights, so there is no model to ship: load the folder that a study was kept in "
            "(`gg.load`), since a netCDF file and results of other tools hold numbers alone."
        )
    whole = _whole(result, variant)
    taken = _taken(result, variant, rule, whole, seeds)
    lost = tuple(seed for seed in result.seeds if seed not in whole)
    return Chosen(result, variant, rule, taken, lost if seeds == "all" else (), recommended)


def _refuse_a_search_in_folds(search: Mapping[str, Any]) -> None:
    """Say of a search that chose anew in every fold, and so judged a procedure and no model, what can be shipped."""
    if "folds" not in search:
        return
    remedy = search["trials"][search["best"]]["remedy"]
    how = f"with {remedy} (`remedies=[{remedy!r}]`, --remedies '{remedy}')" if remedy else "as it is"
    raise ModelError(
        "A search in folds judges a choice that may differ in each of them, and keeps no weights. All folds together "
        f"chose the model {how}: run a study of it, and ship that; `gengap improve` does both."
    )


def _whole(result: "Result", variant: str) -> tuple[int, ...]:
    """Seeds whose runs came to an end with finite numbers."""
    status = result.runs["status"].sel(variant=variant)
    whole = tuple(seed for seed in result.seeds if str(status.sel(seed=seed).item()).startswith(_GOOD))
    if not whole:
        raise DataError(f"No run of variant {variant!r} came to an end: there is nothing to ship.")
    return whole


_GOOD = ("completed", "stopped")


def _taken(result: "Result", variant: str, rule: EpochRule, whole: Sequence[int], seeds: Seeds) -> tuple[int, ...]:
    if seeds == "all":
        return tuple(whole)
    if seeds == "median":
        return (result.median_seed(variant, epoch=rule),)
    if isinstance(seeds, bool) or not isinstance(seeds, int | np.integer):
        raise UnknownNameError(f"`seeds` must be 'median', 'all' or a seed of the study; received {seeds!r}.")
    if int(seeds) not in whole:
        raise UnknownNameError(
            f"No finished run of variant {variant!r} has the seed {seeds}; those are {', '.join(map(str, whole))}."
        )
    return (int(seeds),)
