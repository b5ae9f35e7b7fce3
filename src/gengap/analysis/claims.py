"""What a statement about a result is about: what was drawn anew, and what was not."""

from typing import TYPE_CHECKING, Literal

from gengap.analysis.findings.wording import Message
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


def given_message(result: "Result", *, new_cases: bool = True) -> Message:
    """Return for what statements about a result hold, for every language to write.

    Args:
        result: The result.
        new_cases: Whether they are about new cases; what is read off curves is about seeds and divisions alone.
    """
    resampled = resampling_of(result)
    if resampled is None:
        return Message("given")
    if resampled.kind == "crossed":
        return Message("given.these_sets", {"folds": resampled.folds})
    if not new_cases:
        return Message("given.these_cases", {"cases": f"{resampled.cases:,}"})
    return Message("given.new_sets", {"sizes": resampled.sizes})


def given_of(result: "Result", *, new_cases: bool = True) -> str:
    """Return the same in English."""
    return str(given_message(result, new_cases=new_cases))


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
    return [*said, *cautions_of(resampled)]


def cautions_of(resampled: Resampled) -> list[str]:
    """Return what makes the scores of a resampled study flatter than those of new cases will be."""
    said = []
    if resampled.mixed_times:
        said.append("Cases of different times are mixed: folds learn from cases later than some they are tested on.")
    if resampled.duplicates:
        said.append(f"{resampled.duplicates:,} cases have a twin in another group, which a fold may have learned from.")
    return said
