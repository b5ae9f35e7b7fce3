"""The kernels of a layer, wherever its configuration keeps them: convolutions, recurrent cells, wrappers."""

import copy
from collections.abc import Callable
from typing import Any

from gengap.remedies.graph import Operation

PARTS = ("kernel", "recurrent", "depthwise", "pointwise", "embeddings")
"""What Keras' layers call weights that multiply: `kernel_regularizer`, `recurrent_constraint`, ..."""

INSIDE = ("layer", "backward_layer", "cell")
"""Where wrappers and recurrent layers keep the configuration of what is inside."""


def edited(layer: Operation, suffix: str, change: Callable[[Any], Any]) -> dict[str, Any] | None:
    """Return a layer's configuration with every `<kernel>_<suffix>` entry changed, or None where it has none.

    Args:
        layer: A Keras layer; wrappers and cells are entered.
        suffix: `"regularizer"` or `"constraint"`.
        change: From the entry (serialized, or None) to the new one.
    """
    config = copy.deepcopy(layer.get_config())
    return config if _edit(config, suffix, change) else None


def _edit(config: dict[str, Any], suffix: str, change: Callable[[Any], Any]) -> bool:
    keys = [f"{part}_{suffix}" for part in PARTS if f"{part}_{suffix}" in config]
    for key in keys:
        config[key] = change(config[key])
    # a list, so that every wrapped layer is edited and none is skipped by any()
    inside = [_edit(config[key]["config"], suffix, change) for key in INSIDE if _is_layer(config.get(key))]
    return bool(keys) or any(inside)


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("config"), dict)
