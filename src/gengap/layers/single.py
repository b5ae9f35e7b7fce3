"""A layer of one model among the doors: a stack of one run, whose weights are read where the model keeps them."""

from typing import Any, cast

import keras
import torch
from keras import tree

from gengap.keras_models.graph import Step
from gengap.layers import OF_ONE_VALUE, fused_door
from gengap.layers.base import Fused, is_plain
from gengap.layers.doors import Door, StackedNode
from gengap.layers.noise import FusedNoise
from gengap.layers.stack import Stack


class LiveStack:
    """The weights of one layer as they are whenever it is computed, as `Stack` has those of K runs.

    Args:
        layer: The layer, or an operation without weights.
    """

    def __init__(self, layer: Any) -> None:
        self._weights = list(getattr(layer, "weights", ()))

    @property
    def values(self) -> list[torch.Tensor]:
        """Per weight a tensor `(1, *shape)`."""
        return [weight.value.unsqueeze(0) for weight in self._weights]

    @property
    def device(self) -> torch.device:
        """Where Keras puts tensors."""
        return cast("torch.device", keras.ops.convert_to_tensor(0.0).device)


class _Silence:
    """The noise of a model that makes none: a layer's parts still ask what they are called in keys."""

    def identity(self, layer: Any) -> str:
        return type(layer).__name__


def single_node(step: Step) -> StackedNode:
    """Return a step of a graph as a node of one run, for inference: nothing in it draws."""
    weights = range(len(getattr(step.operation, "weights", ())))
    stack, noise = cast("Stack", LiveStack(step.operation)), cast("Any", _Silence())
    return StackedNode(step, [step.operation], weights, [0], type(step.operation).__name__, [noise], stack)


def rows_door(step: Step) -> Fused | None:
    """Return the kernel that computes a layer of one value on rows, see `Fused.rows`; None where there is none.

    Penalties on activations do not matter in inference. What makes noise, masks or computes in a number format of its
    own, and a call that says more than its input, such as a mask, is for `call_door` or Keras.
    """
    layer = step.operation
    family = OF_ONE_VALUE.get(type(layer).__name__)
    bare = len(step.args) == 1 and all(one is None or one is False for one in tree.flatten(step.kwargs))
    if family is None or issubclass(family, FusedNoise) or not is_plain(layer) or not bare:
        return None
    node = single_node(step)
    if not family.fits(node) or (node.weights and layer.dtype_policy.name != "float32"):
        return None
    door = family(node)
    return None if door.makes_masks else door


def call_door(step: Step, args: Any, kwargs: Any) -> Door | None:
    """Return the kernel that computes a call of a step, whose arguments hold `StackedTensor` values of one run."""
    door = fused_door(single_node(step), args, kwargs)
    return None if isinstance(door, FusedNoise) else door
