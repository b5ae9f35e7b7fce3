"""What is read off the models of many runs, once for each model: the seeds of a variant share theirs."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Value = TypeVar("Value")


def of_each(models: Sequence[Any], read: Callable[[Any], Value]) -> list[Value]:
    """Return `read(model)` for the model of each run; it is called once for a model that several runs share.

    Keras walks all layers of a model to list its weights, which takes milliseconds where there are hundreds of layers.

    Args:
        models: The model of each run.
        read: What is wanted of a model; its value is shared by the runs, so it must not be changed.
    """
    values = {key: read(model) for key, model in {id(model): model for model in models}.items()}
    return [values[id(model)] for model in models]
