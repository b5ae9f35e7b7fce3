"""Runs of layers that are computed as one: convolution, relu, spatial dropout, average pooling."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, final

import keras
import torch
from keras import tree

from gengap.keras_models.graph import Graph, Slot, Step
from gengap.kernels.blocks import convolve_relu_pool
from gengap.kernels.convolution import is_small
from gengap.layers.activations import FusedActivation, is_rectifier
from gengap.layers.base import is_plain_in_all
from gengap.layers.convolution import FusedConvolution
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor
from gengap.layers.noise import FusedDropout
from gengap.layers.pooling import FusedPooling

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@final
class ConvolutionBlock(Door):
    """What stands between two poolings of a convolutional network, as one operation on a CPU.

    Where that does not pay or apply (small inputs, odd sizes, a GPU) the layers are computed one after another.

    Args:
        nodes: Nodes of the convolution, of a relu of its own, of spatial dropout, and of the pooling.
    """

    name = "fuse"

    def __init__(self, nodes: Sequence[StackedNode]) -> None:
        convolution, *between, pooling = nodes
        super().__init__(convolution)
        kinds = [type(node.operation) for node in between]
        relus = [node for node, kind in zip(between, kinds, strict=True) if kind is not keras.layers.SpatialDropout2D]
        self._convolution, self._pooling = FusedConvolution(convolution), FusedPooling(pooling)
        self._relu = FusedActivation(relus[0]) if relus else None
        dropouts = [node for node in between if node not in relus]
        self._dropout = FusedDropout(dropouts[0]) if dropouts else None

    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:
        """Compute the whole block."""
        x = self._convolution.cast(args[0].value)
        return StackedTensor(self._at_once(x, context) if self._suits(x) else self._in_turn(x, context))

    def _suits(self, x: torch.Tensor) -> bool:
        even = x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0
        layer = self.node.operation
        small = is_small(x, layer.kernel_size, layer.strides)
        return x.device.type == "cpu" and x.dtype in _DTYPES.values() and even and not small

    def _at_once(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        layer = self.node.operation
        shape = (*x.shape[1:-1], layer.filters)
        scale = None if self._dropout is None else self._dropout.factors(shape, x.dtype, context)
        bias = None if layer.bias is None else self.node.weight(layer.bias)
        return convolve_relu_pool(x, self.node.weight(layer.kernel), bias, scale)

    def _in_turn(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        x = self._convolution.compute(x, context)
        x = x if self._relu is None else self._relu.compute(x, context)
        x = x if self._dropout is None else self._dropout.compute(x, context)
        return self._pooling.compute(x, context)


@final
class Absorbed(Door):
    """A layer that the block before it has computed already."""

    name = "fuse"

    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:  # noqa: ARG002  nothing is left to do
        """Hand the value on."""
        return args[0]


def find_blocks(graph: Graph, nodes: Mapping[int, StackedNode]) -> Mapping[int, Door]:
    """Return the doors of all steps that belong to a block, by step."""
    readers = Counter(slot for step in graph.steps for slot in step.input_slots())
    readers.update(leaf for leaf in tree.flatten(graph.outputs) if isinstance(leaf, Slot))
    follower = {slot: step for step in graph.steps for slot in step.input_slots() if readers[slot] == 1}
    doors: dict[int, Door] = {}
    for step in graph.steps:
        chain = _chain(step, nodes, follower)
        if chain:
            first, *rest = chain
            doors[first.step.index] = ConvolutionBlock(chain)
            doors |= {node.step.index: Absorbed(node) for node in rest}
    return doors


def _chain(step: Step, nodes: Mapping[int, StackedNode], follower: Mapping[Slot, Step]) -> list[StackedNode]:
    """Return the nodes of a block that begins at a step; none where there is no block."""
    if not _is_convolution(nodes[step.index]):
        return []
    chain = [nodes[step.index]]
    rectified = step.operation.activation is keras.activations.relu
    dropped = False
    while True:
        following = follower.get(chain[-1].step.outputs[0])
        if following is None or not _same_numbers(chain[0], nodes[following.index]):
            return []
        chain.append(nodes[following.index])
        layer = following.operation
        if not rectified and is_rectifier(layer):
            rectified = True
        elif rectified and not dropped and type(layer) is keras.layers.SpatialDropout2D and _last(layer):
            dropped = True
        else:
            return chain if rectified and _halves(layer) else []


def _is_convolution(node: StackedNode) -> bool:
    layer = node.operation
    return (
        type(layer) is keras.layers.Conv2D
        and is_plain_in_all(node)
        and layer.activation in {keras.activations.relu, keras.activations.linear}
        and _last(layer)
        and (layer.strides, layer.dilation_rate, layer.padding, layer.groups) == ((1, 1), (1, 1), "same", 1)
        and all(size % 2 == 1 for size in layer.kernel_size)
        and layer.compute_dtype in _DTYPES
        and layer.variable_dtype == "float32"
    )


def _halves(layer: keras.Layer) -> bool:
    sizes = (tuple(layer.pool_size), tuple(layer.strides)) if type(layer) is keras.layers.AveragePooling2D else ()
    return sizes == ((2, 2), (2, 2)) and _last(layer)


def _same_numbers(first: StackedNode, node: StackedNode) -> bool:
    """Tell whether a layer is one of Keras' own, without a penalty, in the number format of the first."""
    layer = node.operation
    plain = isinstance(layer, keras.layers.Layer) and is_plain_in_all(node)
    return plain and layer.compute_dtype == first.operation.compute_dtype


def _last(layer: keras.Layer) -> bool:
    return bool(layer.data_format == "channels_last")
