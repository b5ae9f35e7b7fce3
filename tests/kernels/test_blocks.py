"""Convolution, relu, mask and pooling in one against the four one after another."""

import pytest
import torch
from torch.nn import functional

from gengap.kernels import blocks
from gengap.kernels.blocks import convolve_relu_pool
from gengap.kernels.planes import Plane


def tensors(channels, filters, window, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 6, 8, 12, channels, generator=generator).to(dtype).requires_grad_()
    kernels = (torch.randn(2, *window, channels, filters, generator=generator) / 5).requires_grad_()
    bias = torch.randn(2, filters, generator=generator, requires_grad=True)
    scale = 1.25 * (torch.rand(2, 6, 1, 1, filters, generator=generator) > 0.2).to(dtype)
    return x, kernels, bias, scale


def one_after_another(x, kernels, bias, scale):
    runs = []
    for k in range(len(x)):
        weights = kernels[k].to(x.dtype).permute(3, 2, 0, 1)
        z = functional.conv2d(x[k].permute(0, 3, 1, 2), weights, bias[k].to(x.dtype), padding="same").relu()
        z = z if scale is None else z * scale[k].permute(0, 3, 1, 2)
        runs.append(functional.avg_pool2d(z, 2).permute(0, 2, 3, 1))
    return torch.stack(runs)


@pytest.mark.parametrize("masked", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize(("channels", "filters", "window"), [(3, 8, (5, 5)), (8, 16, (3, 5)), (16, 20, (3, 3))])
def test_one_operation_is_the_four_in_turn(monkeypatch, channels, filters, window, masked):
    monkeypatch.setattr(blocks, "_IN_CACHE", 4 * 8 * 12 * 4 * filters)  # four samples, then two
    x, kernels, bias, scale = tensors(channels, filters, window)
    scale = scale if masked else None
    ours, theirs = convolve_relu_pool(x, kernels, bias, scale), one_after_another(x, kernels, bias, scale)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    direction = torch.randn(ours.shape, generator=torch.Generator().manual_seed(4))
    wanted = (x, kernels, bias)
    for one, other in zip(
        torch.autograd.grad(ours, wanted, direction), torch.autograd.grad(theirs, wanted, direction), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(convolve_relu_pool(x, kernels, bias, scale), ours, rtol=0, atol=0)


def test_bfloat16_is_no_further_from_float32_than_torch_is():
    x, kernels, bias, scale = tensors(3, 8, (5, 5), torch.bfloat16)
    exact_inputs = [one.detach().float().requires_grad_() for one in (x, kernels, bias)]
    exact = one_after_another(*exact_inputs, scale.float())
    direction = torch.randn(exact.shape, generator=torch.Generator().manual_seed(4))
    exact_gradients = torch.autograd.grad(exact, exact_inputs, direction)
    errors = []
    for compute in (convolve_relu_pool, one_after_another):
        result = compute(x, kernels, bias, scale)
        found = torch.autograd.grad(result, (x, kernels, bias), direction.to(result.dtype))
        pairs = zip((result.detach(), *found), (exact.detach(), *exact_gradients), strict=True)
        errors.append([float((a.float() - b).norm() / b.norm()) for a, b in pairs])
    for own, torchs in zip(*errors, strict=True):
        assert own < max(1.5 * torchs, 0.004)


def test_what_is_not_a_number_stays_so_in_its_own_run():
    x, kernels, bias, _ = tensors(3, 8, (5, 5))
    with torch.no_grad():
        kernels[0, 0, 0, 0, 0] = torch.nan
    result = convolve_relu_pool(x, kernels, bias, None)
    assert result[0].isnan().any()
    assert result[1].isfinite().all()
    (gradient,) = torch.autograd.grad(result.sum(), kernels)
    assert gradient[1].isfinite().all()


def test_a_convolution_without_bias_gives_none_a_gradient():
    x, kernels, bias, scale = tensors(3, 8, (3, 3))
    without = convolve_relu_pool(x, kernels, None, scale)
    torch.testing.assert_close(without, convolve_relu_pool(x, kernels, torch.zeros_like(bias), scale))
    (gradient,) = torch.autograd.grad(without.sum(), kernels)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("window", [(1, 1), (5, 3), (3, 7)])
def test_pairs_of_columns_are_convolved_as_columns_are(window):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(2, 6, 8, 3, generator=generator)
    kernel = torch.randn(*window, 3, 4, generator=generator, requires_grad=True)
    plain = functional.conv2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), padding="same").permute(0, 2, 3, 1)
    folded = Plane(kernel).convolve(x)
    torch.testing.assert_close(folded, plain, rtol=1e-5, atol=1e-5)
    direction = torch.randn(plain.shape, generator=generator)
    by_torch = torch.autograd.grad(plain, kernel, direction)[0]
    torch.testing.assert_close(Plane(kernel.detach()).weight_gradients(direction, x)[0], by_torch, rtol=1e-4, atol=1e-4)
