"""What an improvement leaves: a sentence, a search, a report, and a model."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.results import Result
from gengap.searching import SearchResult
from gengap.shipping import Shipped

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Improvement:
    """What `gengap.improve` leaves.

    Attributes:
        sentence: What to do, in one sentence.
        said: What was done: cases, epochs, trials; and what more time would buy.
        search: The search, with its trials.
        result: The judged finalists, as `compare`, `recommend` and `report` take them.
        shipped: The model to use, with its card.
        files: What was written: report and model first; empty without `output`.
        minutes: How long it took.
    """

    sentence: str
    said: tuple[str, ...]
    search: SearchResult = field(repr=False)
    result: Result = field(repr=False)
    shipped: Shipped = field(repr=False)
    files: tuple[Path, ...]
    minutes: float

    @property
    def model(self) -> "keras.Model":
        """The model to use: an ordinary Keras model that answers with forecasts."""
        return self.shipped.model

    def __str__(self) -> str:
        return "\n".join((self.sentence, *(f"- {one}" for one in self.said)))

    def _repr_markdown_(self) -> Any:
        return f"**{self.sentence}**\n\n" + "\n".join(f"- {one}" for one in self.said)
