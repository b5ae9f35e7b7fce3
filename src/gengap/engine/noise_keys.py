"""Keys Keras' own noise layers, so that their masks depend on (seed, layer, epoch, step) alone."""

import keras
import numpy as np

from gengap.engine.noise_states import obey_their_state, seed_generators
from gengap.engine.randomness import key


class NoiseKeys:
    """The seed generators of one model, set anew before every step.

    Args:
        model: The model whose noise is to be fixed; its seed generators change state.
        seed: Seed of the run.
    """

    def __init__(self, model: keras.Model, seed: int) -> None:
        obey_their_state(model)
        self._seed = seed
        self._states = [(identity, one.state) for identity, one in seed_generators(model)]

    def set(self, epoch: int, step: int) -> None:
        """Key every generator for one step of one epoch, both from 1."""
        for identity, state in self._states:
            word = key(self._seed, "noise", identity, epoch, step)
            state.assign(np.array([word & 0x7FFFFFFF, word >> 32], dtype=np.uint32))
