"""Dropout of the weights of attention without projections, for K runs: what is kept, as Keras draws it."""

from collections.abc import Sequence

import keras
import torch

from gengap.layers.doors import PassContext, StackedNode


class WeightDropout:
    """Which weights of `Attention` or `AdditiveAttention` a pass keeps.

    The layers own a generator each, which is asked as Keras' own loop asks it, once for all runs of a seed: a seed
    means the same masks by whichever door. A number more drawn from it would change them.

    Args:
        node: The layer's node; its rate is that of all runs.
    """

    def __init__(self, node: StackedNode) -> None:
        self._node, self._rate = node, float(node.operation.dropout)
        seeds = list(dict.fromkeys(node.seeds))
        self._drawing = [list(node.seeds).index(seed) for seed in seeds]
        self._row = torch.tensor([seeds.index(seed) for seed in node.seeds], device=node.stack.device)

    def speaks(self, context: PassContext) -> bool:
        """Tell whether anything is dropped in this pass."""
        return context.training and self._rate > 0

    def weigh(self, weights: torch.Tensor, values: torch.Tensor, context: PassContext) -> torch.Tensor:
        """Return values `(K, B, S, features)` under what this pass keeps of weights `(K, B, T, S)`, scaled up."""
        if not self.speaks(context):
            return weights @ values
        shape = tuple(weights.shape[1:])
        kept = context.drawn(lambda moment: self._draw(shape, moment)).index_select(0, self._row)
        scale = 1 / (1 - self._rate) if self._rate < 1 else 0.0
        return torch.where(kept, weights, 0) @ values * scale  # the products are fewer numbers than the weights

    def _draw(self, shape: Sequence[int], context: PassContext) -> torch.Tensor:
        """Return one row a seed, `(seeds, B, T, S)` bool."""
        moments = [context.moment(k, seed) for k, seed in enumerate(self._node.seeds)]
        runs = zip(self._node.noises, self._node.operations, moments, strict=True)
        states = [noise.states(operation, moment) for noise, operation, moment in runs]
        return torch.stack([self._of_run(k, states[k], shape) for k in self._drawing])

    def _of_run(self, k: int, states: Sequence[tuple[object, object]], shape: Sequence[int]) -> torch.Tensor:
        device, generator = self._node.stack.device, self._node.operations[k].seed_generator
        with torch.no_grad(), keras.StatelessScope(states):
            if device.type == "cpu":  # what torch compares where it draws a mask, in a quarter of the time
                kept: torch.Tensor = keras.random.uniform(shape, dtype="float32", seed=generator) < 1 - self._rate
            else:
                kept = keras.random.dropout(torch.ones(*shape, device=device), self._rate, seed=generator) != 0
        return kept
