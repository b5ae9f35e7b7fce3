"""What sliding windows share: Keras' padding, and channels-last activations seen the way torch wants them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

Padding = Literal["valid", "same", "causal"]


@dataclass(frozen=True)
class Sliding:
    """How a convolution's window moves: its steps, its padding, the spacing of its points, and groups of channels."""

    strides: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]
    groups: int = 1

    def amounts(self, space: Sequence[int], window: Sequence[int]) -> list[tuple[int, int]]:
        """Return how much is padded before and after each dimension of space."""
        return pad_same(space, window, self.strides, self.padding, self.dilation)


def pad_same(
    space: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: Padding, dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Return how much Keras pads before and after each dimension of space.

    Args:
        space: Sizes of the dimensions.
        window: Sizes of the window.
        strides: Its steps.
        padding: `"same"` gives `ceil(n / stride)` positions with the odd one behind, `"causal"` pads before only.
        dilation: Spacing of the window.
    """
    if padding == "valid":
        return [(0, 0)] * len(space)
    amounts = []
    for n, k, s, d in zip(space, window, strides, dilation, strict=True):
        reach = (k - 1) * d
        total = reach if padding == "causal" else max((-(-n // s) - 1) * s + reach + 1 - n, 0)
        before = total if padding == "causal" else total // 2
        amounts.append((before, total - before))
    return amounts


def pad_space(x: torch.Tensor, amounts: Sequence[tuple[int, int]], *, value: float = 0.0) -> torch.Tensor:
    """Pad the dimensions of space of channels-last activations; the rest of the dimensions stay."""
    if not any(map(any, amounts)):
        return x
    return functional.pad(x, (0, 0, *(side for amount in reversed(amounts) for side in amount)), value=value)


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """View `(N, *space, C)` as `(N, C, *space)` without moving memory."""
    return x.movedim(-1, 1)


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """View `(N, C, *space)` as `(N, *space, C)` without moving memory."""
    return x.movedim(1, -1)
