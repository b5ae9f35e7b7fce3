import subprocess
import sys

import numpy as np
import pytest

from gengap.randomness import generator, key


def test_keys_are_equal_in_every_process():
    code = "from gengap.randomness import key; print(key(3, 'noise', 'Dropout/0', 2, 7))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == key(3, "noise", "Dropout/0", 2, 7)


def test_keys_differ_wherever_an_argument_differs():
    keys = {key(seed, part, epoch) for seed in range(50) for part in ("order", "noise") for epoch in range(50)}
    assert len(keys) == 50 * 2 * 50
    assert all(0 <= one < 2**63 for one in keys)


@pytest.mark.parametrize("first", [0, 1, 41])
def test_neighbouring_seeds_are_unrelated(first):
    a, b = (generator(seed, "x").standard_normal(20_000) for seed in (first, first + 1))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(20_000)
