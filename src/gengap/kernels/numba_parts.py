"""What the compiled kernels take of Numba that it does not publish: the pieces of which LLVM code is put together.

`numba.core` has neither documentation nor a promise (seen in Numba 0.61 to 0.68). `numba.extending.intrinsic`, which
asks for a function that emits LLVM code, is public but of little use without it. Of `cgutils` are taken `alloca_once`,
`alloca_once_value`, `for_range`, `for_range_slice` and `get_or_insert_function`.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.base import BaseContext as Context
from numba.core.typing.templates import Signature
from numpy.typing import NDArray

Builder: TypeAlias = ir.IRBuilder
"""What LLVM's instructions are written with."""
Value: TypeAlias = ir.Value
"""A number, a vector or an address, as the code that is emitted knows it."""
Values: TypeAlias = Sequence[ir.Value]
"""The arguments of an intrinsic."""
Kind: TypeAlias = types.Type
"""Numba's type of an argument, which is all that is known when code is emitted."""
Intrinsic: TypeAlias = tuple[Signature, Callable[[Context, Builder, Signature, Values], Value]]
"""What `numba.extending.intrinsic` asks for: the types, and what emits the code."""
Floats = NDArray[np.float32]

__all__ = ["Builder", "Context", "Floats", "Intrinsic", "Kind", "Signature", "Value", "Values", "cgutils"]
