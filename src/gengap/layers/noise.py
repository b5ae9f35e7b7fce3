"""Dropout and noise of K runs: one rate per run, one draw per seed for all of them."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch

from gengap.keras_models.noise_kinds import mask_shape, strength_of
from gengap.kernels.noise import draw_normal, draw_uniform, drop, keep_scale
from gengap.layers.base import Fused
from gengap.layers.doors import PassContext, StackedNode

Draw = Callable[..., torch.Tensor]
"""`draw_uniform` or `draw_normal`."""


class FusedNoise(Fused):
    """Noise in training, nothing in inference."""

    @final
    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self.strengths = node.strengths(strength_of)
        self._silent = not bool(self.strengths.any())
        self._seeds = list(dict.fromkeys(node.seeds))
        self._row = torch.tensor([self._seeds.index(seed) for seed in node.seeds], device=self.strengths.device)

    @final
    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Return `x` with each run's noise of this step."""
        return self.disturb(x, context) if self.speaks(context) else x

    @final
    def speaks(self, context: PassContext) -> bool:
        """Tell whether there is noise in this pass."""
        return context.training and not self._silent

    @final
    def keys(self, context: PassContext) -> list[int]:
        """Return the key of this step's noise, one per seed."""
        return self.node.keys(self._seeds, context.epoch, context.step)

    @final
    def draw(self, draw: Draw, shape: Sequence[int], context: PassContext) -> torch.Tensor:
        """Return this step's draws of the shape of one run, one row per run, on the device of the runs."""
        device = self._row.device
        numbers = context.drawn(lambda moment: draw(self.keys(moment), shape, device=device))
        return numbers.index_select(0, self._row)

    @final
    def broadcast(self, strengths: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Shape `(K,)` so that it broadcasts against `x`, in its dtype."""
        return strengths.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))

    @abstractmethod
    def disturb(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Return the disturbed activations."""


class FusedDropout(FusedNoise):
    """Dropout, its noise shape included, and spatial dropout of any rank."""

    def disturb(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Drop by one uniform draw per seed: a higher rate drops what a lower one drops, and more."""
        shape = _noise_shape(self.node.operation, x.shape[1:])
        return drop(x, self.draw(draw_uniform, shape, context), self.strengths)

    def factors(self, shape: Sequence[int], dtype: torch.dtype, context: PassContext) -> torch.Tensor | None:
        """Return what this step multiplies activations `(K, *shape)` by; None where that is one."""
        if not self.speaks(context):
            return None
        uniform = self.draw(draw_uniform, _noise_shape(self.node.operation, shape), context)
        return keep_scale(uniform, self.strengths, dtype=dtype)


class FusedGaussianDropout(FusedNoise):
    """Multiplication by normal noise of mean 1 and variance `rate / (1 - rate)`."""

    def disturb(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Multiply."""
        deviation = self.broadcast((self.strengths / (1.0 - self.strengths)).sqrt(), x)
        return x * (1.0 + deviation * self.draw(draw_normal, x.shape[1:], context).to(x.dtype))


class FusedGaussianNoise(FusedNoise):
    """Addition of normal noise."""

    def disturb(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Add."""
        return x + self.broadcast(self.strengths, x) * self.draw(draw_normal, x.shape[1:], context).to(x.dtype)


def disturbed(layer: Any, x: torch.Tensor, word: int) -> torch.Tensor:
    """Return the activations of one run with the noise that a noise layer of Keras' makes under one key.

    Args:
        layer: One of the classes of `FUSED_NOISE`.
        x: Activations, `(B, ...)`.
        word: The key.
    """
    door = FUSED_NOISE[type(layer).__name__](_Alone(layer, x.device, word))  # type: ignore[arg-type]
    return door.compute(x.unsqueeze(0), PassContext(training=True)).squeeze(0)


@dataclass(frozen=True, eq=False)
class _Alone:
    """What a noise layer asks of its `StackedNode`, for one run whose key is known."""

    operation: Any
    device: torch.device
    word: int
    seeds: Sequence[int] = (0,)

    def strengths(self, read: Callable[[Any], float]) -> torch.Tensor:
        return torch.tensor([float(read(self.operation))], device=self.device)

    def keys(self, *_: object) -> list[int]:
        return [self.word]


def _noise_shape(layer: object, of_run: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the mask of one run: 1 along axes that share it."""
    cases, *of_row = of_run
    declared = getattr(layer, "noise_shape", None)
    rows = cases if declared is None or declared[0] is None else int(declared[0])
    return (rows, *mask_shape(layer, of_row))


FUSED_NOISE: dict[str, type[Fused]] = {
    "Dropout": FusedDropout,
    "SpatialDropout1D": FusedDropout,
    "SpatialDropout2D": FusedDropout,
    "SpatialDropout3D": FusedDropout,
    "GaussianDropout": FusedGaussianDropout,
    "GaussianNoise": FusedGaussianNoise,
}
