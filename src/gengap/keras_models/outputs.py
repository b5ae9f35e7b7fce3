"""What a model's output means, read from its loss and its last activation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import tree
from numpy.typing import NDArray
from scipy import special

from gengap.datasets.output_kind import OutputKind as OutputKind  # noqa: PLC0414  read from here, too
from gengap.datasets.output_kind import scored_answers as scored_answers  # noqa: PLC0414
from gengap.datasets.split import Task
from gengap.errors import ModelError, UnknownNameError
from gengap.keras_models.agreement import PROBABILITIES, check_agreement, check_task, declared_link, read_task
from gengap.keras_models.heads import answers_by_name, in_columns, output_names, output_structure
from gengap.keras_models.loss_kinds import read_loss
from gengap.keras_models.private import history_of, inputs_of_call, kind_of_operation
from gengap.naming import did_you_mean

_RESHAPING = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Identity)
_ACTIVATIONS = {name.replace("_", ""): name for name in dir(keras.activations)}


def describe_output(
    model: keras.Model,
    output: str | None = None,
    *,
    task: Task | None = None,
    from_logits: bool | None = None,
    wants_codes: bool = False,
) -> OutputKind:
    """Read the kind of a model's scored output from its loss and last activation.

    Args:
        model: A compiled, built model.
        output: Name of the scored output of a model with several; None takes the first.
        task: What the model predicts, where the user declares it; None reads it.
        from_logits: Whether the output still needs a sigmoid or softmax, under a loss of the user's own; None reads it
            from the last activation.
        wants_codes: Whether a loss of the user's own wants labels as integers.

    Raises:
        ModelError: The model is not compiled; its loss, its last activation and what is declared contradict each
            other; or they do not say what it predicts.
        UnknownNameError: The model has no such output.
    """
    if not model.compiled or model.loss is None:
        raise ModelError(
            "The model is not compiled: call `model.compile(optimizer, loss)` before bringing it to gengap."
        )
    index, name = _position(model, output)
    given = loss_of(model, index, name)
    if given is None:
        raise ModelError(f"The scored output {name!r} has no loss of its own: name another with `output`.")
    shape = tuple(tree.flatten(output_structure(model))[index].shape[1:])
    width, activation = int(shape[-1] or 0) if shape else 1, _last_activation(model, index)
    loss = read_loss(given, width)
    check_agreement(loss, activation, width)
    logits = declared_link(loss, activation, task, from_logits) if loss.family == "own" else loss.from_logits
    if task is None:
        task = read_task(loss, activation, width)
    task = check_task(task, loss, activation, width, from_logits=logits)
    of_labels = OutputKind(task, logits, one_hot=False, width=width).of_labels
    one_hot = loss.family == "one-hot" or (
        of_labels and (loss.family in {"binary", "numbers"} or (loss.family == "own" and not wants_codes))
    )
    kind = OutputKind(task, logits, one_hot, width, name, index)
    return kind if len(shape) == 1 else _of_more_axes(kind, shape)


def _of_more_axes(kind: OutputKind, shape: Sequence[int | None]) -> OutputKind:
    """Read an output of a series or a map: numbers stand side by side as the targets of a case."""
    if kind.task != "regression" and set(shape) != {1}:
        raise ModelError(
            f"The scored output has shape {tuple(shape)} for each case, and gengap scores one probability, or one for "
            "each label, of every case: end the model in one answer for each case, as by a pooling or Flatten."
        )
    if None in shape:
        raise ModelError(
            f"The scored output has shape {tuple(shape)} for each case, whose size is open: give the model's Input a "
            "full shape."
        )
    sizes = tuple(int(size or 0) for size in shape)
    return replace(kind, width=math.prod(sizes), shape=sizes)


def targets(y: Any, kind: OutputKind) -> Any:
    """Give answers the form that a run's loss wants.

    Args:
        y: Answers in plain form, see `TrainingData`; of a mapping those of the scored output.
        kind: How the run's output is to be read.

    Returns:
        float32 of shape `(n, width)` (a column, or one-hot); integer codes of shape `(n,)` where the loss wants them.
    """
    if isinstance(y, Mapping):
        return y if kind.name not in y else {**y, kind.name: targets(y[kind.name], kind)}
    values = np.asarray(y)
    if kind.of_labels:
        codes = values.astype(np.int64)
        return np.eye(kind.width, dtype=np.float32)[codes] if kind.one_hot else codes
    return values.astype(np.float32).reshape(len(values), *(kind.shape or (-1,)))


def plain_answers(y: Any, model: keras.Model, kind: OutputKind) -> Any:
    """Return answers in the plain form of `TrainingData`, where they are as losses want them.

    Args:
        y: One array, or for models with several outputs a mapping by name or a list in their order.
        model: One of the models.
        kind: How its scored output is read.
    """
    scored = np.asarray(_of_scored(y, model, kind))
    if kind.of_labels and scored.ndim == 2:
        scored = scored[:, 0] if scored.shape[1] == 1 else scored.argmax(axis=1)
    if kind.shape:
        scored = scored.reshape(len(scored), -1)
    if kind.name is None:
        return scored
    given = answers_by_name(output_names(model), y, "the data")
    return {**in_columns(model, {name: np.asarray(one) for name, one in given.items()}), kind.name: scored}


def _of_scored(y: Any, model: keras.Model, kind: OutputKind) -> Any:
    if kind.name is not None:
        return answers_by_name(output_names(model), y, "the data")[kind.name]
    return next(iter(y.values())) if isinstance(y, Mapping) and len(y) == 1 else y


def wants_codes(y: Any, models: Sequence[keras.Model], kind: OutputKind) -> bool:
    """Tell whether a model's own loss of several labels is to get them as integers, since the user gave integers."""
    losses = [loss_of(model, *_position(model, kind.name)) for model in models]
    if not kind.of_labels or all(read_loss(loss, kind.width).family != "own" for loss in losses):
        return False
    return np.shape(_of_scored(y, models[0], kind))[1:] in {(), (1,)}


def to_predictions(raw: Any, kind: OutputKind) -> NDArray[np.float32]:
    """Turn a model's raw output into what is kept and scored: probabilities or real numbers, never logits.

    Args:
        raw: Raw output, shape `(n, width)` or `(n,)`; a mapping or list of such for a model with several outputs.
        kind: How the run's output is to be read.

    Returns:
        float32, shape `(n,)` for a binary task and for regression of one target, else `(n, width)`.
    """
    values = np.asarray(tree.flatten(raw)[kind.position] if tree.is_nested(raw) else raw, dtype=np.float32)
    if kind.from_logits:
        of_labels = kind.of_labels or kind.one_hot
        values = special.softmax(values, axis=-1) if of_labels else special.expit(values)
    if kind.task == "binary" and kind.of_labels:
        return np.ascontiguousarray(values[..., 1])
    values = values.reshape(len(values), -1) if kind.shape else values
    flat = kind.task != "multiclass" and values.ndim == 2 and values.shape[-1] == 1
    return values[:, 0] if flat else values


def output_position(model: keras.Model, output: str) -> int:
    """Return the place of a named output among a model's outputs.

    Raises:
        UnknownNameError: The model has no such output.
    """
    return _position(model, output)[0]


def read_activation(model: keras.Model, output: str | None = None) -> Task | None:
    """Return what the last activation of an output says that it predicts: nothing where it is none of probabilities."""
    return PROBABILITIES.get(_last_activation(model, _position(model, output)[0]) or "")


def _position(model: keras.Model, output: str | None) -> tuple[int, str | None]:
    names = output_names(model)
    if output is None:
        return 0, names[0] if len(names) > 1 else None
    if output not in names:
        near = did_you_mean(output, names)
        raise UnknownNameError(f"The model has no output {output!r}{near}; its outputs are {', '.join(names)}.")
    return names.index(output), output if len(names) > 1 else None


def loss_of(model: keras.Model, index: int, name: str | None) -> Any:
    """Return the loss that a compiled model gives an output, by its place and name; None where it has none."""
    loss = model.loss
    if isinstance(loss, Mapping):
        return next(iter(loss.values())) if name is None else loss.get(name)
    return loss[index] if isinstance(loss, list | tuple) else loss


def _last_activation(model: keras.Model, index: int) -> str | None:
    """Return the name of the activation that makes the output, or None where it cannot be read."""
    try:
        tensor = model.outputs[index]
    except AttributeError:
        return None
    while True:
        operation, call, place = history_of(tensor)
        if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            tensor = operation.outputs[place]
        elif isinstance(operation, _RESHAPING):
            tensor = inputs_of_call(operation, call)[0]
        else:
            return _activation_of(operation)


def _activation_of(operation: keras.Operation) -> str | None:
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return str(getattr(activation, "__name__", None))
    return _ACTIVATIONS.get(kind_of_operation(operation).lower())  # a layer such as ReLU, or a function of `keras.ops`
