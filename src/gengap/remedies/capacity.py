"""Capacity: fewer or more units, fewer or more layers."""

import math
from dataclasses import dataclass, field
from typing import Any

from gengap.errors import RemedyError
from gengap.remedies.anatomy import Anatomy, Call, On
from gengap.remedies.base import Plan, Surgery
from gengap.remedies.channels import Channels, width_of, with_width
from gengap.remedies.checks import check_positive
from gengap.remedies.explanation import Change


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

    def plan(self, anatomy: Anatomy) -> Plan:
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
            reasons = "; ".join(f"{change.layer}: {change.reason}" for change in changes.values())
            raise RemedyError(f"{self} can change no layer of model {anatomy.model.name!r}. {reasons}.")
        return Plan(configs=configs, changes=tuple(changes.values()))

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
