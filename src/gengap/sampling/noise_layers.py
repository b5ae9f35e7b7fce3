"""Which layers of a model make noise, how strong it is, and how it enters: as a factor and a summand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.errors import UnknownNameError
from gengap.keras_models.noise_kinds import NoiseKind, mask_shape, noise_kind, shares_rows, strength_of
from gengap.keras_models.private import all_layers as layers_of
from gengap.sampling.masks import (
    Block,
    MaskStream,
    alpha_factor_and_summand,
    dropout_factor,
    gaussian_factor,
    gaussian_summand,
)

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NoiseLayer:
    """A layer whose noise we make ourselves, in place of Keras' own.

    Attributes:
        layer: The Keras layer.
        index: Position among the model's noise layers; part of its random numbers' key.
        kind: Which noise it makes.
    """

    layer: keras.Layer
    index: int
    kind: NoiseKind

    @property
    def trained_strength(self) -> float:
        """Its dropout rate, or the standard deviation of additive noise, as the model has it."""
        return strength_of(self.layer)

    def mask_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of one row's noise for one row's input of `shape`: 1 where values share it."""
        return mask_shape(self.layer, shape)

    def drawn_by_all(self, *, fixed_mask: bool) -> bool:
        """Return whether all cases share one mask: asked for, or since `noise_shape` has a batch axis of 1."""
        return fixed_mask or shares_rows(self.layer)

    def draw(
        self, stream: MaskStream, block: Block, shape: Sequence[int], strength: float
    ) -> tuple[Array | None, Array | None]:
        """Return factor and summand of the noise, each `(cases or 1, members, *shape)` or None where there is none."""
        size = int(np.prod(shape, dtype=int))
        factor: Array | None = None
        summand: Array | None = None
        match self.kind:
            case "dropout" | "spatial":
                factor = dropout_factor(stream, block, size, strength)
            case "gaussian_dropout":
                factor = gaussian_factor(stream, block, size, strength)
            case "gaussian_noise":
                summand = gaussian_summand(stream, block, size, strength)
            case "alpha":
                factor, summand = alpha_factor_and_summand(stream, block, size, strength)

        def shaped(values: Array | None) -> Array | None:
            return None if values is None else values.reshape(*values.shape[:2], *shape)

        return shaped(factor), shaped(summand)


@dataclass(frozen=True)
class NoiseStrength:
    """How strong the noise is at inference, which need not be what the model was trained with.

    Attributes:
        rate: Rate of every dropout layer, or of the named ones; None leaves what the model was trained with.
        scale: Factor on what the model was trained with, of every layer or of the named ones.
    """

    rate: float | Mapping[str, float] | None = None
    scale: float | Mapping[str, float] = 1.0

    def __post_init__(self) -> None:
        rates = [*self.rate.values()] if isinstance(self.rate, Mapping) else [0.0 if self.rate is None else self.rate]
        scales = [*self.scale.values()] if isinstance(self.scale, Mapping) else [self.scale]
        if not all(0 <= rate < 1 for rate in rates):
            raise ValueError(f"`rate` must lie in [0, 1); received {self.rate}.")
        if not all(scale >= 0 for scale in scales):
            raise ValueError(f"`scale` must not be negative; received {self.scale}.")

    def of(self, noise: NoiseLayer) -> float:
        """Return the strength of one layer: a rate below 1, or a standard deviation."""
        trained = noise.trained_strength
        scale = self.scale.get(noise.layer.name, 1.0) if isinstance(self.scale, Mapping) else self.scale
        if noise.kind == "gaussian_noise":
            return trained * scale  # a rate means nothing to additive noise
        rate = self.rate.get(noise.layer.name) if isinstance(self.rate, Mapping) else self.rate
        return min((trained if rate is None else rate) * scale, MAX_RATE)

    def check(self, layers: Sequence[NoiseLayer]) -> None:
        """Raise where a name is none of the model's noise layers.

        Raises:
            UnknownNameError: `rate` or `scale` names a layer that makes no noise.
        """
        known = [noise.layer.name for noise in layers]
        named = [set(given) for given in (self.rate, self.scale) if isinstance(given, Mapping)]
        unknown = sorted(set().union(*named) - set(known))
        if unknown:
            raise UnknownNameError(f"No noise layer is called {unknown}; the model's noise layers are {known}.")

    @property
    def is_trained(self) -> bool:
        """Whether every layer keeps the strength that it was trained with."""
        return self.rate is None and self.scale == 1.0


MAX_RATE = 0.99
"""A scaled rate stops here: at 1 nothing of the signal is left."""


def noise_layers(model: keras.Model) -> list[NoiseLayer]:
    """Return the layers whose noise we make, in the model's own order, those of rate 0 too."""
    known = [(layer, noise_kind(layer)) for layer in all_layers(model)]
    kinds = [(layer, kind) for layer, kind in known if kind is not None]
    return [NoiseLayer(layer, index, kind) for index, (layer, kind) in enumerate(kinds)]


def is_noise_layer(layer: keras.Layer) -> bool:
    """Tell whether a layer is one of Keras' own that do nothing but make noise."""
    return noise_kind(layer) is not None


def all_layers(operation: Any) -> list[Any]:
    """Return a layer or model and all the layers inside; nothing for an operation that is not a layer."""
    if not isinstance(operation, keras.layers.Layer):
        return []
    # Keras has no public way to the layers inside wrappers, attention and subclassed models.
    return layers_of(operation)
