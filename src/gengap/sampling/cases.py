"""The cases that a model is asked about: flat inputs, checked against what the model takes, in one sentence each."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from gengap.errors import DataError
from gengap.keras_models.graph import input_specs
from gengap.keras_models.heads import flat_inputs


def flat_cases(model: keras.Model, x: Any) -> list[Any]:
    """Return a user's `x` as the flat list of a model's inputs, each an array, a tensor or CSR rows.

    Args:
        model: A built model.
        x: Cases as the model takes them; plain lists of numbers are taken as an array.

    Raises:
        DataError: Inputs are missing or too many, their shapes are not the model's, they have different numbers of
            cases, or there is none.
    """
    specs = input_specs(model)
    if isinstance(x, list | tuple) and not any(hasattr(part, "shape") for part in x):
        x = np.asarray(x) if specs is None or len(specs) == 1 else [np.asarray(part) for part in x]
    bound = _by_key(model, x) if isinstance(x, Mapping) else None
    inputs = flat_inputs(model, x) if bound is None else bound
    for declared, values in zip(specs or (), inputs, strict=False):
        _check_shape(declared[0], values)
    if specs is not None and len(specs) != len(inputs):
        raise DataError(f"The model takes {len(specs)} inputs; `x` holds {len(inputs)}.")
    count_cases(inputs)
    return inputs


def pack_inputs(model: keras.Model, inputs: Sequence[Any], like: Any = None) -> Any:
    """Return flat inputs in the structure that a model takes.

    Args:
        model: A built model.
        inputs: In the order of `flat_cases`.
        like: What a user handed in: says how a subclassed model, which declares nothing, takes them.
    """
    declared = _declared(model)
    structure = like if declared is None else declared
    if not keras.tree.is_nested(structure) or len(keras.tree.flatten(structure)) != len(inputs):
        return inputs[0] if len(inputs) == 1 else list(inputs)
    return keras.tree.pack_sequence_as(structure, list(inputs))


def count_cases(inputs: Sequence[Any]) -> int:
    """Return the number of cases of flat inputs.

    Raises:
        DataError: There is no case, or inputs have different numbers of them.
    """
    counts = {int(values.shape[0]) for values in inputs}
    if len(counts) != 1 or 0 in counts:
        raise DataError(f"Every input must have the same number of cases, at least one; received {sorted(counts)}.")
    return counts.pop()


def _declared(model: keras.Model) -> Any:
    """Return the symbolic inputs of a model in their structure; None for a subclassed model."""
    try:
        return model.input
    except (AttributeError, ValueError):
        return None


def _by_key(model: keras.Model, x: Mapping[Any, Any]) -> list[Any] | None:
    """Return the inputs of a mapping in a model's order, bound by the keys that the model was made with, as Keras does.

    The names of the Input layers do not count then: they may be those of other keys.
    """
    declared = _declared(model)
    if not isinstance(declared, Mapping) or any(keras.tree.is_nested(one) for one in declared.values()):
        return None
    if not set(declared) <= set(x):
        return None
    flat = keras.tree.flatten(declared)
    place = {id(tensor): name for name, tensor in declared.items()}
    return [x[place[id(tensor)]] for tensor in flat]


def _check_shape(declared: Sequence[int | None], values: Any) -> None:
    shape = tuple(values.shape)
    given = shape[1:]
    fits = len(given) == len(declared) and all(want in {None, size} for want, size in zip(declared, given, strict=True))
    if fits or (len(shape) == 1 and tuple(declared) == (1,)):  # Keras takes (n,) for (n, 1)
        return
    wanted = ", ".join("any" if size is None else str(size) for size in declared)
    one = " For a single case give x[None]." if len(shape) == len(declared) else ""
    raise DataError(f"`x` must hold cases along its first axis, shape (n, {wanted}); received {shape}.{one}")
