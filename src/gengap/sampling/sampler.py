"""What samples a model: cases are loaded once, members are drawn from them in passes that fit the memory."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.sampling.masks import Block
from gengap.sampling.noise import NoiseStrength, foreign_noise, noise_layers
from gengap.sampling.switch import NoiseSource, noise_switched_on

Precision = Literal["float32", "bfloat16"]


class Sampler(ABC):
    """Draws members of a model's predictive distribution; one implementation per way to compute them."""

    @abstractmethod
    def load(self, inputs: Sequence[Any], first_case: int = 0) -> None:
        """Take some cases: flat inputs, arrays or CSR matrices; compute what all their members have in common.

        Args:
            inputs: The cases.
            first_case: Position of the first of them in the whole input.
        """

    @abstractmethod
    def infer(self) -> Any:
        """Return the model's raw output for all loaded cases without noise, as NumPy arrays."""

    @abstractmethod
    def draw(self, block: Block, strength: NoiseStrength) -> Any:
        """Return the model's raw output, as NumPy arrays, for the rows of `block`: some or all of the loaded cases."""

    @abstractmethod
    def rows(self, memory_limit: int) -> int:
        """Return how many rows one pass may have within `memory_limit` bytes of activations."""


class WholeModelSampler(Sampler):
    """Calls the model as Keras wrote it, on any backend, with nothing but its noise layers switched on.

    Right for every model, and the oracle of the faster way; it computes everything again for every member.

    Args:
        model: A built model.
        source: Where the noise comes from.
    """

    def __init__(self, model: Any, source: NoiseSource) -> None:
        self._model, self._source = model, source
        self._layers, self._foreign = noise_layers(model), foreign_noise(model)
        self._inputs: Sequence[NDArray[Any]] = ()
        self._first_case = 0

    def load(self, inputs: Sequence[Any], first_case: int = 0) -> None:
        """Keep the cases."""
        self._inputs, self._first_case = [dense(values) for values in inputs], first_case

    def infer(self) -> Any:
        """Call the model in inference mode."""
        with no_gradients():
            raw = self._model(self._packed(self._inputs), training=False)
            return keras.tree.map_structure(keras.ops.convert_to_numpy, raw)

    def draw(self, block: Block, strength: NoiseStrength) -> Any:
        """Call the model on every case as many times as there are members, folded into one batch."""
        first = block.first_case - self._first_case
        part = slice(first, first + block.cases)
        repeated = [np.repeat(values[part], block.members, axis=0) for values in self._inputs]
        switched = noise_switched_on(
            self._layers, self._foreign, self._source, block=block, strength=strength, calls=Counter()
        )
        with switched, no_gradients():
            return keras.tree.map_structure(
                keras.ops.convert_to_numpy, self._model(self._packed(repeated), training=False)
            )

    def rows(self, memory_limit: int) -> int:
        """Return a fixed number: what lies inside is not known."""
        del memory_limit
        return 1024

    def _packed(self, inputs: Sequence[Any]) -> Any:
        return keras.tree.pack_sequence_as(self._model.input, list(inputs)) if len(inputs) > 1 else inputs[0]


def dense(values: Any) -> NDArray[Any]:
    """Return rows as a dense array; CSR rows are written out."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def no_gradients() -> Any:
    """Return a context in which the backend records nothing for a backward pass."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.inference_mode()
    from contextlib import nullcontext

    return nullcontext()
