"""What a statement about a result is about: what was drawn anew, and what was not."""

from typing import TYPE_CHECKING, Literal

from gengap.analysis.findings.wording import GIVEN
from gengap.errors import DataError
from gengap.results.resampled import Resampled, resampling_of

if TYPE_CHECKING:
    from gengap.results import Result

Claim = Literal["new cases and seeds", "this test set", "new training sets, cases and seeds"]


def claim_of(result: "Result", asked: Claim | None) -> Claim:
    """Return what verdicts about a result are about: what is asked, else the widest that it can speak for.

    Raises:
        DataError: A single split is asked about new training sets, or a resampled study about less than it drew.
    """
    resampled = resampling_of(result)
    passes = resampled is not None and resampled.kind == "passes"
    if asked == "new training sets, cases and seeds" and not passes:
        raise DataError(
            "Nothing can be said about new training sets: all seeds learned from the same cases. Run the study with "
            "`cv=5`."
        )
    if asked == "this test set" and passes:
        raise DataError(
            'A resampled study drew new training sets in every pass, so `claim="this test set"` is none of its claims: '
            "leave `claim` out."
        )
    return "new training sets, cases and seeds" if passes else asked or "new cases and seeds"


def given_of(result: "Result") -> str:
    """Return for which training sets verdicts about a result hold."""
    resampled = resampling_of(result)
    if resampled is None:
        return GIVEN
    if resampled.kind == "crossed":
        return f"given these {resampled.folds} training sets"
    return f"for new training sets of {resampled.sizes} cases"


def title_of(claim: Claim, given: str) -> str:
    """Return a claim as the head of a table has it, with the training sets that it holds for."""
    if claim == "new training sets, cases and seeds":
        return f"{given.removeprefix('for ')}, new cases and new seeds"
    return f"{claim}, {given}"


def notes_of(resampled: Resampled) -> list[str]:
    """Return what a reader of verdicts must know of a resampled study."""
    often = f"{resampled.passes} passes over {resampled.cases:,} cases in {resampled.folds} folds"
    left = f"each run had {resampled.sizes} training cases, what a fold leaves after its inner validation"
    if resampled.kind == "crossed":
        how = f"{often}, all on one division; {left}."
        said = [f"{how} Nothing is said about other training sets: that takes a division of its own for every seed."]
    else:
        how = f"{often}, a division of its own for each; {left}."
        said = [f"{how} Verdicts hold for training sets of that size, not for all cases at once."]
    if resampled.mixed_times:
        said.append("Cases of different times are mixed: folds learn from cases later than some they are tested on.")
    return said
