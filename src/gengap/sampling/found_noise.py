"""What makes noise in a model, as values: which layers, how their draws go by rows, and what stays off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras

from gengap.keras_models.private import is_keras_own, layers_inside
from gengap.sampling.noise_layers import NoiseLayer, all_layers

Grain = Literal["rows", "member", "row"]
"""What a pass may hold: any rows, one member of the cases that are predicted together, or one member of one case."""

AUGMENTATION: Any = keras.layers.RandomFlip.__bases__[0]
"""What all of Keras' layers that augment images are derived from; it has no public name."""


@dataclass(frozen=True, eq=False)
class ForeignNoise:
    """A layer that draws its noise in code of its own: we answer its draws, and can set no strength.

    Attributes:
        layer: The layer.
        index: Position among the layers that do; part of its random numbers' key.
        by_row: For each of its draws in one pass whether every row has numbers of its own.
        unknown: Whether it draws from generators that are not Keras'.
        always: Whether it draws in inference mode too.
    """

    layer: keras.Layer
    index: int
    by_row: tuple[bool, ...]
    unknown: bool
    always: bool


@dataclass(frozen=True, eq=False)
class ModelNoise:
    """All that makes noise in a model.

    Attributes:
        own: Keras' noise layers, whose noise we make in their place.
        foreign: Other layers that draw.
        on: Layers that are told to train, that foreign noise be on; what stands inside them is not.
        off: Layers whose noise stays off, by name, with the reason.
        modes: By id of a layer, the `training` that it is called with in inference.
        ones_own: Layers that are not Keras': their code may leave traces.
    """

    own: tuple[NoiseLayer, ...]
    foreign: tuple[ForeignNoise, ...]
    on: tuple[Any, ...]
    off: Mapping[str, str]
    modes: Mapping[int, Any]
    ones_own: tuple[Any, ...]

    @property
    def grain(self) -> Grain:
        """How much a pass may hold, as far as the draws say; a layer that mixes rows may ask for less."""
        if any(one.unknown for one in self.foreign):
            return "row"
        return "rows" if all(all(one.by_row) for one in self.foreign) else "member"

    @property
    def always(self) -> list[str]:
        """Names of the layers that draw in inference too, and have no state of rest as a dropout has."""
        restless = [one.layer for one in self.foreign if one.always]
        return [layer.name for layer in restless if not isinstance(layer, keras.layers.Dropout)]

    @property
    def names(self) -> list[str]:
        """Names of the layers with noise of their own that is on."""
        return [one.layer.name for one in self.foreign]


def is_ones_own(layer: keras.Layer) -> bool:
    """Tell whether a layer is none of Keras' public ones: what its code does is not known."""
    return getattr(keras.layers, type(layer).__name__, None) is not type(layer) and not _is_keras_model(layer)


def treats_rows_alone(operation: keras.Operation) -> bool:
    """Tell whether an operation is known to treat every row of a batch by itself, in inference mode.

    Nothing is known of layers of one's own, of plain operations, which may reduce any axis, and of what carries a
    function of a user's.
    """
    if not isinstance(operation, keras.layers.Layer) or is_ones_own(operation):
        return False
    if _is_keras_model(operation):
        parts = operation.layers if isinstance(operation, keras.Sequential) else operation.operations
        return all(map(treats_rows_alone, parts))
    if type(operation).__name__ in _RUN_OTHERS or not all(map(_is_harmless, vars(operation).items())):
        return False
    inside = layers_inside(operation)
    return all(map(treats_rows_alone, inside))


def takes_masks_away(model: keras.Model) -> bool:
    """Tell whether masks travel through a model that has attention of several heads.

    Keras' layer takes the mask off the very tensors that it is called with, so that it depends on the order of a
    model's layers whether others that read them still see it: only Keras' own call of the whole model knows.
    """
    layers = all_layers(model)
    return any(isinstance(one, keras.layers.MultiHeadAttention) for one in layers) and any(map(_makes_masks, layers))


def _makes_masks(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False):
        return True
    return is_ones_own(layer) and not is_keras_own(type(layer).compute_mask)


_RUN_OTHERS = {"Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"}


def _is_keras_model(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.Model) and is_keras_own(layer)


def _is_harmless(attribute: tuple[str, Any]) -> bool:
    name, value = attribute
    if name in {"axis", "axes"} and value is not None:
        places: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
        return all(place == -1 or place > 0 for place in places)
    if name == "equation" and isinstance(value, str):  # of an EinsumDense: the first axis must come through
        given, result = value.replace("...", "").split("->")
        return "..." in value or result[:1] == given[:1]
    if callable(value) and hasattr(value, "__module__") and hasattr(value, "__code__"):
        return is_keras_own(value)
    return True
