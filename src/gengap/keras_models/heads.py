"""A model's several outputs and inputs: what they are called, and which array belongs to which, as Keras binds them."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import tree

from gengap.errors import DataError, ModelError


def output_names(model: keras.Model) -> list[str]:
    """Return the names of the outputs of a model, in the order of its flattened outputs.

    Outputs that the model returns as a mapping go by its keys, as in Keras' logs; others by the names of their layers.
    Those of a subclassed model have none: they are `"output_1"`, `"output_2"`, or the empty name of a single one.
    """
    structure = output_structure(model)
    if isinstance(structure, Mapping):
        paths = [path for path, _ in tree.flatten_with_path(structure)]
        return ["/".join(map(str, path)) for path in paths]
    if names := getattr(model, "output_names", None):
        return list(names)
    count = len(tree.flatten(structure))
    return [""] if count == 1 else [f"output_{number}" for number in range(1, count + 1)]


def output_structure(model: keras.Model) -> Any:
    """Return the symbolic outputs of a model in their structure; a subclassed model computes them from its inputs.

    Raises:
        ModelError: The model has not been built.
    """
    try:
        return model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    except (AttributeError, ValueError, TypeError):
        pass
    taken = symbolic_inputs(model)
    if taken is None:
        raise ModelError("The model has not been built: call it once on some of its data before bringing it to gengap.")
    if isinstance(model, keras.Sequential):  # without a graph; its own spec hands `training` to layers that take none
        return keras.KerasTensor(model.compute_output_shape(taken.shape), model.compute_dtype)
    return model.compute_output_spec(taken)


def symbolic_inputs(model: keras.Model) -> Any:
    """Return stand-ins of what a subclassed model was built on, in their structure; None where it is not built."""
    built_on = (model.get_build_config() or {}).get("input_shape")
    return None if built_on is None else _stand_ins(built_on)


def _stand_ins(shapes: Any) -> Any:
    if isinstance(shapes, Mapping):
        return {name: _stand_ins(shape) for name, shape in shapes.items()}
    if any(isinstance(one, list | tuple | Mapping) for one in shapes):
        return [_stand_ins(shape) for shape in shapes]
    return keras.KerasTensor(shapes)


def answers_by_name(names: list[str], y: Any, what: str) -> dict[str, Any]:
    """Return the answers of a model with several outputs as a mapping from their names.

    Args:
        names: Names of its outputs, in order.
        y: Answers: a mapping by name, or a list in the order of the outputs.
        what: What they are, for messages.

    Raises:
        DataError: They are neither, or there are too many or unknown ones.
    """
    listed = ", ".join(names)
    if isinstance(y, Mapping):
        if unknown := [str(name) for name in y if name not in names]:
            raise DataError(f"{what} has answers named {', '.join(unknown)}; the model's outputs are {listed}.")
        return dict(y)
    if not isinstance(y, list | tuple):
        raise DataError(f"The model has the outputs {listed}: `y` of {what} must be a mapping with these names.")
    if len(y) != len(names):
        raise DataError(f"The model has the outputs {listed}, but `y` of {what} is a list of {len(y)}.")
    return dict(zip(names, y, strict=True))


def flat_answers(model: keras.Model, y: Any) -> list[Any]:
    """Return answers in the order of a model's flattened outputs, None for outputs without any.

    Args:
        model: The model.
        y: One array, a mapping by name, or a list in the order of the outputs.
    """
    if isinstance(y, Mapping):
        names = output_names(model)
        return [y.get(name) for name in names] if set(names) & set(y) else list(tree.flatten(y))[: len(names)]
    return list(tree.flatten(y)) if tree.is_nested(y) else [y]


def in_columns(model: keras.Model, y: Mapping[str, Any]) -> dict[str, Any]:
    """Return answers by name, those of shape (n,) as a column where the output is one: losses would broadcast them."""
    shapes = {name: tuple(one.shape) for name, one in zip(output_names(model), _flat_outputs(model), strict=True)}
    return {
        name: values[:, None] if values.ndim == 1 and shapes[name][1:] == (1,) else values for name, values in y.items()
    }


def _flat_outputs(model: keras.Model) -> list[Any]:
    return list(tree.flatten(output_structure(model)))


def as_returned(model: keras.Model, y: Any) -> Any:
    """Return answers in the structure of a model's outputs, so that Keras cannot bind them otherwise."""
    if not isinstance(y, Mapping | list | tuple):
        return y
    structure, flat = output_structure(model), flat_answers(model, y)
    return tree.pack_sequence_as(structure, flat) if tree.is_nested(structure) else flat[0]


def input_names(model: keras.Model) -> list[str]:
    """Return what a mapping of inputs must call them: the keys that the model was made with, else its Inputs' names.

    Nothing for a subclassed model, whose code alone knows.
    """
    structure = input_structure(model)
    if isinstance(structure, Mapping):
        return ["/".join(map(str, path)) for path, _ in tree.flatten_with_path(structure)]
    return [tensor.name for tensor in tree.flatten(structure)] if structure is not None else []


def input_structure(model: keras.Model) -> Any:
    """Return the symbolic inputs of a model in their structure; None for a subclassed model."""
    try:
        return model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    except (AttributeError, ValueError, TypeError):
        return None


def flat_inputs(model: keras.Model, x: Any) -> list[Any]:
    """Return a user's `x` as the flat list of a model's inputs, bound as Keras binds them.

    Args:
        model: A model.
        x: One array, a list in the order of the inputs, or a mapping: by the keys that the model was made with, or
            where it was made with a list by the names of its Inputs.

    Raises:
        DataError: A mapping has other names, or a list leaves open which input is which.
    """
    structure = input_structure(model)
    if structure is None:
        return list(tree.flatten(x)) if isinstance(x, Mapping | list | tuple) else [x]
    if isinstance(x, Mapping):
        names = input_names(model)
        if set(names) <= set(x):
            return [x[name] for name in names]
        if _same_paths(structure, x):
            return list(tree.flatten(x))
        raise DataError(
            f"`x` has inputs named {', '.join(map(str, x))}; the model's inputs are named {', '.join(names)}."
        )
    if not isinstance(x, list | tuple):
        return [x]
    if isinstance(structure, Mapping) and list(structure) != sorted(structure):
        raise DataError(
            f"The model was made with a mapping of inputs, {', '.join(map(str, structure))}: give `x` as a mapping "
            "with these names, since a list leaves open which is which."
        )
    return list(tree.flatten(x))


def as_taken(model: keras.Model, x: Any) -> Any:
    """Return inputs in the structure that a model was made with, so that Keras cannot bind them otherwise."""
    structure = input_structure(model)
    if structure is None or not tree.is_nested(structure) or not isinstance(x, Mapping | list | tuple):
        return flat_inputs(model, x)[0] if structure is not None and isinstance(x, Mapping) else x
    return tree.pack_sequence_as(structure, flat_inputs(model, x))


def _same_paths(structure: Any, x: Any) -> bool:
    paths = [[path for path, _ in tree.flatten_with_path(one)] for one in (structure, x)]
    return paths[0] == paths[1]
