"""Whether the fused engine can train a model at all, and in one sentence why not."""

import keras

from gengap.keras_models.compile_state import computes_plain_loss
from gengap.keras_models.graph import has_masked_output
from gengap.keras_models.private import all_layers, own_metrics


def why_not_fused(model: keras.Model) -> str | None:
    """Return why a model has to take Keras' own loop; None where the fused engine trains it.

    Args:
        model: A compiled model.
    """
    if keras.backend.backend() != "torch":
        return f"Keras runs on {keras.backend.backend()}, the fused engine on torch"
    if not model.built:
        return "the model is not built before it has seen data"
    own = [name for name in ("train_step", "compute_loss", "compute_metrics") if _overrides(model, name)]
    layers = all_layers(model)
    reasons = {
        f"its class has a `{''.join(own[:1])}` of its own": bool(own),
        "it was compiled without a loss": not computes_plain_loss(model),
        "its output carries a mask": has_masked_output(model),
        "it keeps metrics besides those that it was compiled with": has_own_metrics(model),
        "it has no trainable weights, or some of several formats": len({w.dtype for w in model.trainable_weights}) != 1,
        "its weights are bfloat16": any(w.dtype == "bfloat16" for w in model.weights),
        "it holds a torch module": any(isinstance(layer, keras.layers.TorchModuleWrapper) for layer in layers),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def leaves_more_than_an_output(model: keras.Model) -> bool:
    """Tell whether a call leaves more than its values: masks, which losses and metrics heed, or metrics of layers."""
    return has_masked_output(model) or has_own_metrics(model)


def has_own_metrics(model: keras.Model) -> bool:
    """Tell whether a model or one of its layers keeps metrics that its code updates."""
    return any(bool(own_metrics(layer)) for layer in all_layers(model))


def _overrides(model: keras.Model, method: str) -> bool:
    return getattr(type(model), method) is not getattr(keras.Model, method)
