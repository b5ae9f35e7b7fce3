"""What `compile` told a model, read in one place: losses and metrics as flat lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import tree

from gengap.datasets.output_kind import OutputKind
from gengap.keras_models.heads import flat_answers
from gengap.keras_models.private import (
    change_given_metrics,
    compile_loss,
    compile_metrics,
    flat_losses,
    flat_metrics,
    names_of_outputs,
    user_loss,
)


@dataclass(frozen=True, eq=False)
class CompiledLoss:
    """One loss of a model.

    Attributes:
        loss: The `keras.losses.Loss`.
        weight: Its weight in the objective.
        output: Place of its output among the flat outputs.
        name: What Keras calls it in logs, for models with several.
    """

    loss: Any
    weight: float
    output: int
    name: str


@dataclass(frozen=True, eq=False)
class CompiledMetric:
    """One metric of a model.

    Attributes:
        metric: The `keras.metrics.Metric`.
        name: Its name in logs.
        output: Place of its output among the flat outputs.
        weighted: Whether it wants sample weights.
    """

    metric: Any
    name: str
    output: int
    weighted: bool


def align_answers(model: keras.Model, y_true: Any, y_pred: Any) -> list[Any]:
    """Return the answers flat, in the order of the flattened outputs.

    Args:
        model: The model; names of its outputs match answers given as a mapping.
        y_true: Answers: one array, or a list or mapping of them.
        y_pred: The model's output, for its structure.
    """
    flat = flat_answers(model, y_true)
    return flat if tree.is_nested(y_pred) else flat[:1]


def compiled_losses(model: keras.Model, y_true: Sequence[Any], y_pred: Any) -> list[CompiledLoss]:
    """Return the losses of a compiled model.

    Args:
        model: The model; its compile state is read, not changed.
        y_true: Flat answers of some cases, see `align_answers`.
        y_pred: The model's output for them.
    """
    own: Any = compile_loss(model)
    fresh = type(own)(*user_loss(own), output_names=own.output_names)
    nested = tree.is_nested(y_pred)
    fresh.build(tree.pack_sequence_as(y_pred, list(y_true)) if nested else y_true[0], y_pred)
    paths = [path for path, _ in tree.flatten_with_path(y_pred)] if nested else [()]
    flat = flat_losses(fresh) if nested else flat_losses(fresh)[:1]
    return [
        CompiledLoss(
            one.loss,
            1.0 if one.loss_weights is None else float(one.loss_weights),
            paths.index(tuple(one.path)),
            one.name,
        )
        for one in flat
    ]


def compiled_metrics(model: keras.Model, y_true: Sequence[Any], y_pred: Any) -> list[CompiledMetric]:
    """Return the metrics of a compiled model, in the order of its logs; `loss` is not among them.

    Args:
        model: The model. Its metrics are reset and used.
        y_true: Flat answers of some cases, see `align_answers`.
        y_pred: The model's output for them.
    """
    own = compile_metrics(model)
    if own is None:
        return []
    nested = tree.is_nested(y_pred)
    if not own.built:
        own.build(tree.pack_sequence_as(y_pred, list(y_true)) if nested else y_true[0], y_pred)
    places = _places_of_metrics(own, y_pred)
    listed = [
        (metric, output, weighted)
        for group, weighted in zip(flat_metrics(own), (False, True), strict=True)
        for output, one in zip(places, group, strict=False)
        if one
        for metric in one.metrics
    ]
    answers, outputs = (tree.map_structure(_finite, one) for one in (list(y_true), y_pred))
    own.update_state(tree.pack_sequence_as(y_pred, answers) if nested else answers[0], outputs)
    names = list(own.result())
    own.reset_state()  # only now: some metrics make their variables when they first see data
    return [
        CompiledMetric(metric, name, output, weighted)
        for name, (metric, output, weighted) in zip(names, listed, strict=True)
    ]


def judge_logits_at_zero(model: keras.Model, kind: OutputKind) -> None:
    """Let the accuracy of an output of logits be that of its probabilities at .5: Keras compares the logits with .5.

    Args:
        model: A compiled clone, whose metrics are not built yet.
        kind: How its scored output is read.
    """
    own = compile_metrics(model)
    if own is None or own.built or kind.task != "binary" or kind.of_labels or not kind.from_logits:
        return
    change_given_metrics(own, lambda given: _at_zero_in(given, kind, len(model.outputs)))


def _at_zero_in(given: Any, kind: OutputKind, num_outputs: int) -> Any:
    """Return metrics as `compile` was given them, those of the scored output at 0."""
    if kind.name is None:
        return tree.map_structure(_at_zero, given)
    if isinstance(given, Mapping) and kind.name in given:
        return {**given, kind.name: tree.map_structure(_at_zero, given[kind.name])}
    if isinstance(given, list | tuple) and len(given) == num_outputs:
        place = kind.position
        return [*given[:place], tree.map_structure(_at_zero, given[place]), *given[place + 1 :]]
    return given


def _at_zero(metric: Any) -> Any:
    if isinstance(metric, str) and metric.lower() in {"accuracy", "acc", "binary_accuracy"}:
        return keras.metrics.BinaryAccuracy(name=metric, threshold=0.0)
    if type(metric) is keras.metrics.BinaryAccuracy and metric.get_config()["threshold"] == 0.5:
        return keras.metrics.BinaryAccuracy(name=metric.name, threshold=0.0)
    return metric


def named_values(name: str, result: Any) -> dict[str, float]:
    """Return what a metric gives as numbers by name: one for each label where it is an array, or by its own keys."""
    if isinstance(result, Mapping):
        return {f"{name}_{key}": float(value) for key, value in result.items()}
    values = np.asarray(keras.ops.convert_to_numpy(result), dtype=np.float64)
    if values.ndim == 0:
        return {name: float(values)}
    return {f"{name}_{place}": float(value) for place, value in enumerate(values.ravel())}


def _finite(values: Any) -> Any:
    """Return values that a metric can be shown, whatever the run that they come from has come to."""
    if values is None or not keras.backend.is_float_dtype(keras.backend.standardize_dtype(values.dtype)):
        return values
    return keras.ops.where(keras.ops.isfinite(values), values, 0.5)


def _places_of_metrics(own: Any, y_pred: Any) -> Sequence[int]:
    """Return which flat output each of the metrics' groups is of: for a mapping they have an order of their own."""
    paths = [path for path, _ in tree.flatten_with_path(y_pred)] if tree.is_nested(y_pred) else [()]
    names = names_of_outputs(own)
    if not isinstance(y_pred, Mapping) or names is None:
        return range(len(paths))
    return [paths.index((name,)) for name in names]


def has_metrics(model: keras.Model) -> bool:
    """Tell whether a model was compiled with metrics."""
    return compile_metrics(model) is not None


def computes_plain_loss(model: keras.Model) -> bool:
    """Tell whether a model was compiled with a loss."""
    return compile_loss(model) is not None
