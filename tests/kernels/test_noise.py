"""Noise as a function of keys, and dropout's laws."""

import numpy as np
import pytest
import torch
from scipy import stats

from gengap.kernels.noise import draw_normal, draw_uniform, drop

KEYS = [11, 2**63 - 5, 12]


@pytest.mark.parametrize("draw", [draw_uniform, draw_normal])
def test_each_row_is_a_function_of_its_key_alone(draw):
    together = draw(KEYS, (5, 7))
    for row, key in zip(together, KEYS, strict=True):
        assert torch.equal(row, draw([key], (5, 7))[0])
    assert not torch.equal(together[0], together[2])


def test_neighbouring_keys_are_independent():
    draws = draw_uniform(range(4), (20_000,)).double().numpy()
    correlations = np.corrcoef(draws)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(20_000)


def test_uniform_numbers_are_uniform():
    numbers = draw_uniform([3], (100_000,))[0].double().numpy()
    assert stats.kstest((numbers + 32_768.5) / 65_536, "uniform").pvalue > 0.001


def test_normal_numbers_are_normal():
    assert stats.kstest(draw_normal([3], (100_000,))[0].numpy(), "norm").pvalue > 0.001


def test_the_share_that_is_dropped_is_the_rate_of_each_run():
    rates = torch.tensor([0.0, 0.2, 0.5, 0.999, 1.0])
    x = torch.ones(5, 400, 100)
    uniform = draw_uniform([5], (400, 100)).expand(5, -1, -1)
    dropped = drop(x, uniform, rates)
    share = (dropped == 0).double().mean((1, 2))
    error = (rates * (1 - rates) / 40_000).sqrt().double()
    assert (share - rates).abs().le(4 * error + 1e-5).all()
    assert torch.equal(dropped[0], x[0])
    assert not dropped[4].any()
    assert dropped[1].max() == 1 / (1 - rates[1])
    assert abs(float(dropped[1].mean()) - 1) < 0.02


def test_a_higher_rate_drops_what_a_lower_one_drops():
    uniform = draw_uniform([5], (1000,)).expand(2, -1)
    low, high = drop(torch.ones(2, 1000), uniform, torch.tensor([0.2, 0.5]))
    assert not high[low == 0].any()


def test_a_mask_may_be_shared_along_space():
    x = torch.ones(2, 3, 4, 4, 5)
    dropped = drop(x, draw_uniform([1, 2], (3, 1, 1, 5)), torch.tensor([0.5, 0.5]))
    assert torch.equal(dropped, dropped[:, :, :1, :1].expand_as(dropped))
    assert 0 < dropped.mean() < 2


def test_half_precision_stays_half_precision():
    dropped = drop(torch.ones(1, 8).bfloat16(), draw_uniform([1], (8,)), torch.tensor([0.5]))
    assert dropped.dtype == torch.bfloat16
    assert set(dropped.tolist()[0]) <= {0.0, 2.0}
