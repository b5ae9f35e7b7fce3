"""A space for those who have none: the remedies that fit this model and these data, their ranges, and why."""

from typing import Any

from scipy.stats import loguniform

from gengap.datasets.split import Dataset, Split
from gengap.errors import DataError, RemedyError
from gengap.remedies import suggest
from gengap.remedies.base import Model, Variant
from gengap.remedies.fine_tuning import LearningRate
from gengap.remedies.notation import snake
from gengap.searching.space import Space, read_space

_RANGES: dict[str, tuple[Any, str]] = {
    "spatial_dropout": ([None, (0.05, 0.5)], "half of the maps is the most that papers report to pay"),
    "dropout": ([None, (0.05, 0.7)], "beyond 0.7 hidden layers carry little signal"),
    "l2": ([None, loguniform(1e-5, 1e-1)], "four decades around the tutorials' 0.001"),
    "weight_decay": ([None, loguniform(1e-4, 1.0)], "four decades around AdamW's 0.004, times the learning rate"),
    "label_smoothing": ([None, 0.05, 0.1, 0.2], "few values: it changes the loss, so each trains apart"),
}
"""Values by remedy, and why these."""


def suggest_space(model: Model, x: Any, y: Any = None) -> Space:
    """Return a space of the remedies that `gengap.suggest` finds fit for a model, with the learning rate beside them.

    Only remedies with a strength whose trials train as one program are taken (and label smoothing, with few values).
    All of them may be off.

    Args:
        model: A compiled model.
        x: A `Dataset` or `Split`, or inputs.
        y: Answers, where `x` is inputs.

    Raises:
        DataError: Nothing fits.
    """
    data = x if isinstance(x, Dataset | Split) else (x, y)
    found: dict[Any, Any] = {}
    for suggestion in suggest(model, data):
        for part in suggestion.remedy.parts():
            name = snake(type(part).__name__)
            if name in _RANGES and part not in found and name not in {snake(type(one).__name__) for one in found}:
                found[part] = _RANGES[name][0]
    if _has_a_learning_rate(model):
        found["learning_rate"] = loguniform(0.1, 10)
    if not found:
        raise DataError("No remedy with a strength fits this model by itself: give `space`.")
    return read_space(found)


def reasons(space: Space) -> list[str]:
    """Return a sentence for every dimension of a suggested space."""
    said = []
    for one in space.dimensions:
        why = _RANGES[one.kind][1] if one.kind in _RANGES else "a tenth to ten times the model's own"
        said.append(f"{one.name}: {one.values} ({why})")
    return said


def _has_a_learning_rate(model: Model) -> bool:
    """Tell whether the model has a learning rate that is a number: not one that follows a schedule."""
    try:
        LearningRate(0.5).treat(Variant("", model))
    except RemedyError:
        return False
    return True
