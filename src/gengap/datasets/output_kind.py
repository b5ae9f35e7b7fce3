"""How the scored output of a model is to be read, as a value that a stored study holds too: needs no Keras."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gengap.datasets.split import Task


@dataclass(frozen=True)
class OutputKind:
    """How the scored output of a model is to be read.

    Attributes:
        task: What it predicts.
        from_logits: Whether it still needs a sigmoid or softmax to be a probability.
        one_hot: Whether its loss wants one column per label instead of integer codes.
        width: Size of its last axis.
        name: Name of the output, or None where there is only one.
        position: Its place among the model's outputs.
        shape: Its shape without the batch, where that is more than `(width,)`: steps of a series, points of a map.
    """

    task: Task
    from_logits: bool
    one_hot: bool
    width: int
    name: str | None = None
    position: int = 0
    shape: tuple[int, ...] = ()

    @property
    def of_labels(self) -> bool:
        """Whether the output has a column for each label: a softmax, of yes and no too."""
        return self.task == "multiclass" or (self.task == "binary" and self.width == 2)


def scored_answers(y: Any, kind: OutputKind) -> Any:
    """Return the answers of the scored output, in plain form."""
    if isinstance(y, Mapping):
        return y[kind.name]
    return y[kind.position] if isinstance(y, list | tuple) else y
