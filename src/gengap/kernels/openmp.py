"""Lets torch's OpenMP threads rest, so that the cores are free for threads that are not OpenMP's."""

import ctypes
from functools import cache
from typing import Any

import torch

_SOFT = 1  # omp_pause_soft of <omp.h>: threads end, and come back with the next parallel region


def rest() -> bool:
    """End the threads of torch's OpenMP until torch wants them again.

    GNU's OpenMP lets idle threads spin for milliseconds in case that more work comes, which is what a core of ours then
    waits for. Ending them costs .03 ms.

    Returns:
        Whether that was possible: it takes an OpenMP 5 that is loaded for all to see.
    """
    if torch.get_num_threads() == 1:
        return True
    pause = _pause()
    return pause is not None and pause(_SOFT) == 0


@cache
def _pause() -> Any:
    return getattr(ctypes.CDLL(None), "omp_pause_resource_all", None)
