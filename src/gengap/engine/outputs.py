"""What a model's output means, read from its loss and its last activation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import special

from gengap.datasets.split import Task
from gengap.errors import ModelError, UnknownNameError

_BINARY = {"binary_crossentropy", "binary_focal_crossentropy"}
_ONE_HOT = {"categorical_crossentropy", "categorical_focal_crossentropy"}
_CODES = {"sparse_categorical_crossentropy"}
_PROBABILITIES: dict[str, Task] = {"sigmoid": "binary", "hard_sigmoid": "binary", "softmax": "multiclass"}


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
    """

    task: Task
    from_logits: bool
    one_hot: bool
    width: int
    name: str | None = None
    position: int = 0


def describe_output(model: keras.Model, output: str | None = None, *, task: Task | None = None) -> OutputKind:
    """Read the kind of a model's scored output from its loss and last activation.

    Args:
        model: A compiled, built model.
        output: Name of the scored output of a model with several; None takes the first.
        task: What the model predicts, where the user declares it; None reads it.

    Raises:
        ModelError: The model is not compiled, or its loss and last activation contradict each other.
        UnknownNameError: The model has no such output.
    """
    if not model.compiled or model.loss is None:
        raise ModelError(
            "The model is not compiled: call `model.compile(optimizer, loss)` before bringing it to gengap."
        )
    index, name = _position(model, output)
    loss = _loss_of(model.loss, index, name)
    loss_name, from_logits = _loss_name(loss), takes_logits(loss)
    activation = _last_activation(model, index)
    width = int(_as_list(_output_shape(model))[index][-1])
    cross_entropy = loss_name in _BINARY | _ONE_HOT | _CODES
    if cross_entropy and activation == "linear" and not from_logits:
        raise ModelError(
            f"The model ends without an activation, but its loss {loss_name!r} expects probabilities: give the last "
            "layer a sigmoid or softmax, or use the loss with from_logits=True."
        )
    if task is None:
        task = _read_task(loss_name, activation)
    if task == "binary" and width != 1:
        raise ModelError(
            f"The model has {width} sigmoid outputs under {loss_name!r}: gengap scores one probability or one softmax. "
            "Declare one output per label, or study the labels one at a time."
        )
    return OutputKind(task, from_logits, loss_name not in _CODES and task == "multiclass", width, name, index)


def _read_task(loss_name: str, activation: str | None) -> Task:
    if loss_name in _BINARY:
        return "binary"
    if loss_name in _ONE_HOT | _CODES:
        return "multiclass"
    return _PROBABILITIES.get(activation or "", "regression")


def targets(y: Any, kind: OutputKind) -> Any:
    """Give answers the form that a run's loss wants.

    Args:
        y: Answers in plain form, see `TrainingData`; a mapping by output name passes unchanged.
        kind: How the run's output is to be read.

    Returns:
        float32 of shape `(n, width)` (a column, or one-hot); integer codes of shape `(n,)` where the loss wants them.
    """
    if isinstance(y, Mapping | list | tuple):
        return y
    values = np.asarray(y)
    if kind.task == "multiclass":
        codes = values.astype(np.int64)
        return np.eye(kind.width, dtype=np.float32)[codes] if kind.one_hot else codes
    return values.astype(np.float32).reshape(len(values), -1)


def to_predictions(raw: Any, kind: OutputKind) -> NDArray[np.float32]:
    """Turn a model's raw output into what is kept and scored: probabilities or real numbers, never logits.

    Args:
        raw: Raw output, shape `(n, width)` or `(n,)`; a mapping or list of such for a model with several outputs.
        kind: How the run's output is to be read.

    Returns:
        float32, shape `(n,)` for a binary task and for regression of one target, else `(n, width)`.
    """
    if isinstance(raw, Mapping):
        raw = raw[kind.name] if kind.name is not None else next(iter(raw.values()))
    elif isinstance(raw, list | tuple):
        raw = raw[kind.position]
    values = np.asarray(raw, dtype=np.float32)
    if kind.from_logits:
        values = special.softmax(values, axis=-1) if kind.task == "multiclass" else special.expit(values)
    flat = kind.task != "multiclass" and values.ndim == 2 and values.shape[-1] == 1
    return values[:, 0] if flat else values


def scored_answers(y: Any, kind: OutputKind) -> Any:
    """Return the answers of the scored output, in plain form."""
    if isinstance(y, Mapping):
        return y[kind.name]
    return y[kind.position] if isinstance(y, list | tuple) else y


def output_position(model: keras.Model, output: str) -> int:
    """Return the place of a named output among a model's outputs.

    Raises:
        UnknownNameError: The model has no such output.
    """
    return _position(model, output)[0]


def read_activation(model: keras.Model, output: str | None = None) -> Task | None:
    """Return what the last activation of an output says that it predicts: nothing where it is none of probabilities."""
    return _PROBABILITIES.get(_last_activation(model, _position(model, output)[0]) or "")


def output_names(model: keras.Model) -> list[str]:
    """Return the names of the outputs of a model; one empty name for a model whose outputs have none."""
    return list(getattr(model, "output_names", None) or [""])


def _position(model: keras.Model, output: str | None) -> tuple[int, str | None]:
    names = output_names(model)
    if output is None:
        return 0, names[0] if len(names) > 1 else None
    if output not in names:
        raise UnknownNameError(f"The model has no output {output!r}; its outputs are {', '.join(names)}.")
    return names.index(output), output


def _loss_of(loss: Any, index: int, name: str | None) -> Any:
    if isinstance(loss, Mapping):
        if name is None:
            return next(iter(loss.values()))
        if name not in loss:
            raise ModelError(f"The scored output {name!r} has no loss of its own; losses are given for {list(loss)}.")
        return loss[name]
    return loss[index] if isinstance(loss, list | tuple) else loss


def takes_logits(loss: Any) -> bool:
    """Tell whether a loss expects logits; functions and names expect probabilities."""
    if not isinstance(loss, keras.losses.Loss):
        return False
    # Keras 3.16 keeps no attribute of it in some losses, and a loss of the user's own need not have a configuration.
    own = getattr(loss, "from_logits", None)
    return bool(getattr(loss, "_fn_kwargs", {}).get("from_logits", False) if own is None else own)


def _loss_name(loss: Any) -> str:
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None) or type(loss).__name__
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _last_activation(model: keras.Model, index: int) -> str | None:
    """Return the name of the activation that makes the output, or None where it cannot be read."""
    try:
        operation = model.outputs[index]._keras_history.operation  # noqa: SLF001  no public way to the last operation
    except AttributeError:
        return None
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return str(getattr(activation, "__name__", None))
    return {"Softmax": "softmax", "Sigmoid": "sigmoid"}.get(type(operation).__name__)


def _output_shape(model: keras.Model) -> Any:
    """Return the shape of the output; a subclassed model shows none and computes it from what it was built on."""
    try:
        return model.output_shape
    except AttributeError:
        pass
    built_on = (model.get_build_config() or {}).get("input_shape")
    if built_on is None:
        raise ModelError("The model has not been built: call it once on some of its data before bringing it to gengap.")
    outputs = model.compute_output_spec(keras.KerasTensor(built_on))
    return keras.tree.map_structure(lambda output: tuple(output.shape), outputs)


def _as_list(shape: Any) -> list[Any]:
    if isinstance(shape, Mapping):
        return list(shape.values())
    return list(shape) if isinstance(shape, list) or isinstance(shape[0], tuple | list) else [shape]
