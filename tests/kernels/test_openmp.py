"""Resting OpenMP: torch goes on as before."""

import ctypes
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gengap.kernels import openmp


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "omp_pause_resource_all"), reason="this OpenMP cannot be paused")
@pytest.mark.usefixtures("_two_threads")
def test_torch_computes_the_same_after_a_rest():
    x = torch.randn(400, 400, generator=torch.Generator().manual_seed(0))
    before = x @ x
    assert openmp.rest()
    assert torch.equal(x @ x, before)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(openmp.rest).result()
    assert torch.equal(x @ x, before)


def test_one_thread_needs_no_rest(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(openmp, "_pause", lambda: pytest.fail("nothing spins in one thread"))
    assert openmp.rest()
