"""What compiled kernels have in common, and whether they can be had; nothing here needs Numba."""

from functools import cache
from importlib import import_module
from typing import Any

LANES = 16
"""Numbers of a vector: columns, channels and filters come in multiples of it, or are padded to one."""
HIGH = 4
"""Rows of a product of small matrices come in multiples of it: so many are computed together."""


@cache
def compiled_code(module: str) -> Any:
    """Return a compiled module of this package; None without Numba, or with one too old for this NumPy or cacheless.

    Args:
        module: Its name.
    """
    try:
        return import_module(f"gengap.kernels.{module}")
    except (ImportError, RuntimeError):
        return None
