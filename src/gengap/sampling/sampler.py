"""What samples a model: cases are loaded once, members are drawn from them in passes that fit the memory."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.sampling.cases import pack_inputs
from gengap.sampling.found_noise import ModelNoise, treats_rows_alone
from gengap.sampling.masks import Block
from gengap.sampling.noise_layers import NoiseStrength, all_layers
from gengap.sampling.noise_search import find_noise
from gengap.sampling.switch import NoiseSource, NoiseSwitch


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

    @property
    def tolerance(self) -> float:
        """By how much, relatively, members computed together may differ from the same ones computed apart."""
        return 1e-4

    @property
    @abstractmethod
    def is_proven(self) -> bool:
        """Whether all that noise reaches is known to treat every row of a pass by itself."""


class WholeModelSampler(Sampler):
    """Calls the model as Keras wrote it, on any backend, with nothing but its noise layers switched on.

    Right for every model, and the oracle of the faster way; it computes everything again for every member.

    Args:
        model: A built model.
        source: Where the noise comes from.
        noise: What makes noise in it; None finds out when cases are loaded.
        like: Inputs in the structure that the model takes, where it does not say.
    """

    def __init__(
        self, model: keras.Model, source: NoiseSource, noise: ModelNoise | None = None, *, like: Any = None
    ) -> None:
        self._model, self._source, self._like = model, source, like
        self._switch = None if noise is None else NoiseSwitch(noise, source)
        self._inputs: Sequence[NDArray[Any]] = ()
        self._first_case = 0

    def load(self, inputs: Sequence[Any], first_case: int = 0) -> None:
        """Keep the cases."""
        self._inputs, self._first_case = [dense(values) for values in inputs], first_case
        if self._switch is None:
            self._switch = NoiseSwitch(noise_of(self._model, inputs, like=self._like), self._source)

    def infer(self) -> Any:
        """Call the model in inference mode."""
        with self._switched().off(self._first_case, len(self._inputs[0])), no_gradients():
            return call_model(self._model, self._inputs, like=self._like)

    def draw(self, block: Block, strength: NoiseStrength) -> Any:
        """Call the model on every case as many times as there are members, folded into one batch."""
        first = block.first_case - self._first_case
        part = slice(first, first + block.cases)
        repeated = [np.repeat(values[part], block.members, axis=0) for values in self._inputs]
        with self._switched().on(block, strength, Counter()), no_gradients():
            return call_model(self._model, repeated, like=self._like)

    def rows(self, memory_limit: int) -> int:
        """Return a fixed number: what lies inside is not known."""
        del memory_limit
        return 1024

    @property
    def is_proven(self) -> bool:
        """Whether every part of the model is known to treat rows alone."""
        return treats_rows_alone(self._model)

    def _switched(self) -> NoiseSwitch:
        if self._switch is None:
            raise RuntimeError("Cases are loaded before they are computed.")
        return self._switch


def noise_of(model: keras.Model, inputs: Sequence[Any], *, like: Any = None) -> ModelNoise:
    """Return what makes noise in a model, found on the first of some cases."""

    def run(rows: int, training: bool) -> Any:
        first = [dense(values[: min(rows, values.shape[0])]) for values in inputs]
        repeated = [np.resize(values, (rows, *values.shape[1:])) for values in first]
        with no_gradients():
            return call_model(model, repeated, training=training, like=like)

    if not all(layer.built for layer in all_layers(model)):
        with keras.StatelessScope():
            run(1, training=False)  # what a first call makes is to stay
    return find_noise(model, run)


def call_model(model: keras.Model, inputs: Sequence[Any], *, training: bool = False, like: Any = None) -> Any:
    """Return a model's raw output for flat inputs, as NumPy arrays that NumPy can compute with."""
    tensors = [keras.ops.convert_to_tensor(values) for values in inputs]
    return keras.tree.map_structure(plain, model(pack_inputs(model, tensors, like), training=training))


def plain(value: Any) -> NDArray[Any]:
    """Return a tensor as a NumPy array; numbers of 16 bits become float32, since NumPy knows no bfloat16."""
    dtype = keras.backend.standardize_dtype(value.dtype)
    wide = keras.ops.cast(value, "float32") if dtype in {"bfloat16", "float16"} else value
    return np.asarray(keras.ops.convert_to_numpy(wide))


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
