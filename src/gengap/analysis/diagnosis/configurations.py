"""In which respects two Keras models differ, read from their configurations, without Keras."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any


def differences(model: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, tuple[str, str]]:
    """Return in which respects two Keras configurations differ: respect -> (first, second), in words.

    Respects are `layers` (their kinds and number), `width` (units and filters), `penalty`, `noise`, `normalization`,
    `preprocessing`, `activation`, `initializer`, `optimizer` and `loss`. A layer that noise, normalization or
    preprocessing adds counts there, not under `layers`.
    """
    if model is None or other is None:
        return {}
    mine, theirs = _respects(model), _respects(other)
    return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}


_NOISE = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
)
_NORMALIZATION = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization")
_PREPROCESSING = (
    "Normalization", "Rescaling", "Discretization", "CategoryEncoding", "Hashing", "HashedCrossing", "StringLookup",
    "IntegerLookup", "TextVectorization", "CenterCrop", "Resizing", "RandomFlip", "RandomRotation", "RandomZoom",
    "RandomTranslation", "RandomContrast", "RandomBrightness", "RandomCrop", "RandomHeight", "RandomWidth",
)  # fmt: skip
_NEUTRAL = ("InputLayer", "Activation", "ReLU", "Flatten", "Reshape")


def _respects(model: Mapping[str, Any]) -> dict[str, str]:
    layers = list(_layers(model))
    compiled = model.get("compile_config") or {}
    optimizer = compiled.get("optimizer") or {}
    settings = optimizer.get("config", {}) if isinstance(optimizer, Mapping) else {}
    name = optimizer.get("class_name", "") if isinstance(optimizer, Mapping) else str(optimizer)
    kept = ("learning_rate", "weight_decay", "momentum", "use_ema", "clipnorm", "global_clipnorm", "clipvalue")
    settings = {**settings, "rates": _run_lengths(settings.get("factors") or ())}
    named = [key for key in (*kept, "rates") if settings.get(key) not in (None, False, 0.0, "")]
    shown = ", ".join(f"{key} {_short(settings[key])}" for key in named)
    kinds = [kind for kind, _ in layers if kind not in _NOISE + _NORMALIZATION + _PREPROCESSING + _NEUTRAL]
    return {
        "layers": ", ".join(kinds),
        "width": "/".join(str(c.get("units", c.get("filters"))) for _, c in layers if "units" in c or "filters" in c),
        "penalty": "; ".join(_penalties(layers)) or "none",
        "noise": ", ".join(f"{kind} {_rate(config)}" for kind, config in layers if kind in _NOISE) or "none",
        "normalization": ", ".join(kind for kind, _ in layers if kind in _NORMALIZATION) or "none",
        "preprocessing": ", ".join(_main(kind, config) for kind, config in layers if kind in _PREPROCESSING) or "none",
        "initializer": ", ".join(dict.fromkeys(_initializers(layers))) or "none",
        "activation": ", ".join(dict.fromkeys(str(c["activation"]) for _, c in layers if "activation" in c)),
        "optimizer": f"{name} ({shown})" if shown else str(name),
        "loss": _short(compiled.get("loss")),
    }


_SCALING = {
    *("Normalization", "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"),
    *("RMSNormalization", "Rescaling", "Embedding", "CategoryEncoding", "Discretization", "Hashing"),
}


def scales_its_inputs(model: Mapping[str, Any]) -> bool:
    """Tell whether a model normalizes, rescales or looks up its inputs before the first layer with a kernel."""
    for kind, config in _layers(model):
        if kind in _SCALING:
            return True
        if "kernel_initializer" in config:
            return False
    return False


def _layers(model: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield kind and configuration of every layer, nested models opened."""
    for layer in (model.get("config") or {}).get("layers", ()):
        config = layer.get("config") or {}
        if "layers" in config:
            yield from _layers(layer)
        else:
            yield str(layer.get("class_name")), config


def _penalties(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    for kind, config in layers:
        for place in ("kernel_regularizer", "bias_regularizer", "depthwise_regularizer", "embeddings_regularizer"):
            regularizer = config.get(place)
            if regularizer:
                strengths = regularizer.get("config", {}) if isinstance(regularizer, Mapping) else {}
                shown = ", ".join(f"{key} {value:g}" for key, value in strengths.items() if value)
                yield f"{kind} {shown or _short(regularizer)}"


def _initializers(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    for _, config in layers:
        for place in ("kernel_initializer", "embeddings_initializer", "depthwise_initializer"):
            if isinstance(config.get(place), Mapping):
                chosen = dict(config[place].get("config") or {})
                chosen.pop("seed", None)
                shown = ", ".join(f"{key} {_short(value)}" for key, value in chosen.items() if value is not None)
                yield " ".join([str(config[place].get("class_name")), shown]).strip()


def _main(kind: str, config: Mapping[str, Any]) -> str:
    """Its kind and the settings of a preprocessing layer that say what it does to its input."""
    kept = ("mean", "variance", "scale", "offset", "factor", "height", "width", "num_tokens", "max_tokens", "mode")
    return " ".join([kind, *(f"{key} {_short(config[key])}" for key in kept if config.get(key) is not None)])


def _rate(config: Mapping[str, Any]) -> str:
    return f"{config.get('rate', config.get('stddev', '')):g}"


def _run_lengths(factors: Sequence[float]) -> str:
    """Return factors of trained weights as `0.1 of 12, 1 of 2`."""
    return ", ".join(f"{_short(value)} of {len(list(equal))}" for value, equal in groupby(factors))


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        settings = value.get("config")
        inner = settings if isinstance(settings, Mapping) else {}
        changed = [
            f"{key} {inner[key]}"
            for key in ("from_logits", "label_smoothing", "initial_learning_rate")
            if inner.get(key)
        ]
        return " ".join([str(value.get("class_name", value)), *changed])
    return f"{value:.3g}" if isinstance(value, float) else str(value)
