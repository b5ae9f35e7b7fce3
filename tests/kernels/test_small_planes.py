"""Compiled convolutions of small planes against torch's, in double precision."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from gengap.kernels import compiled_code
from gengap.kernels.small_planes import Ending, TiledConvolution, filtering, sum_planes, tiles_are_worth_while


def expected(x, kernel, bias, ending):
    """Return the result in float64."""
    x, kernel, bias = (part.double() for part in (x, kernel, bias))
    sides = [side for k in reversed(kernel.shape[:2]) for side in ((k - 1) // 2, k // 2)]
    padded = functional.pad(x.movedim(-1, 1), sides)
    return finished(functional.conv2d(padded, kernel.permute(3, 2, 0, 1), bias).movedim(1, -1), ending)


def finished(planes, ending):
    planes = torch.relu(planes) if ending.rectify else planes
    pool = functional.max_pool2d if ending.largest else functional.avg_pool2d
    return pool(planes.movedim(-1, 1), ending.pool).movedim(1, -1)


@pytest.mark.parametrize("window", range(2, 8))
def test_the_matrices_filter_a_line(window):
    random = np.random.default_rng(0)
    one, line, weights = filtering(window), random.normal(size=8), random.normal(size=window)
    outputs = one.outputs @ ((one.window @ weights) * (one.inputs @ line))
    np.testing.assert_allclose(outputs, np.convolve(line, weights[::-1], mode="valid"), atol=1e-12)
    assert outputs.shape == (9 - window,)


@pytest.mark.parametrize(
    ("plane", "window"), [((8, 8), (5, 5)), ((8, 8), (3, 3)), ((7, 10), (4, 2)), ((5, 3), (7, 6)), ((1, 9), (2, 5))]
)
@pytest.mark.parametrize(("channels", "filters"), [(16, 16), (48, 80)])
@pytest.mark.parametrize("masked", [False, True])
def test_tiles_equal_a_direct_convolution(plane, window, channels, filters, masked):
    torch.manual_seed(0)
    x, kernel = torch.randn(7, *plane, channels), torch.randn(*window, channels, filters) / channels
    bias = torch.randn(filters)
    mask = torch.rand(7, channels) if masked else None
    with torch.inference_mode():
        ours = TiledConvolution(kernel, bias)(x, mask)
    theirs = expected(x if mask is None else x * mask[:, None, None], kernel, bias, Ending())
    np.testing.assert_allclose(ours, theirs, atol=3e-5 * float(theirs.abs().max()))
    assert ours.shape == theirs.shape


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("pool", [(1, 1), (2, 2), (3, 1), (2, 4)])
@pytest.mark.parametrize("largest", [False, True])
def test_what_follows_is_done_on_the_way(rectify, pool, largest):
    torch.manual_seed(0)
    ending = Ending(rectify, pool, largest)
    x, kernel, bias = torch.randn(5, 8, 9, 16), torch.randn(3, 3, 16, 32) / 16, torch.randn(32)
    theirs = expected(x, kernel, bias, ending)
    np.testing.assert_allclose(TiledConvolution(kernel, bias)(x, ending=ending), theirs, atol=5e-5)
    weights, parts = torch.rand(2, 6, 5), torch.randn(2, 5, 8, 9, 16)
    sums = torch.einsum("cmp,cphwf->cmhwf", weights.double(), parts.double()).flatten(0, 1) + bias[:16]
    ours = sum_planes(weights, parts, bias[:16], ending=ending)
    assert ours.shape[:2] == (2, 6)
    np.testing.assert_allclose(ours.flatten(0, 1), finished(sums, ending), atol=5e-6)


def test_tiles_round_less_than_a_hundred_thousandth():
    torch.manual_seed(0)
    x, kernel = torch.randn(50, 8, 8, 32), torch.randn(5, 5, 32, 64) / 28
    exact = expected(x, kernel, torch.zeros(64), Ending())
    error = (TiledConvolution(kernel, None)(x) - exact).abs().max() / exact.abs().max()
    assert 1e-7 < float(error) < 1e-5


@pytest.mark.parametrize("members", [4, 5, 6, 7, 8])
def test_every_member_is_summed_once(members):
    weights, parts = torch.eye(members)[None], torch.arange(members * 16.0).view(1, members, 1, 1, 16)
    torch.testing.assert_close(sum_planes(weights, parts, None)[0], parts[0], rtol=0, atol=0)


def test_the_number_of_cores_changes_no_bit(monkeypatch):
    torch.manual_seed(0)
    x, convolution = torch.randn(9, 8, 8, 16), TiledConvolution(torch.randn(5, 5, 16, 16), None)
    results = []
    for cores in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda cores=cores: cores)
        results.append(convolution(x))
    assert torch.equal(*results)


@pytest.mark.parametrize("ending", [Ending(), Ending(rectify=True), Ending(rectify=True, pool=(2, 2), largest=True)])
def test_what_is_not_a_number_stays_so(ending):
    x = torch.zeros(1, 8, 8, 16)
    x[0, 0, 0, 3] = torch.nan
    assert bool(TiledConvolution(torch.ones(3, 3, 16, 16), None)(x, ending=ending)[0, 0, 0].isnan().all())


def test_other_channels_than_the_kernels_are_refused():
    convolution = TiledConvolution(torch.ones(3, 3, 16, 16), None)
    with pytest.raises(ValueError, match="takes 16 channels"):
        convolution(torch.zeros(1, 8, 8, 32))
    with pytest.raises(ValueError, match="takes 16 channels"):
        convolution(torch.zeros(2, 8, 8, 16), torch.zeros(1, 16))


def test_they_are_taken_where_they_save_multiplications():
    assert tiles_are_worth_while((8, 8), (5, 5, 32, 64))
    assert tiles_are_worth_while((32, 32), (5, 5, 16, 32))
    assert not tiles_are_worth_while((8, 8), (5, 5, 3, 64))  # no multiple of sixteen
    assert not tiles_are_worth_while((8, 8), (5, 1, 32, 64))
    assert not tiles_are_worth_while((2, 2), (3, 3, 32, 64))


def test_without_numba_there_are_none(monkeypatch):
    monkeypatch.setattr(compiled_code, "import_module", lambda _: (_ for _ in ()).throw(ImportError("no numba")))
    compiled_code.compiled_code.cache_clear()
    try:
        assert not tiles_are_worth_while((8, 8), (5, 5, 32, 64))
    finally:
        compiled_code.compiled_code.cache_clear()
