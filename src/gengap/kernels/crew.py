"""Threads that share out compiled work, where torch's own threads would only wait for each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, final

import numpy as np
import torch

from gengap.kernels import openmp


@final
class Crew:
    """A few threads; the calling one is among them.

    Args:
        threads: How many.
    """

    def __init__(self, threads: int) -> None:
        self.size = max(1, threads)
        self._others = ThreadPoolExecutor(self.size - 1, "gengap-crew") if self.size > 1 else None

    def share_out(self, total: int, work: Callable[[int, int, int], None]) -> None:
        """Let each thread do `work(thread, first, last)` for its part of `total` equal pieces; it frees the GIL."""
        ends = np.linspace(0, total, self.size + 1).round().astype(int)
        parts = [(thread, int(ends[thread]), int(ends[thread + 1])) for thread in range(self.size)]
        if self._others is None:
            work(*parts[0])
            return
        openmp.rest()
        others = [self._others.submit(work, *part) for part in parts[1:] if part[1] < part[2]]
        # The calling thread takes a part too: none is handed to a thread that would first have to be woken for it.
        work(*parts[0])
        for other in others:
            other.result()


def share_out(total: int, work: Callable[..., None], *arrays: Any) -> None:
    """Let as many threads as torch has do `work(first, last, *arrays)` for their parts of `total` equal pieces."""
    _crew(torch.get_num_threads()).share_out(total, lambda _, first, last: work(first, last, *arrays))


@cache
def _crew(threads: int) -> Crew:
    return Crew(threads)
