"""Keys Keras' own noise layers, so that their masks depend on (seed, layer, epoch, step) alone."""

from typing import Any

import keras
import numpy as np

from gengap.engine.initial_weights import identified_layers
from gengap.engine.randomness import key


class NoiseKeys:
    """The seed generators of one model, set anew before every step.

    Args:
        model: The model whose noise is to be fixed; its seed generators change state.
        seed: Seed of the run.
    """

    def __init__(self, model: keras.Model, seed: int) -> None:
        self._seed = seed
        self._states: list[tuple[str, Any]] = []
        for identity, layer in identified_layers(model):
            generators = [v for v in vars(layer).values() if isinstance(v, keras.random.SeedGenerator)]
            for one in generators:
                if one._initial_seed is None:  # noqa: SLF001  Keras 3.15 on torch asks this, and with None draws its
                    one._initial_seed = 0  # noqa: SLF001  dropout from torch's global generator instead of this one
            self._states += [(f"{identity}/{ordinal}", one.state) for ordinal, one in enumerate(generators)]

    def set(self, epoch: int, step: int) -> None:
        """Key every generator for one step of one epoch, both from 1."""
        for identity, state in self._states:
            word = key(self._seed, "noise", identity, epoch, step)
            state.assign(np.array([word & 0x7FFFFFFF, word >> 32], dtype=np.uint32))
