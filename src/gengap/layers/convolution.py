"""Convolutions of K runs: ordinary, depthwise, separable and transposed, in one to three dimensions."""

from typing import Any, final

import keras
import torch

from gengap.kernels.convolution import convolve
from gengap.layers.activations import Activation
from gengap.layers.base import Fused, Traits
from gengap.layers.doors import PassContext, StackedNode
from gengap.layers.pooling import is_channels_last


class _Convolution(Fused):
    """What the three kinds share: channels last inside, activation outside."""

    @final
    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._activation = Activation(node.operation)
        self._channels_first = node.operation.data_format == "channels_first"

    @final
    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return the activated convolution."""
        last = x.movedim(2, -1) if self._channels_first else x
        result = self.convolve(last)
        return self._activation(result.movedim(-1, 2) if self._channels_first else result, owned=True)

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution of channels-last activations."""
        raise NotImplementedError


class FusedConvolution(_Convolution):
    """Conv1D, Conv2D, Conv3D."""

    @classmethod
    def traits(cls, layer: Any) -> Traits:
        """Without groups every channel of the input adds to every filter."""
        known = is_channels_last(layer) and layer.groups == 1 and layer.dtype_policy.name == "float32"
        return Traits(sums_channels=known, makes_new_values=known, takes_half=known)

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve, with the layer's groups."""
        layer = self.node.operation
        common = x[0] if x.stride(0) == 0 and len(x) > 1 else x  # one batch under all kernels
        kernel, bias = self.weight("kernel", like=x), self.bias(like=x)
        return convolve(common, kernel, bias, groups=layer.groups, **_window(layer))


class FusedDepthwiseConvolution(_Convolution):
    """DepthwiseConv1D and DepthwiseConv2D: as many groups as channels."""

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve each channel by itself."""
        layer = self.node.operation
        return _depthwise(x, self.weight("kernel"), self.bias(), layer)


class FusedSeparableConvolution(_Convolution):
    """SeparableConv1D and SeparableConv2D: each channel by itself, then all channels at each point."""

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve twice."""
        layer = self.node.operation
        ones = (1,) * layer.rank
        depthwise = _depthwise(x, self.weight("depthwise_kernel"), None, layer)
        pointwise = self.weight("pointwise_kernel")
        return convolve(depthwise, pointwise, self.bias(), strides=ones, padding="valid", dilation=ones)


class FusedTransposedConvolution(Fused):
    """Conv1DTranspose, Conv2DTranspose, Conv3DTranspose."""

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._activation = Activation(node.operation)

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return the activated convolution: run by run, by Keras' operation.

        How Keras crops what torch computes has changed between its versions, and one convolution with the runs as
        groups is slower on a CPU than one after the other.
        """
        layer, kernels, bias = self.node.operation, self.weight("kernel"), self.bias()
        how = {"strides": list(layer.strides), "dilation_rate": layer.dilation_rate, "padding": layer.padding,
               "output_padding": layer.output_padding, "data_format": layer.data_format}  # fmt: skip
        result = torch.stack(
            [keras.ops.conv_transpose(one, kernel, **how) for one, kernel in zip(x, kernels, strict=True)]
        )
        if bias is not None:
            axis = 2 if layer.data_format == "channels_first" else result.ndim - 1
            shape = [size if dim in {0, axis} else 1 for dim, size in enumerate(result.shape)]
            result = result + bias.reshape(shape)
        return self._activation(result, owned=True)

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return the activated convolution by Keras' own code, which is faster for a single run."""
        del owned
        return self.node.operation.call(x)  # type: ignore[no-any-return]  # Keras' `call`


def channel_parts(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """Return what each input channel adds to a convolution, `(cases, channels, *space, filters)`, without the bias.

    A masked convolution is the sum of these parts times the mask: one matrix product instead of a convolution for
    every member. The channels stand where the kernel stacks runs.

    Args:
        layer: A convolution that `sums_channels`, see `Traits`.
        x: `(cases, *space, channels)`.
    """
    kernels = layer.kernel.value.movedim(-2, 0).unsqueeze(-2)
    return convolve(x.movedim(-1, 0).unsqueeze(-1), kernels, **_window(layer)).movedim(0, 1)


def _depthwise(x: torch.Tensor, kernel: Any, bias: torch.Tensor | None, layer: keras.Layer) -> torch.Tensor:
    one_per_group = kernel.flatten(-2).unsqueeze(-2)
    return convolve(x, one_per_group, bias, groups=x.shape[-1], **_window(layer))


def _window(layer: keras.Layer) -> dict[str, Any]:
    return {"strides": layer.strides, "padding": layer.padding, "dilation": layer.dilation_rate}


FUSED_CONVOLUTIONS: dict[str, type[Fused]] = {
    "Conv1D": FusedConvolution,
    "Conv2D": FusedConvolution,
    "Conv3D": FusedConvolution,
    "DepthwiseConv1D": FusedDepthwiseConvolution,
    "DepthwiseConv2D": FusedDepthwiseConvolution,
    "Conv1DTranspose": FusedTransposedConvolution,
    "Conv2DTranspose": FusedTransposedConvolution,
    "Conv3DTranspose": FusedTransposedConvolution,
    "SeparableConv1D": FusedSeparableConvolution,
    "SeparableConv2D": FusedSeparableConvolution,
}
