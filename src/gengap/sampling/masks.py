"""Noise as a pure function of (seed, layer, call, case, member): no chunking, order or device can change it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gengap.randomness import LEVELS, key

_WORDS_PER_COUNT = 16
"""16-bit numbers that one step of Philox' counter gives."""

# Klambauer et al. 2017, as Keras writes it: the value that a SELU takes far below zero.
_ALPHA_PRIME = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946


@dataclass(frozen=True)
class Block:
    """The cases and members that one pass computes together; rows are ordered by case, then member.

    Attributes:
        first_case: Position of the first case in the whole input.
        cases: How many cases.
        first_member: Number of the first member.
        members: How many members.
    """

    first_case: int
    cases: int
    first_member: int
    members: int

    @property
    def rows(self) -> int:
        """How many rows the pass has."""
        return self.cases * self.members


class MaskStream:
    """Random numbers of one noise layer, addressable by case and member.

    Philox is a counter-based generator: its output at any position can be had without drawing what lies before, so
    a member's mask is read off at (case, member) whatever was computed before it or beside it.

    Args:
        seed: Seed of the whole prediction.
        layer: Position of the noise layer among the model's noise layers, or a name of the draw.
        call: How often the layer was called before in the same forward pass (shared layers).
        shared: Whether all cases see the masks of one network.
    """

    def __init__(self, seed: int, layer: int | str, call: int = 0, *, shared: bool = False) -> None:
        self._philox = np.random.Philox(key=key(seed, "predictive distribution", layer, call))
        self._state: Any = dict(self._philox.state)
        self._shared = shared

    def uniform(self, block: Block, size: int) -> NDArray[np.uint16]:
        """Return `size` uniform 16-bit numbers for every row: shape `(cases, members, size)`; 1 case where shared."""
        counts = -(-size // _WORDS_PER_COUNT)
        cases = 1 if self._shared else block.cases
        words = np.empty((cases, block.members * counts * _WORDS_PER_COUNT), dtype=np.uint16)
        for position in range(cases):
            case = 0 if self._shared else block.first_case + position
            words[position] = self._read(block.first_member * counts, case, block.members * counts)
        return words.reshape(cases, block.members, counts * _WORDS_PER_COUNT)[..., :size]

    def normal(self, block: Block, size: int) -> NDArray[np.float32]:
        """Return `size` standard normal numbers for every row, from 32-bit uniform ones by the inverse distribution."""
        normal: NDArray[np.float32] = special.ndtri(self.between(block, size)).astype(np.float32)
        return normal

    def between(self, block: Block, size: int) -> NDArray[np.float64]:
        """Return `size` uniform numbers of 32 bits for every row, above 0 and below 1."""
        halves = self.uniform(block, 2 * size).astype(np.uint32)
        whole = (halves[..., :size] << np.uint32(16)) | halves[..., size:]
        return np.asarray((whole + 0.5) / 2.0**32, dtype=np.float64)

    def _read(self, count: int, case: int, length: int) -> NDArray[np.uint16]:
        self._state["state"]["counter"] = np.array([count, case, 0, 0], dtype=np.uint64)
        self._state["buffer_pos"] = 4  # an empty buffer: what an earlier read left over must not leak in
        self._philox.state = self._state
        raw: NDArray[np.uint64] = self._philox.random_raw(4 * length)
        return raw.view(np.uint16)


def dropout_factor(stream: MaskStream, block: Block, size: int, rate: float) -> NDArray[np.float32]:
    """Return inverted dropout's factors: 0 with probability `rate`, else `1 / (1 - rate)`; `(cases, members, size)`.

    Kept values are rescaled by the rate as it is rounded.
    """
    threshold = round(rate * LEVELS)
    kept = stream.uniform(block, size) >= threshold
    scale = LEVELS / (LEVELS - threshold) if threshold < LEVELS else 0.0
    return np.multiply(kept, np.float32(scale), dtype=np.float32)


def gaussian_factor(stream: MaskStream, block: Block, size: int, rate: float) -> NDArray[np.float32]:
    """Return Gaussian dropout's factors: normal around 1 with variance `rate / (1 - rate)`."""
    return 1 + np.float32(np.sqrt(rate / (1 - rate))) * stream.normal(block, size)


def gaussian_summand(stream: MaskStream, block: Block, size: int, stddev: float) -> NDArray[np.float32]:
    """Return Gaussian noise: normal around 0 with standard deviation `stddev`."""
    return np.float32(stddev) * stream.normal(block, size)


def alpha_factor_and_summand(
    stream: MaskStream, block: Block, size: int, rate: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return alpha dropout's factor and summand: dropped values become SELU's floor, mean and variance are kept."""
    kept = stream.uniform(block, size) >= round(rate * LEVELS)
    a = ((1 - rate) * (1 + rate * _ALPHA_PRIME**2)) ** -0.5
    b = -a * _ALPHA_PRIME * rate
    factor = np.multiply(kept, np.float32(a), dtype=np.float32)
    return factor, np.where(kept, np.float32(b), np.float32(a * _ALPHA_PRIME + b))
