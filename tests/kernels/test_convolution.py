"""Stacked convolutions against Keras' own, one run at a time."""

import keras
import numpy as np
import pytest
import torch

from gengap.kernels import convolution
from gengap.kernels.convolution import convolve
from gengap.kernels.pooling import average_pool
from gengap.kernels.window import Sliding

CASES = [
    # space, window, channels, filters, strides, padding, dilation, groups
    ((32,), (5,), 5, 16, (1,), "same", (1,), 1),
    ((9,), (4,), 3, 2, (2,), "same", (1,), 1),
    ((9,), (3,), 3, 2, (1,), "causal", (2,), 1),
    ((9,), (3,), 4, 6, (1,), "valid", (1,), 2),
    ((8, 10), (5, 5), 3, 8, (1, 1), "same", (1, 1), 1),
    ((8, 10), (3, 3), 3, 8, (1, 1), "same", (1, 1), 1),
    ((8, 10), (3, 7), 2, 4, (1, 1), "same", (1, 1), 1),
    ((8, 10), (1, 1), 2, 4, (1, 1), "same", (1, 1), 1),
    ((8, 9), (3, 3), 3, 8, (1, 1), "same", (1, 1), 1),
    ((9, 10), (3, 2), 3, 20, (2, 3), "same", (1, 1), 1),
    ((9, 10), (3, 2), 3, 4, (1, 1), "valid", (2, 1), 1),
    ((9, 10), (3, 3), 4, 4, (1, 1), "same", (1, 1), 4),
    ((5, 6, 7), (3, 3, 2), 2, 3, (1, 1, 1), "same", (1, 1, 1), 1),
    ((5, 6, 7), (3, 1, 2), 2, 3, (2, 1, 1), "valid", (1, 1, 1), 1),
]


def tensors(space, window, channels, filters, groups, *, num_runs=3):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(num_runs, 4, *space, channels, generator=generator, requires_grad=True)
    kernels = torch.randn(num_runs, *window, channels // groups, filters, generator=generator, requires_grad=True)
    bias = torch.randn(num_runs, filters, generator=generator, requires_grad=True)
    return x, kernels, bias


def by_keras(x, kernel, bias, strides, padding, dilation):
    if padding == "causal":
        before = (kernel.shape[0] - 1) * dilation[0]
        x, padding = torch.nn.functional.pad(x, (0, 0, before, 0)), "valid"
    product = keras.ops.conv(
        x, kernel, strides=strides, padding=padding, dilation_rate=dilation, data_format="channels_last"
    )
    return product + bias


@pytest.mark.parametrize("unfolded", [True, False], ids=["unfolded", "convolved"])
@pytest.mark.parametrize(("space", "window", "channels", "filters", "strides", "padding", "dilation", "groups"), CASES)
def test_each_run_is_convolved_as_keras_would(
    monkeypatch, unfolded, space, window, channels, filters, strides, padding, dilation, groups
):
    if not unfolded:
        monkeypatch.setattr(convolution, "_FEW", -1)
    x, kernels, bias = tensors(space, window, channels, filters, groups)
    ours = convolve(x, kernels, bias, strides=strides, padding=padding, dilation=dilation, groups=groups)
    theirs = torch.stack([by_keras(*run, strides, padding, dilation) for run in zip(x, kernels, bias, strict=True)])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    direction = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2))
    for one, other in zip(
        torch.autograd.grad(ours, (x, kernels, bias), direction),
        torch.autograd.grad(theirs, (x, kernels, bias), direction),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("groups", [1, 3])
def test_runs_as_groups_of_one_convolution(groups):
    x, kernels, bias = tensors((8, 6), (3, 3), 3, 6, groups)
    how = Sliding((2, 1), "same", (1, 1), groups)
    fused = convolution._as_groups(x, kernels, bias, how)
    each = [convolution._one(*run, how) for run in zip(x, kernels, bias, strict=True)]
    torch.testing.assert_close(fused, torch.stack(each), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 3])
def test_an_input_that_all_runs_share(groups):
    x, kernels, bias = tensors((8, 6), (3, 3), 3, 6, groups)
    arguments = {"strides": (1, 1), "padding": "same", "dilation": (1, 1), "groups": groups}
    shared = convolve(x[0], kernels, bias, **arguments)
    repeated = convolve(x[:1].expand(3, -1, -1, -1, -1), kernels, bias, **arguments)
    torch.testing.assert_close(shared, repeated, rtol=1e-5, atol=1e-5)


def test_bfloat16_stays_bfloat16_and_close():
    x, kernels, bias = tensors((32, 32), (5, 5), 3, 8, 1)
    arguments = {"strides": (1, 1), "padding": "same", "dilation": (1, 1)}
    half = convolve(x.bfloat16(), kernels.bfloat16(), bias.bfloat16(), **arguments)
    assert half.dtype == torch.bfloat16
    exact = convolve(x, kernels, bias, **arguments)
    assert (half.float() - exact).abs().max() < 0.02 * exact.abs().max()


def test_a_mask_of_channels_commutes_with_average_pooling():
    """What lets Monte-Carlo dropout pool before it drops."""
    x = torch.randn(4, 8, 8, 3, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([0.0, 1.25, 1.25])
    window = {"pool_size": (2, 2), "strides": (2, 2), "padding": "valid"}
    torch.testing.assert_close(average_pool(x * mask, **window), average_pool(x, **window) * mask)
    assert np.isfinite(average_pool(x, **window).numpy()).all()
