"""Masks that an earlier step has taken off a value (`Step.lost`), where Keras' code or a door computes the next one."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import tree

from gengap.keras_models.graph import Slot, Step
from gengap.keras_models.private import mask_of, put_mask
from gengap.layers.doors import StackedTensor


def as_seen(step: Step, values: Sequence[Any] | Mapping[int, Any]) -> dict[int, Any]:
    """Return what a step reads, by slot, with the masks that are left; what has one is a view, so it can lose it.

    Args:
        step: The step.
        values: Tensors with Keras' masks on them, by slot; no mask on them changes, whatever Keras' code does.
    """
    return {slot.index: _apart(step, slot, values[slot.index]) for slot in step.input_slots()}


def without_lost(step: Step, args: Any, kwargs: Any) -> Any:
    """Return a step's arguments, `StackedTensor` values among them, with the masks that are left."""
    if not step.lost:
        return args, kwargs

    def seen(slot: Any, value: Any) -> Any:
        lost = isinstance(slot, Slot) and slot in step.lost and isinstance(value, StackedTensor)
        return StackedTensor(value.value) if lost else value

    return tree.map_structure(seen, (step.args, step.kwargs), (args, kwargs))


def _apart(step: Step, slot: Slot, value: Any) -> Any:
    mask = mask_of(value)
    if mask is None:
        return value
    view = value.view_as(value)
    if slot not in step.lost:
        put_mask(view, mask)
    return view
