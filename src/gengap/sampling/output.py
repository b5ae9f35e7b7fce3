"""What a model's raw output means: read once, then applied to every pass."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Task
from gengap.engine.outputs import OutputKind, describe_output, to_predictions
from gengap.engine.runs import TrainingSettings


class OutputReader:
    """Turns raw outputs into probabilities or real numbers, never logits.

    Args:
        kind: What the output is.
    """

    def __init__(self, kind: OutputKind) -> None:
        self.task = kind.task
        self._settings = TrainingSettings(
            epochs=0, batch_size=1, task=kind.task, from_logits=kind.from_logits, score="", output=kind.name
        )

    def __call__(self, raw: Any) -> NDArray[np.float32]:
        """Return predictions, `(rows,)` or `(rows, labels)`, of a model's raw output as NumPy arrays."""
        return to_predictions(raw, self._settings)


def reader(model: Any, task: Task | None) -> OutputReader:
    """Return what reads a model's output.

    Args:
        model: A built model; compiled, unless `task` is given.
        task: What it predicts; None reads it from loss and last activation.

    Raises:
        ModelError: The model is not compiled and `task` is None, or loss and last activation contradict each other.
    """
    if task is not None and not model.compiled:
        return OutputReader(OutputKind(task=task, from_logits=False, one_hot=False, width=0))
    kind = describe_output(model)
    return OutputReader(kind if task is None else replace(kind, task=task))
