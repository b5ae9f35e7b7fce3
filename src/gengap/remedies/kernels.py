"""The kernels of a layer, wherever its configuration keeps them: convolutions, recurrent cells, wrappers."""

import copy
from collections.abc import Callable
from typing import Any

import keras

from gengap.keras_models.rebuild import Operation

PARTS = ("kernel", "recurrent", "depthwise", "pointwise", "embeddings")
"""What Keras' layers call weights that multiply: `kernel_regularizer`, `recurrent_constraint`, ..."""

INSIDE = ("layer", "backward_layer", "cell")
"""Where wrappers and recurrent layers keep the configuration of what is inside."""


Change = Callable[[Any, str, dict[str, Any]], Any]


def edited(layer: Operation, suffix: str, change: Change) -> dict[str, Any] | None:
    """Return a layer's configuration with every `<kernel>_<suffix>` entry changed, or None where it has none.

    Args:
        layer: A Keras layer or operation; wrappers and cells are entered.
        suffix: `"regularizer"` or `"constraint"`.
        change: From the entry (serialized, or None), the kernel's name and the configuration that holds both to the
            new entry.
    """
    config: dict[str, Any] = copy.deepcopy(layer.get_config()) if isinstance(layer, keras.Layer) else {}
    return config if _edit(config, suffix, change) else None


def _edit(config: dict[str, Any], suffix: str, change: Change) -> bool:
    parts = [part for part in PARTS if f"{part}_{suffix}" in config]
    for part in parts:
        config[f"{part}_{suffix}"] = change(config[f"{part}_{suffix}"], part, config)
    # a list, so that every wrapped layer is edited and none is skipped by any()
    inside = [_edit(config[key]["config"], suffix, change) for key in INSIDE if _is_layer(config.get(key))]
    return bool(parts) or any(inside)


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("config"), dict)
