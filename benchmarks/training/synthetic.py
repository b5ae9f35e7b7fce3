"""Made data for the races in which only shapes matter: sequences, pictures, tables; called synthetic everywhere."""

from typing import Any

import numpy as np

Arrays = dict[str, Any]


def words(train: int = 4_000, held: int = 1_000, *, steps: int = 80, vocabulary: int = 5_000) -> tuple[Arrays, str]:
    """Return sequences of word numbers whose commonest words depend on the label."""
    draw = np.random.default_rng(0)
    y = draw.integers(0, 2, train + held)
    x = np.minimum(draw.zipf(1.2, (train + held, steps)), vocabulary - 1)
    x = np.where((draw.random(x.shape) < 0.1) & (y[:, None] == 1), 17, x).astype(np.int32)
    return _split(x, y, train), f"{train:,} + {held:,} synthetic sequences of {steps} words"


def pictures(train: int = 1_600, held: int = 400) -> tuple[Arrays, str]:
    """Return pictures 32 x 32 x 3 with a brighter patch where the label is 1."""
    draw = np.random.default_rng(0)
    y = draw.integers(0, 2, train + held)
    x = draw.normal(size=(train + held, 32, 32, 3)).astype(np.float32)
    x[y == 1, 8:16, 8:16] += 0.3
    return _split(x, y, train), f"{train:,} + {held:,} synthetic pictures, 32 x 32 x 3"


def table(train: int = 2_000, held: int = 500, *, columns: int = 30) -> tuple[Arrays, str]:
    """Return a table whose first four columns are codes below 50."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(train + held, columns)).astype(np.float32)
    x[:, :4] = draw.integers(0, 50, (train + held, 4))
    y = (x[:, 4] + x[:, 5] * x[:, 6] + 0.04 * (x[:, 0] - 25) + draw.normal(size=len(x)) > 0).astype(int)
    return _split(x, y, train), f"{train:,} + {held:,} synthetic rows of {columns} columns, four of them codes"


def _split(x: Any, y: Any, train: int) -> Arrays:
    answers = y.astype(np.float32)
    return {"x": x[:train], "y": answers[:train], "x_held": x[train:], "y_held": answers[train:]}
