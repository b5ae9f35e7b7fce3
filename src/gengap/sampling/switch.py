"""Noise layers switched on, and nothing else: the model runs in inference mode, its noise layers take our masks."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from gengap.engine.randomness import key
from gengap.sampling.masks import Block, MaskStream
from gengap.sampling.noise import NoiseLayer, NoiseStrength


class NoiseSource:
    """Hands out the noise of a model, layer by layer.

    Args:
        seed: Seed of the whole prediction.
        fixed_mask: Whether all cases see the same networks.
    """

    def __init__(self, seed: int, *, fixed_mask: bool) -> None:
        self.seed = seed
        self._fixed_mask = fixed_mask
        self._streams: dict[tuple[int, int], MaskStream] = {}

    def draw(
        self, noise: NoiseLayer, call: int, block: Block, shape: Sequence[int], strength: float
    ) -> tuple[Any | None, Any | None]:
        """Return factor and summand of one call of a noise layer: `(cases or 1, members, *shape)` or None.

        Args:
            noise: The layer.
            call: How often it was called before in this pass.
            block: The cases and members of the pass.
            shape: Shape of one row's noise.
            strength: Its rate or standard deviation.
        """
        if (noise.index, call) not in self._streams:
            shared = noise.drawn_by_all(fixed_mask=self._fixed_mask)
            self._streams[noise.index, call] = MaskStream(self.seed, noise.index, call, shared=shared)
        return noise.draw(self._streams[noise.index, call], block, shape, strength)


@contextmanager
def noise_switched_on(
    layers: Sequence[NoiseLayer],
    foreign: Sequence[Any],
    source: NoiseSource,
    *,
    block: Block,
    strength: NoiseStrength,
    calls: Counter[int],
) -> Iterator[None]:
    """Let every call of these layers, from wherever in a model's code, make noise for the rows of `block`.

    Our noise replaces what the layer would draw; a foreign layer runs in training mode with a seed of its own. All is
    put back afterwards: hooks, and the state of the foreign layers' random numbers.

    Args:
        layers: Noise layers to switch on.
        foreign: Layers that make noise of their own.
        source: Where the noise comes from.
        block: The cases and members of the pass.
        strength: How strong the noise is.
        calls: How often each noise layer was called in this pass; counted on.
    """
    hooks: dict[Any, Callable[..., Any]] = {n.layer: _own_noise(n, source, block, strength, calls) for n in layers}
    hooks |= {layer: _in_training_mode(layer.call) for layer in foreign}
    with _seeded_globally(key(source.seed, "foreign noise", block.first_case, block.first_member), bool(foreign)):
        states = _seed_foreign(foreign, source.seed, block)
        try:
            for layer, hook in hooks.items():
                layer.__dict__["call"] = (
                    hook  # past Keras' and torch's own __setattr__, which track what they are given
                )
            yield
        finally:
            for layer in hooks:
                layer.__dict__.pop("call", None)
            for generator, state in states.items():
                generator.state.assign(state)


@contextmanager
def _seeded_globally(seed: int, wanted: bool) -> Iterator[None]:
    """Seed torch's own generator and put it back: Keras 3.15 draws from it where a layer was given no seed."""
    if not wanted or keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _own_noise(
    noise: NoiseLayer, source: NoiseSource, block: Block, strength: NoiseStrength, calls: Counter[int]
) -> Callable[..., Any]:
    def call(inputs: Any, training: bool | None = None) -> Any:
        del training  # the noise is on, whatever mode the model is in
        ordinal = calls[noise.index]
        calls[noise.index] += 1
        value = strength.of(noise)
        if value == 0:
            return inputs
        times, rest = divmod(int(inputs.shape[0]), block.rows)
        if rest:
            raise ValueError(
                f"Noise layer {noise.layer.name!r} was called on {inputs.shape[0]} rows in a pass of {block.rows}: it "
                "stands where cases are mixed, and its noise cannot be assigned to cases."
            )
        # A model may fold another axis (time) into the rows: its noise is drawn as one longer row.
        shape = noise.mask_shape(inputs.shape[1:])
        drawn = source.draw(noise, ordinal, block, (times, *shape), value)
        factor, summand = (_rows(part, block, shape, inputs) for part in drawn)
        result = inputs if factor is None else inputs * factor
        return result if summand is None else result + summand

    return call


def _rows(drawn: Any | None, block: Block, shape: Sequence[int], inputs: Any) -> Any | None:
    if drawn is None:
        return None
    flat = np.broadcast_to(drawn, (block.cases, *drawn.shape[1:])).reshape(-1, *shape)
    return keras.ops.convert_to_tensor(np.ascontiguousarray(flat), dtype=keras.backend.standardize_dtype(inputs.dtype))


def _in_training_mode(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **{**kwargs, "training": True})

    return call


def _seed_foreign(foreign: Sequence[Any], seed: int, block: Block) -> Mapping[Any, Any]:
    """Seed the foreign layers' generators for this block and return what their states were."""
    states: dict[Any, Any] = {}
    for layer in foreign:
        for sublayer in layer._flatten_layers():  # noqa: SLF001  a cell inside its RNN holds the generator
            for generator in [v for v in vars(sublayer).values() if isinstance(v, keras.random.SeedGenerator)]:
                if generator in states:
                    continue
                states[generator] = np.array(keras.ops.convert_to_numpy(generator.state))
                drawn = key(seed, "foreign noise", len(states), block.first_case, block.first_member)
                generator.state.assign(np.array([drawn & 0x7FFFFFFF, drawn >> 32], dtype=states[generator].dtype))
    return states
