"""How large the inputs of training cases are: networks start from weights that expect about 1."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from gengap.datasets.cases import arrays_of
from gengap.datasets.standardization import BLOCK


def input_scale(x: Any) -> dict[str, Any] | None:
    """Return the feature with the largest root mean square over the training cases.

    Args:
        x: Inputs of the training cases.

    Returns:
        `feature` (its place on the last axis, or the name of the input that it is in) and `rms`; None where no input
        is a dense array of floating-point numbers, since whole numbers may be codes.
    """
    largest: dict[str, Any] | None = None
    for label, part in arrays_of(x):
        if sparse.issparse(part) or getattr(getattr(part, "dtype", None), "kind", "") != "f" or not np.size(part):
            continue
        array = part if part.ndim > 1 else part[:, None]
        axes = tuple(range(array.ndim - 1))
        squares = np.zeros(array.shape[-1])
        for start in range(0, len(array), BLOCK):  # piecewise, so that memory-mapped data stay on the disk
            squares += np.square(array[start : start + BLOCK], dtype=np.float64).sum(axis=axes)
        rms = np.sqrt(squares / (array.size // array.shape[-1]))
        place = int(rms.argmax())
        if largest is None or rms[place] > largest["rms"]:
            feature = label.strip().strip("'") if isinstance(x, Mapping) else place
            largest = {"feature": feature, "rms": float(rms[place])}
    return largest


def scale_by_place(x: Any) -> dict[str, Any] | None:
    """Return the same of what preprocessing gave, with the place of a feature alone: columns may be moved and made."""
    largest = input_scale(x)
    if largest is not None and isinstance(largest["feature"], int):
        largest["feature"] = f"x[..., {largest['feature']}]"
    return largest
