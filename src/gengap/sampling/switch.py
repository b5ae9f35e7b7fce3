"""Noise switched on, and nothing else: the model runs in inference mode, its noise layers take our numbers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gengap.errors import ModelError
from gengap.randomness import key
from gengap.sampling.calls import Call, Mode, hooked, unchanged
from gengap.sampling.draws import Draw, draws_answered_by
from gengap.sampling.found_noise import ForeignNoise, ModelNoise
from gengap.sampling.masks import Block, MaskStream, dropout_factor
from gengap.sampling.noise_layers import NoiseLayer, NoiseStrength, all_layers
from gengap.sampling.own_numbers import generators_put_back, seed_generators


class NoiseSource:
    """Hands out the noise of a model, layer by layer.

    Args:
        seed: Seed of the whole prediction.
        fixed_mask: Whether all cases see the same networks.
    """

    def __init__(self, seed: int, *, fixed_mask: bool) -> None:
        self.seed = seed
        self.fixed_mask = fixed_mask
        self._streams: dict[tuple[int | str, int, bool], MaskStream] = {}

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
        shared = noise.drawn_by_all(fixed_mask=self.fixed_mask)
        return noise.draw(self.stream(noise.index, call, shared=shared), block, shape, strength)

    def stream(self, layer: int | str, call: int, *, shared: bool) -> MaskStream:
        """Return the random numbers of one call of a layer."""
        where = layer, call, shared
        if where not in self._streams:
            self._streams[where] = MaskStream(self.seed, layer, call, shared=shared)
        return self._streams[where]


@dataclass(eq=False)
class _Pass:
    """The pass that is being computed, and how far it is; no strength where noise is off."""

    block: Block
    strength: NoiseStrength | None
    calls: Counter[int]
    draws: Counter[int] = field(default_factory=Counter)
    running: list[ForeignNoise] = field(default_factory=list)


class NoiseSwitch:
    """Switches a model's noise on and off, wherever in its code it is made.

    Our noise replaces what Keras' noise layers would draw; other layers that draw run in training mode, one by one, and
    what they ask Keras for is ours. Nothing of the model is changed afterwards.

    Args:
        noise: What makes noise in the model.
        source: Where the noise comes from.
    """

    def __init__(self, noise: ModelNoise, source: NoiseSource) -> None:
        self._noise, self._source = noise, source
        self._own = {id(one.layer): one for one in noise.own}
        self._foreign = {id(one.layer): one for one in noise.foreign}
        self._on = {id(layer) for layer in noise.on}
        inside = [one for layer in noise.on for one in all_layers(layer)]
        layers = [*(one.layer for one in noise.own), *(one.layer for one in noise.foreign), *inside]
        self._hooked = list({id(layer): layer for layer in layers}.values())
        self._unknown = any(one.unknown for one in noise.foreign)
        self._pass = _Pass(Block(0, 1, 0, 1), None, Counter())

    @contextmanager
    def off(self, first_case: int, cases: int) -> Iterator[None]:
        """Compute cases without noise; layers whose noise has no rest draw it once and for all."""
        with self._computing(_Pass(Block(first_case, cases, 0, 1), None, Counter())):
            yield

    @contextmanager
    def on(self, block: Block, strength: NoiseStrength, calls: Counter[int]) -> Iterator[None]:
        """Compute the rows of `block` with noise of some strength; `calls` counts the calls of Keras' noise layers."""
        with self._computing(_Pass(block, strength, calls)):
            yield

    @contextmanager
    def _computing(self, one: _Pass) -> Iterator[None]:
        self._pass = one
        with (
            unchanged(self._noise.ones_own),
            generators_put_back() if self._unknown else nullcontext(),
            draws_answered_by(self._answer),
            hooked(self._hooked, self._around),
        ):
            yield

    def _around(self, layer: keras.Layer, original: Call) -> Call:
        if id(layer) in self._own:
            return self._own_noise(self._own[id(layer)])
        mode, foreign = Mode(original), self._foreign.get(id(layer))

        def call(*args: Any, **kwargs: Any) -> Any:
            now = self._pass
            if now.strength is not None:
                wanted = True if id(layer) in self._on else self._noise.modes.get(id(layer), False)
                args, kwargs = mode.write(args, kwargs, wanted)
            if foreign is None:
                return original(*args, **kwargs)
            now.running.append(foreign)
            try:
                if foreign.unknown:
                    seed_generators(self._seed(foreign, now))
                return original(*args, **kwargs)
            finally:
                now.running.pop()

        return call

    def _own_noise(self, noise: NoiseLayer) -> Call:
        def call(inputs: Any, training: bool | None = None) -> Any:
            del training  # the noise is on or off, whatever mode the model is in
            now = self._pass
            if now.strength is None:
                return inputs
            ordinal = now.calls[noise.index]
            now.calls[noise.index] += 1
            value = now.strength.of(noise)
            if value == 0:
                return inputs
            times, rest = divmod(int(inputs.shape[0]), now.block.rows)
            if rest:
                raise ValueError(
                    f"Noise layer {noise.layer.name!r} was called on {inputs.shape[0]} rows in a pass of "
                    f"{now.block.rows}: it stands where cases are mixed, and its noise cannot be assigned to cases."
                )
            # A model may fold another axis (time) into the rows: its noise is drawn as one longer row.
            shape = noise.mask_shape(inputs.shape[1:])
            drawn = self._source.draw(noise, ordinal, now.block, (times, *shape), value)
            factor, summand = (_rows(part, now.block, shape, inputs) for part in drawn)
            result = inputs if factor is None else inputs * factor
            return result if summand is None else result + summand

        return call

    def _answer(self, draw: Draw) -> Any:
        now = self._pass
        if now.strength is None and draw.kind == "dropout":
            return draw.arguments["inputs"]
        if not now.running:
            raise ModelError(
                "A layer draws random numbers here that it did not draw when the model was looked at, on its first "
                "cases: noise that comes and goes with the data cannot be sampled."
            )
        noise = now.running[-1]
        ordinal = now.draws[noise.index]
        now.draws[noise.index] += 1
        rows = now.block.rows
        known = noise.by_row[ordinal] if ordinal < len(noise.by_row) else not draw.mixes_rows
        if not known or draw.shape[0] % rows:
            return draw.of_seed(self._seed(noise, now, "draw", ordinal, mixed=draw.mixes_rows))
        return self._by_row(draw, noise, ordinal, now)

    def _by_row(self, draw: Draw, noise: ForeignNoise, ordinal: int, now: _Pass) -> Any:
        """Return what Keras is asked for, every row's numbers read off at its case and member."""
        name = f"draw {noise.index}" if now.strength is not None else f"rest {noise.index}"
        stream = self._source.stream(name, ordinal, shared=self._source.fixed_mask and now.strength is not None)
        size = int(np.prod(draw.shape, dtype=int)) // now.block.rows
        if draw.kind == "dropout":
            factor = dropout_factor(stream, now.block, size, draw.arguments["rate"])
            return draw.of_factor(_spread(factor, now.block).reshape(draw.shape))
        return draw.of_uniform(_spread(stream.between(now.block, size), now.block).reshape(draw.shape))

    def _seed(self, noise: ForeignNoise, now: _Pass, *parts: str | int, mixed: bool = False) -> int:
        """Return the seed of what rows share in one pass of one member; of generators that only a seed reaches."""
        word = "foreign noise" if now.strength is not None else "foreign noise at rest"
        of_case = (noise.unknown or mixed) and not self._source.fixed_mask
        case = now.block.first_case if of_case else -1
        ordinal = now.calls[-1 - noise.index]
        now.calls[-1 - noise.index] += 1
        return key(self._source.seed, word, noise.index, ordinal, *parts, case, now.block.first_member)


def _rows(drawn: Any | None, block: Block, shape: Sequence[int], inputs: Any) -> Any | None:
    if drawn is None:
        return None
    flat = _spread(drawn, block).reshape(-1, *shape)
    return keras.ops.convert_to_tensor(np.ascontiguousarray(flat), dtype=keras.backend.standardize_dtype(inputs.dtype))


def _spread(drawn: Any, block: Block) -> Any:
    """Return numbers `(cases or 1, members, ...)` written out for every case."""
    return np.broadcast_to(drawn, (block.cases, *drawn.shape[1:]))
