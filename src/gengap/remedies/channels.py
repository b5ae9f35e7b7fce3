"""Which layers must have equally many units: those whose outputs meet in a sum, or in something fixed."""

import copy
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import keras

from gengap.keras_models.anatomy import NORMALIZATIONS, Anatomy, Call, is_activation, is_merge
from gengap.keras_models.private import kind_of_operation
from gengap.keras_models.rebuild import Operation

FIXED = "fixed"
"""The group of everything whose number of channels cannot change: inputs, outputs, what we cannot see through."""

WIDTHS = ("units", "filters", "output_dim")
"""What Keras' layers call the number of their output channels."""

PASSING = (
    *NORMALIZATIONS,
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.AlphaDropout,
    keras.layers.ActivityRegularization,
    keras.layers.Identity,
    keras.layers.Masking,
    keras.layers.RepeatVector,
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
)
PASSING_WORDS = ("Pooling", "UpSampling", "ZeroPadding", "Cropping", "DepthwiseConv")
RESHAPING = (keras.layers.Flatten, keras.layers.Permute)


def width_of(layer: Operation) -> int | None:
    """Return a layer's number of units or filters, wrapped layers included; None where it has none to set."""
    return _find(layer.get_config()) if isinstance(layer, keras.Layer) else None


def with_width(layer: Operation, width: int) -> dict[str, Any]:
    """Return a layer's configuration with another number of units."""
    config: dict[str, Any] = copy.deepcopy(layer.get_config())
    _set(config, width)
    return config


def _find(config: dict[str, Any]) -> int | None:
    for key in WIDTHS:
        if isinstance(config.get(key), int):
            return int(config[key])
    inner = config.get("layer") or config.get("cell")
    return _find(inner["config"]) if isinstance(inner, dict) and isinstance(inner.get("config"), dict) else None


def _set(config: dict[str, Any], width: int) -> None:
    for key in WIDTHS:
        if isinstance(config.get(key), int):
            config[key] = width
            return
    for key in ("layer", "backward_layer", "cell"):
        if isinstance(config.get(key), dict):
            _set(config[key]["config"], width)


@dataclass(eq=False)
class Channels:
    """The groups of layers whose widths are tied, found by one walk over a model's calls.

    Each tensor's last axis has an owner: a layer with settable width, `FIXED`, or a mixture (concatenated or
    flattened) that belongs to nobody. Owners that meet are joined; a mixture that must equal something else fixes
    everything that went into it.
    """

    anatomy: Anatomy
    parent: dict[Any, Any] = field(default_factory=dict)
    mixtures: dict[Any, list[Any]] = field(default_factory=dict)
    sizes: dict[Any, set[int | None]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        owners: list[Any] = []
        entered: dict[int, Any] = {}
        for call in self.anatomy.calls:
            tensors = zip(call.sources, call.node.input_tensors, strict=True)
            incoming = [FIXED if i < 0 else owners[i] for i, tensor in tensors if tensor.dtype != "bool"]  # no masks
            owners.append(self._owner(call, incoming))
            if incoming and isinstance(call.operation, keras.Layer):
                # a shared layer's kernel fits one number of input channels only
                self.join(entered.setdefault(id(call.operation), incoming[0]), incoming[0])
            if call.is_output:
                self.join(owners[-1], FIXED)
        self._fix_mixtures()

    def root(self, owner: Any) -> Any:
        """Return the representative of an owner's group."""
        while owner in self.parent:
            owner = self.parent[owner]
        return owner

    def join(self, a: Any, b: Any) -> None:
        """Tie two owners together; `FIXED` stays the representative of its group."""
        a, b = self.root(a), self.root(b)
        if a != b:
            if a == FIXED:
                a, b = b, a
            self.parent[a] = b

    def is_fixed(self, layer: Operation) -> bool:
        """Return whether a layer's width is tied to something that cannot change."""
        return bool(self.root(id(layer)) == FIXED)

    def tied(self, layer: Operation) -> list[Call]:
        """Return the calls of all layers that must be as wide as this one, itself included."""
        root = self.root(id(layer))
        return [c for c in self.anatomy.calls if id(c.operation) in self.sizes and self.root(id(c.operation)) == root]

    def _owner(self, call: Call, incoming: list[Any]) -> Any:
        """Return who owns the channels of a call's output."""
        layer, last = call.operation, call.shape[-1] if call.shape else None
        if (width := width_of(layer)) is not None:
            return self._own(call, incoming, width)
        passing = is_activation(layer) or isinstance(layer, PASSING) or is_merge(layer)
        if passing or any(word in kind_of_operation(layer) for word in PASSING_WORDS):
            if getattr(layer, "depth_multiplier", 1) != 1 or getattr(layer, "groups", -1) not in {-1, 1}:
                for owner in incoming:
                    self.join(owner, FIXED)
                return FIXED
            for owner in incoming[1:]:
                self.join(incoming[0], owner)
            return incoming[0] if incoming else FIXED
        if isinstance(layer, (*RESHAPING, keras.layers.Concatenate)) or kind_of_operation(layer) == "Concatenate":
            mixture = ("mixture", call.index)
            self.mixtures[mixture] = incoming
            return mixture
        for tensor, owner in zip(call.node.input_tensors, incoming, strict=False):
            # unknown to us: what keeps its number of channels may depend on it
            if tuple(tensor.shape[-1:]) == (last,) or not isinstance(layer, keras.Layer):
                self.join(owner, FIXED)
        return FIXED

    def _own(self, call: Call, incoming: list[Any], width: int) -> Any:
        layer = call.operation
        self.sizes[id(layer)].add(width)
        if getattr(layer, "groups", 1) not in {None, 1}:
            self.join(id(layer), FIXED)
            for owner in incoming:
                self.join(owner, FIXED)
        if isinstance(layer, keras.layers.RNN):
            for state in incoming[1:]:
                self.join(id(layer), state)
        if call.shape and call.shape[-1] != width:  # Bidirectional: twice the units
            mixture = ("mixture", call.index)
            self.mixtures[mixture] = [id(layer)]
            return mixture
        return id(layer)

    def _fix_mixtures(self) -> None:
        """Fix what went into mixtures that are tied to anything, and groups of unequal widths, until nothing moves."""
        moved = True
        while moved:
            moved = False
            members: dict[Any, set[Any]] = defaultdict(set)
            for owner in (*self.sizes, *self.mixtures):
                members[self.root(owner)].add(owner)
            for root, group in members.items():
                mixed = [owner for owner in group if owner in self.mixtures]
                widths = set().union(*(self.sizes[owner] for owner in group if owner in self.sizes))
                if mixed and (len(group) > 1 or root == FIXED):
                    for owner in [part for mixture in mixed for part in self.mixtures[mixture]] + list(group):
                        moved |= self.root(owner) != FIXED
                        self.join(owner, FIXED)
                elif len(widths) > 1 and root != FIXED:
                    self.join(root, FIXED)
                    moved = True
