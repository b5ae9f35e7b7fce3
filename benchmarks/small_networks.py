"""Many small networks trained at once in NumPy, each on its own cases: hundreds of simulated studies afford them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulated_results import Floats

HIDDEN, BATCH, RATE = 32, 32, 0.01


@dataclass(frozen=True)
class Networks:
    """Weights of R networks with one layer of rectifiers."""

    first: Floats
    shift: Floats
    last: Floats
    level: Floats

    def __call__(self, x: Floats) -> Floats:
        """Predict cases `(R, n, features)`, or `(n, features)` for all alike; shape `(R, n)`."""
        hidden = np.maximum(x @ self.first + self.shift[:, None], 0)
        return np.asarray((hidden @ self.last[..., None])[..., 0] + self.level[:, None])


def trained(x: Floats, y: Floats, *, penalty: Floats, seeds: Any, epochs: int) -> Networks:
    """Minimize squared errors and a penalty on the weights of features with Adam, all networks in step.

    Args:
        x: Training cases of each network, shape `(R, n, features)`.
        y: Their answers, shape `(R, n)`.
        penalty: Strength of the L2 penalty on the first layer's weights, shape `(R, features)`.
        seeds: Seed of each network; equal seeds start alike and see their cases in the same order, shape `(R,)`.
        epochs: Passes over the training cases.
    """
    runs, n, features = x.shape
    generators = {int(seed): np.random.default_rng([50, int(seed)]) for seed in dict.fromkeys(seeds)}
    drawn = {seed: rng.standard_normal((features + 1, HIDDEN)) for seed, rng in generators.items()}
    start = np.stack([drawn[int(seed)] for seed in seeds])
    state = [
        start[:, :-1] * np.sqrt(2 / features),
        np.zeros((runs, HIDDEN)),
        start[:, -1] * np.sqrt(1 / HIDDEN),
        y.mean(axis=1),
    ]
    moments = [[np.zeros_like(part) for part in state] for _ in range(2)]
    rows, step = np.arange(runs)[:, None], 0
    for _ in range(epochs):
        orders = {seed: rng.permutation(n) for seed, rng in generators.items()}
        order = np.stack([orders[int(seed)] for seed in seeds])
        for begin in range(0, n - BATCH // 2, BATCH):
            batch, step = order[:, begin : begin + BATCH], step + 1
            _update(state, _gradients(state, x[rows, batch], y[rows, batch], penalty), moments, step)
    return Networks(*state)


def _gradients(state: list[Floats], x: Floats, y: Floats, penalty: Floats) -> list[Floats]:
    first, shift, last, level = state
    hidden = np.maximum(x @ first + shift[:, None], 0)
    error = 2 * ((hidden @ last[..., None])[..., 0] + level[:, None] - y) / x.shape[1]
    back = error[..., None] * last[:, None] * (hidden > 0)
    of_first = x.swapaxes(1, 2) @ back + 2 * penalty[..., None] * first
    return [of_first, back.sum(axis=1), (error[:, None] @ hidden)[:, 0], error.sum(axis=1)]


def _update(state: list[Floats], gradients: list[Floats], moments: list[list[Floats]], step: int) -> None:
    for place, gradient in enumerate(gradients):
        mean, square = moments[0][place], moments[1][place]
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient**2 - square)
        state[place] = state[place] - RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-7)
