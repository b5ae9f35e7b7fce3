"""Which cases belong together: those of a group or, where there are only times, of a day."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unit_codes(groups: Any, times: Any) -> NDArray[np.int64] | None:
    """Return the code of each case's unit, `0 .. units - 1`; None where every case is one of its own.

    Args:
        groups: Labels of groups, shape `(n,)`, or None.
        times: Times as `datetime64`, shape `(n,)`, or None; without groups, cases of the same day belong together.
    """
    if groups is not None:
        labels = np.asarray(groups)
    elif times is not None:
        labels = np.asarray(times).astype("datetime64[D]")
    else:
        return None
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int64).ravel()
    return None if codes.max() + 1 == len(codes) else codes
