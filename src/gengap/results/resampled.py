"""What a result says of its resampling: which cases were drawn anew, and how large its training sets are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
        duplicates: Cases whose inputs equal those of a case that is not in their group, and so may be in another fold.
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
    duplicates: int

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
        duplicates=int(told.get("duplicates", 0)),
    )
