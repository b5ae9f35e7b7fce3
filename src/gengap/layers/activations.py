"""Activations: which of Keras' a layer carries, and the layers that are nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import torch

from gengap.keras_models.separability import is_keras_function
from gengap.layers.base import Fused, Traits
from gengap.layers.doors import PassContext, StackedNode
from gengap.layers.probe import PerRun

_TORCH: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "linear": lambda x: x,
}
"""What Keras calls for these on torch."""

_IN_PLACE: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu_,
    "sigmoid": torch.sigmoid_,
    "tanh": torch.tanh_,
}

ELEMENTWISE = frozenset(
    {*_TORCH, "elu", "gelu", "hard_sigmoid", "leaky_relu", "relu6", "selu", "silu", "softplus", "softsign"}
)
"""Activations of Keras' that look at each number alone."""


def activation_name(layer: Any) -> str:
    """Return which of Keras' elementwise activations a layer applies; nothing for all others, a user's `relu` too."""
    if type(layer) is keras.layers.ReLU:
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return "relu" if plain else ""
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "")
    return name if name in ELEMENTWISE and getattr(keras.activations, name) is function else ""


def is_rectifier(layer: Any) -> bool:
    """Tell whether a layer is a rectifier and nothing else."""
    return type(layer) in {keras.layers.ReLU, keras.layers.Activation} and activation_name(layer) == "relu"


class Activation:
    """The activation that a layer carries, on all runs: as one batch where it is Keras' own.

    Args:
        layer: The layer.

    Attributes:
        name: Which of Keras' it is, see `activation_name`.
    """

    def __init__(self, layer: Any) -> None:
        self.name = activation_name(layer)
        function = keras.activations.linear if layer.activation is None else layer.activation
        own = is_keras_function(function) or isinstance(function, keras.layers.Layer)
        self._function = _TORCH.get(self.name) or PerRun(function, separate=own)
        self._in_place = _IN_PLACE.get(self.name, self._function)

    def __call__(self, z: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the activation of `(K, B, ...)`.

        Args:
            z: What a layer has computed.
            owned: Whether nobody else reads it: it is overwritten where no gradient is wanted.
        """
        return self._in_place(z) if owned and not torch.is_grad_enabled() else self._function(z)

    def on_rows(self, z: torch.Tensor) -> torch.Tensor:
        """Return the activation of `(rows, ...)` of a single run, which nobody else reads."""
        return self(z.unsqueeze(0), owned=True).squeeze(0)


class FusedActivation(Fused):
    """Activation, ReLU, LeakyReLU and ELU: the function alone, of what others may read as well."""

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """What looks at more than one number, and functions of a user's, take another door."""
        return not isinstance(node.operation, keras.layers.Activation) or bool(activation_name(node.operation))

    @classmethod
    def traits(cls, layer: Any) -> Traits:
        """Rectifiers are positively homogeneous."""
        name = activation_name(layer)
        bent = isinstance(layer, keras.layers.LeakyReLU) or (
            isinstance(layer, keras.layers.ReLU) and layer.max_value is None and not layer.threshold
        )
        return Traits(scales_channels=bent or name in {"relu", "leaky_relu", "linear"}, takes_half=name in _TORCH)

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        name = self._name = activation_name(node.operation) if self.traits(node.operation).takes_half else ""
        self._function = _TORCH.get(name) or node.operation.call

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return the activations."""
        return self._function(x)

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the activations, in the place of what they are of where nobody else reads it."""
        function = (_IN_PLACE.get(self._name) if owned else None) or self._function
        return function(x)


FUSED_ACTIVATIONS: dict[str, type[Fused]] = dict.fromkeys(("Activation", "ReLU", "LeakyReLU", "ELU"), FusedActivation)
