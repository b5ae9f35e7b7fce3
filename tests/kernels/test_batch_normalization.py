"""Batch normalization of runs, compiled and as operations on arrays, against the formula in float64."""

import pytest
import torch

from gengap.kernels import batch_normalization as bn
from gengap.kernels.compiled_normalization import is_compiled

pytest.importorskip("numba", reason="the compiled passes need the extra `fast`")
EPSILON = 1e-3


def drawn(shape, mean=5.0):
    generator = torch.Generator().manual_seed(sum(shape))
    x, up = (torch.randn(shape, generator=generator) for _ in range(2))
    gamma, beta = (torch.rand(shape[0], shape[2], generator=generator) + 0.5 for _ in range(2))
    return x + mean, up, gamma, beta


def differentiated(x, up, gamma, beta, way=None):
    given = [None if one is None else one.clone().requires_grad_() for one in (x, gamma, beta)]
    result, mean, variance = (way or bn.normalize_batch)(*given, EPSILON)
    result.backward(up)
    return [result.detach(), mean, variance, *(None if one is None else one.grad for one in given)]


def in_float64(x, gamma, beta, epsilon):
    mean, variance = x.mean(dim=1, keepdim=True), x.var(dim=1, keepdim=True, correction=0)
    result = (x - mean) / (variance + epsilon).sqrt() * (1 if gamma is None else gamma.unsqueeze(1))
    return result + (0 if beta is None else beta.unsqueeze(1)), mean.squeeze(1).detach(), variance.squeeze(1).detach()


@pytest.mark.parametrize("shape", [(2, 22_000, 12), (1, 16_448, 16), (2, 90_000, 3), (1, 520, 512), (2, 100, 8)])
@pytest.mark.parametrize("learned", [(True, True), (False, True), (True, False), (False, False)])
def test_values_and_gradients_are_those_of_the_formula(shape, learned):
    x, up, *both = drawn(shape)
    own = [one if keep else None for one, keep in zip(both, learned, strict=True)]
    assert is_compiled(x) == (shape[1] * shape[2] > 1 << 18)
    exact = [None if one is None else one.double() for one in (x, up, *own)]
    for found, wanted in zip(differentiated(x, up, *own), differentiated(*exact, in_float64), strict=True):
        if wanted is not None:
            torch.testing.assert_close(found.double(), wanted, rtol=2e-5, atol=2e-5 * float(wanted.abs().max()))


def test_runs_and_threads_change_no_digit():
    together = drawn((3, 33_000, 8))
    threads = torch.get_num_threads()
    try:
        found = []
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(differentiated(*together))
            found.append([torch.cat(parts) for parts in zip(*(alone(together, run) for run in range(3)), strict=True)])
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(torch.equal(one, same) for one, same in zip(found[0], other, strict=True))


def alone(together, run):
    return differentiated(*(one[run : run + 1] for one in together))


def test_inference_is_the_same_formula_and_differentiable():
    x, up, gamma, beta = drawn((2, 33_000, 8), mean=1000.0)
    mean, scale = x.mean(dim=1), gamma / x.std(dim=1)
    expected = (x.double() - mean.double().unsqueeze(1)) * scale.double().unsqueeze(1)
    with torch.no_grad():
        torch.testing.assert_close(bn.normalize_by(x, mean, scale, None).double(), expected, rtol=1e-5, atol=1e-5)
        shifted = bn.normalize_by(x, mean, scale, beta)
    x.requires_grad_()
    again = bn.normalize_by(x, mean, scale, beta)
    torch.testing.assert_close(again.detach(), shifted, rtol=1e-6, atol=1e-6)
    again.backward(up)
    torch.testing.assert_close(x.grad, up * scale.unsqueeze(1))
