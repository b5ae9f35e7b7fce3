"""Capacity: fewer or more units, fewer or more layers."""

import math
from dataclasses import dataclass, field
from typing import Any

import keras

from gengap.errors import RemedyError
from gengap.keras_models.anatomy import Anatomy, Call, On, closed_layers
from gengap.keras_models.rebuild import copy_operation
from gengap.remedies.base import Edit, Surgery
from gengap.remedies.channels import Channels, width_of, with_width
from gengap.remedies.checks import check_positive
from gengap.remedies.explanation import Change, grouped


@dataclass(frozen=True, eq=False)
class Width(Surgery):
    """Scale the number of units and filters of hidden layers; inputs and outputs keep theirs.

    Layers whose outputs meet in a sum, as in residual networks, are scaled together or not at all. Weights whose
    shapes change are drawn afresh from their own initializers.

    Attributes:
        factor: By what to multiply, above 0; halves are rounded up, 1 is the identity.
        units: How many units each chosen layer gets, instead of a factor.
        on: Which layers. Default `"hidden"`: the output's units are what is predicted.
    """

    factor: float | None = None
    units: int | None = field(default=None, kw_only=True)
    on: On = field(default="hidden", kw_only=True)

    def __post_init__(self) -> None:
        if (self.factor is None) == (self.units is None):
            raise ValueError(f"Give `factor` or `units`: received {self.factor!r} and {self.units!r}.")
        if self.factor is not None:
            check_positive(self, self.factor)
        elif isinstance(self.units, bool) or not isinstance(self.units, int) or self.units < 1:
            raise ValueError(f"`units` must be a whole number of at least 1, received {self.units!r}.")

    def edit(self, anatomy: Anatomy) -> Edit:
        """Set the widths of all chosen layers whose channels are free to change."""
        channels = Channels(anatomy)
        chosen = anatomy.select(self.on)
        selected = {id(call.operation) for call in chosen}
        configs: dict[int, dict[str, Any]] = {}
        changes: dict[str, Change] = {}
        for call in chosen:
            layer, width = call.operation, width_of(call.operation)
            if width is None:
                changes[call.path] = Change(str(self), call.path, reason="it has no number of units to set")
            elif reason := _tie(channels, call, selected):
                changes[call.path] = Change(str(self), call.path, reason=reason)
            else:
                new = self._new_width(call.path, width)
                configs[id(layer)] = with_width(layer, new)
                changes[call.path] = Change(str(self), call.path, f"{width} -> {new} units")
        if not configs:
            raise RemedyError(
                f"{self} can change no layer of model {anatomy.model.name!r}. {grouped(changes.values())}."
                f"{closed_layers(anatomy.select(self.on))}"
            )
        return Edit(configs=configs, changes=tuple(changes.values()))

    def _new_width(self, path: str, width: int) -> int:
        new = self.units if self.factor is None else math.floor(width * self.factor + 0.5)
        if not new:
            raise RemedyError(
                f"{self} leaves none of the {width} units of {path!r}: choose a factor of at least {0.5 / width:g}, "
                "or other layers with `on`."
            )
        return new


def _tie(channels: Channels, call: Call, selected: set[int]) -> str:
    """Return why a layer's width cannot change, or an empty string."""
    if channels.is_fixed(call.operation):
        return "its channels reach an input, an output or an operation that fixes their number"
    if others := [c.path for c in channels.tied(call.operation) if id(c.operation) not in selected]:
        return f"its output meets that of {', '.join(dict.fromkeys(others))}, which `on` leaves out or which is frozen"
    return ""


@dataclass(frozen=True, eq=False)
class Depth(Surgery):
    """Add copies of the last hidden block, or take the last hidden blocks away.

    A block is a hidden layer with the normalization, activation and dropout that follow it; the pooling after it
    stays where it is. A copy has as many units, its convolutions keep the size of the maps, its weights are fresh.

    Attributes:
        blocks: How many blocks more (positive) or fewer (negative); 0 is the identity.
        on: The last of these layers is the one repeated or removed. Default `"hidden"`.
    """

    blocks: int
    on: On = field(default="hidden", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.blocks, bool) or not isinstance(self.blocks, int):
            raise TypeError(f"`blocks` must be a whole number, received {type(self.blocks).__name__} {self.blocks!r}.")

    def edit(self, anatomy: Anatomy) -> Edit:
        """Copy the last block, or skip the calls of the last blocks."""
        layers = [call for call in anatomy.select(self.on) if anatomy.is_hidden(call)]
        if len(layers) < max(1, -self.blocks):
            raise RemedyError(f"{self}: model {anatomy.model.name!r} has {len(layers)} hidden layers to choose from.")
        return self._deeper(anatomy, layers[-1]) if self.blocks > 0 else self._shallower(anatomy, layers)

    def _shallower(self, anatomy: Anatomy, layers: list[Call]) -> Edit:
        gone = [call for layer in layers[len(layers) + self.blocks :] for call in anatomy.block_of(layer)]
        if outputs := [call.path for call in gone if call.is_output]:
            raise RemedyError(f"{self} would take away {', '.join(outputs)}, an output of the model: choose with `on`.")
        paths = dict.fromkeys(call.path for call in gone)
        changes = tuple(Change(str(self), path, "taken out") for path in paths)
        return Edit(skip=frozenset(id(call.node) for call in gone), changes=changes)

    def _deeper(self, anatomy: Anatomy, layer: Call) -> Edit:
        block = anatomy.block_of(layer)
        if block[-1].is_output or any(size is None for size in layer.shape[-1:]):
            raise RemedyError(f"{self}: {block[-1].path!r} is an output of the model; choose another layer with `on`.")
        names: set[str] = set()
        copies: list[Any] = []
        for _ in range(self.blocks):
            for call in block:
                name = anatomy.free_name(f"{call.operation.name}_copy", names)
                names.add(name)
                copies.append(_repeatable(call.operation, name))
        change = Change(str(self), block[-1].path, f"followed by {', '.join(copy.name for copy in copies)}")
        return Edit(follow={id(block[-1].node): copies}, changes=(change,))


def _repeatable(operation: keras.Operation, name: str) -> Any:
    """Return a fresh copy of an operation whose output has the shape of its input."""
    config = operation.get_config()
    if isinstance(operation, keras.Layer):
        config["name"] = name
    if "strides" in config and "kernel_size" in config:
        config |= {"strides": [1] * len(config["kernel_size"]), "padding": "same"}
    copy = copy_operation(operation, config)
    copy.name = name
    return copy
