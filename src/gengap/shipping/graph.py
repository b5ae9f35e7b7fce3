"""One Keras model from trained ones: their forecasts, the mean of these, and a temperature, all in layers of Keras."""

from collections.abc import Sequence
from typing import Any

import keras

from gengap.datasets.output_kind import OutputKind
from gengap.errors import ModelError
from gengap.keras_models.always_noisy import input_like, with_noise_on
from gengap.keras_models.heads import input_structure
from gengap.keras_models.private import all_layers, calls_its_graph, is_keras_own
from gengap.keras_models.rebuild import is_graph
from gengap.sampling.noise_layers import is_noise_layer

_TINY = 1e-12
"""As `gengap.verification.recalibration` keeps probabilities from 0 and 1; a normal number in float32 too."""


def one_model(
    models: Sequence[Any],
    kind: OutputKind,
    *,
    seeds: Sequence[int],
    temperature: float | None,
    noise: bool,
) -> Any:
    """Return one model that forecasts what trained ones forecast in the mean.

    Args:
        models: Trained models of one architecture.
        kind: How their scored output is read.
        seeds: Their seeds, for names.
        temperature: Divides the log-odds of the mean forecast; None leaves it as it is.
        noise: Whether the models' noise layers stay on when the model is called.

    Returns:
        A model without compile state: probabilities or real numbers, never logits. A single model that needs no
        change but its compile state taken off keeps its layers as they are.

    Raises:
        ModelError: A subclassed model would have to be changed, or noise cannot be left on.
    """
    if not is_graph(models[0]):
        return _subclassed(models, kind, changed=temperature is not None or noise)
    models = [with_noise_on(one, is_noise_layer) if noise else one for one in models]
    if len(models) == 1:
        inputs, forecast = _own_graph(models[0], kind)
    else:
        inputs, forecast = _mean(models, kind, seeds)
    if temperature is not None:
        forecast = _tempered(forecast, temperature, kind)
    return keras.Model(inputs, forecast, name="shipped")


def own_classes(model: keras.Model) -> tuple[str, ...]:
    """Names of the classes that a reader of the saved model needs besides Keras."""
    kinds = {type(layer) for layer in all_layers(model)}
    return tuple(sorted(kind.__name__ for kind in kinds if not is_keras_own(kind)))


def _subclassed(models: Sequence[Any], kind: OutputKind, *, changed: bool) -> Any:
    model = models[0]
    two = kind.task == "binary" and kind.of_labels
    if len(models) > 1 or changed or kind.from_logits or kind.name is not None or two:
        raise ModelError(
            f"The model {model.name!r} is subclassed, so that its graph cannot be joined to anything: ship the run of "
            "one seed (`seeds='median'`) whose only output is a forecast, without temperature and noise; or build the "
            "model with keras.Sequential or keras.Model(inputs, outputs)."
        )
    model.compiled = False  # Keras then saves and loads it without loss and optimizer
    return model


def _own_graph(model: keras.Model, kind: OutputKind) -> tuple[Any, Any]:
    """Inputs and forecast of a model, in its own graph where its call is a walk through it."""
    if isinstance(model, keras.Sequential) or calls_its_graph(model):
        outputs = model.outputs
        return input_structure(model), _forecast(outputs[kind.position], kind)
    inputs = keras.tree.map_structure(input_like, input_structure(model))
    return inputs, _forecast(keras.tree.flatten(model(inputs))[kind.position], kind)


def _mean(models: Sequence[Any], kind: OutputKind, seeds: Sequence[int]) -> tuple[Any, Any]:
    inputs = keras.tree.map_structure(input_like, input_structure(models[0]))
    forecasts = []
    for model, seed in zip(models, seeds, strict=True):
        member = keras.Model(*_own_graph(model, kind), name=f"seed_{seed}")
        forecasts.append(member(inputs))
    return inputs, keras.layers.Average(name="mean_of_seeds", dtype="float32")(forecasts)


def _forecast(raw: Any, kind: OutputKind) -> Any:
    """The forecast that a raw output stands for."""
    if kind.from_logits:
        link = "softmax" if kind.of_labels or kind.one_hot else "sigmoid"
        raw = keras.layers.Activation(link, dtype="float32", name="probability")(raw)
    return keras.ops.take(raw, [1], axis=-1) if kind.task == "binary" and kind.of_labels else raw


def _tempered(forecast: Any, temperature: float, kind: OutputKind) -> Any:
    """The forecast with its log-odds divided by the temperature."""
    forecast = keras.ops.cast(forecast, "float32")
    logs = keras.ops.log(keras.ops.maximum(forecast, _TINY))
    if kind.task == "multiclass":
        return keras.ops.softmax(logs / temperature)
    odds = logs - keras.ops.log(keras.ops.maximum(1.0 - forecast, _TINY))
    return keras.ops.sigmoid(odds / temperature)
