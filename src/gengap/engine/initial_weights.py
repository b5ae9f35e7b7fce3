"""Initial weights as a pure function of (seed, layer class, ordinal within that class, weight)."""

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from gengap.engine.randomness import key
from gengap.errors import GengapWarning
from gengap.remedies.graph import made_anew

Array = np.ndarray[Any, np.dtype[Any]]


def identified_layers(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield every layer of a model, nested ones too, with its identity, for example `"Dense/1"`.

    The identity is the class and the ordinal within that class, so inserting a Dropout or BatchNormalization layer
    changes the identity of no other layer, and variants of a seed share what they can. Names are no identity: Keras
    numbers them on through a whole session.
    """
    seen: Counter[str] = Counter()
    for layer in model._flatten_layers(include_self=False):  # noqa: SLF001  the public `layers` hides nested ones
        name = type(layer).__name__
        yield f"{name}/{seen[name]}", layer
        seen[name] += 1


def draw_initial_weights(model: keras.Model, seed: int) -> list[Array]:
    """Draw the weights that a run starts from.

    Every weight is drawn by its own initializer, keyed by (seed, layer, weight), also where the initializer carries a
    fixed seed. Layers without trainable weights of their own keep what they hold: frozen ones, and adapted ones such
    as `Normalization`.

    Args:
        model: A built model; it is not changed.
        seed: Seed of the run.

    Returns:
        Values in the order of `model.weights`.
    """
    values = {id(weight): weight for weight in model.weights}
    for identity, layer in identified_layers(model):
        own = [*layer._trainable_variables, *layer._non_trainable_variables]  # noqa: SLF001  those of this layer alone
        if not any(weight.trainable for weight in own) or not layer.trainable:
            continue
        twin = _built_twin(layer, identity, seed)
        if twin is None:
            continue
        fresh = [*twin._trainable_variables, *twin._non_trainable_variables]  # noqa: SLF001
        values.update({id(weight): new for weight, new in zip(own, fresh, strict=True)})
    return [keras.ops.convert_to_numpy(values[id(weight)]) for weight in model.weights]


def _built_twin(layer: Any, identity: str, seed: int) -> Any | None:
    """Build the layer once more, each of its random initializers with a key of its own; None where it cannot be."""
    try:
        twin = made_anew(layer)
        for name, value in list(vars(twin).items()):
            if _is_random(value):
                setattr(twin, name, _keyed(value, key(seed, "weights", identity, name)))
        original_add_weight = twin.add_weight

        def add_weight(*args: Any, initializer: Any = None, name: str | None = None, **kwargs: Any) -> Any:
            initializer = keras.initializers.get(initializer)
            if _is_random(initializer):
                initializer = _keyed(initializer, key(seed, "weights", identity, name or len(twin.weights)))
            return original_add_weight(*args, initializer=initializer, name=name, **kwargs)

        twin.add_weight = add_weight
        with keras.device("cpu"):
            twin.build_from_config(layer.get_build_config())
    except (NotImplementedError, TypeError, ValueError, AttributeError) as reason:
        warnings.warn(
            f"The weights of layer {layer.name!r} ({type(layer).__name__}) cannot be drawn anew, so they start equal "
            f"for every seed: give the class a `get_config` from which it can be built ({reason}).",
            GengapWarning,
            stacklevel=4,
        )
        return None
    return twin if len(twin.weights) == len(layer.weights) else None


def _is_random(value: Any) -> bool:
    return isinstance(value, keras.initializers.Initializer) and "seed" in value.get_config()


def _keyed(initializer: Any, new_key: int) -> Any:
    config = initializer.get_config() | {"seed": new_key % 2**31}
    return type(initializer).from_config(config)
