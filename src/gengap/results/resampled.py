"""What a result says of its resampling: which cases were drawn anew, and how large its training sets are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gengap.errors import DataError

if TYPE_CHECKING:
    from gengap.results.result import Result


@dataclass(frozen=True)
class Resampled:
    """How a result was resampled.

    Attributes:
        kind: `"passes"`, where every seed trained a division of its own; `"crossed"`, where all seeds trained one.
        folds: Folds of a division.
        passes: Seeds, each of which predicted every case once.
        cases: Cases that were held out, all of them in every pass.
        fewest: Training cases of the fold that had the fewest: what its inner validation left.
        most: Training cases of the fold that had the most.
        grouped: Whether groups (or days) were kept whole.
        forward: Whether every fold was tested on a later window of time than it learned from.
        mixed_times: Whether cases have times, and folds learned from later cases than some that they were tested on.
        splitter: What divided the cases.
    """

    kind: Literal["passes", "crossed"]
    folds: int
    passes: int
    cases: int
    fewest: int
    most: int
    grouped: bool
    forward: bool
    mixed_times: bool
    splitter: str

    @property
    def sizes(self) -> str:
        """Training cases of a fold, as one number where all have as many."""
        return f"{self.fewest:,}" if self.fewest == self.most else f"{self.fewest:,} to {self.most:,}"


def resampling_of(result: "Result") -> Resampled | None:
    """Return how a result was resampled; None for single splits."""
    told = result.manifest.get("resampling")
    if not told:
        return None
    fewest, most = told["training_cases"]
    return Resampled(
        kind=told["kind"],
        folds=int(told["folds"]),
        passes=len(result.seeds),
        cases=int(told["cases"]),
        fewest=int(fewest),
        most=int(most),
        grouped=bool(told["grouped"]),
        forward=bool(told["forward"]),
        mixed_times=bool(told["mixed_times"]),
        splitter=str(told["splitter"]),
    )


def refuse_resampled(result: "Result", what: str, instead: str) -> None:
    """Refuse a resampled result where something would choose on cases that others of its folds were tested on.

    Args:
        result: The result.
        what: What cannot deal with it, as the subject of a sentence.
        instead: What to do.

    Raises:
        DataError: It is resampled.
    """
    if resampling_of(result) is not None:
        raise DataError(
            f"{what} cannot deal with a resampled study yet: its choices would read cases that other folds are tested "
            f"on, and its words speak of one training set. {instead}"
        )
