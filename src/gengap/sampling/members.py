"""Members of a predictive distribution: the plan of passes over cases and members, and what comes out of them."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.engine.computation import Precision
from gengap.errors import ModelError, NoiseWarning
from gengap.keras_models.devices import computing_as_told
from gengap.keras_models.graph import input_specs
from gengap.sampling.cases import count_cases, flat_cases
from gengap.sampling.found_noise import Grain, ModelNoise, takes_masks_away
from gengap.sampling.masks import Block
from gengap.sampling.noise_layers import NoiseStrength
from gengap.sampling.sampler import (
    Sampler,
    WholeModelSampler,
    call_model,
    dense,
    no_gradients,
    noise_of,
)
from gengap.sampling.switch import NoiseSource

Array = NDArray[np.float32]
Reader = Callable[[Any], Array]
"""Turns raw outputs into predictions: see `gengap.keras_models.outputs.to_predictions`."""

PREDICT_BATCH = 32
"""Rows that `Model.predict` takes at once; the same here, so that the deterministic forecast is equal to the bit."""


def draw_members(
    model: keras.Model,
    x: Any,
    strengths: Sequence[NoiseStrength],
    *,
    noise: ModelNoise,
    num_members: int,
    seed: int,
    fixed_mask: bool,
    precision: Precision,
    memory_limit: int,
    read: Reader,
    advance: Callable[[int], None],
) -> tuple[Array, list[Array]]:
    """Return the forecast without noise, `(cases[, labels])`, and the members under each strength of the noise.

    Members are `(members, cases[, labels])`. It is one pass over the cases: all strengths see the same random numbers,
    and share with the forecast without noise what precedes the noise.

    Args:
        model: A built model.
        x: Cases, as the model takes them; CSR rows stay sparse up to the first Dense layer.
        strengths: How strong the noise is; one result for each.
        noise: What makes noise in the model, as `look_for_noise` returns it.
        num_members: How many members.
        seed: Fixes all masks.
        fixed_mask: Whether a member is one network for all cases.
        precision: Number format of the activations after the noise.
        memory_limit: Bytes that activations may take.
        read: Turns raw outputs into predictions.
        advance: Told how many rows were computed.

    Raises:
        ModelError: The strength of a layer's noise cannot be set.
    """
    inputs = flat_cases(model, x)
    _check_strengths(noise, strengths)
    sampler = _sampler(model, NoiseSource(seed, fixed_mask=fixed_mask), noise, precision, x)
    plan = _Plan(sampler, inputs, strengths, num_members, memory_limit, read, advance)
    silent = [not noise.foreign and all(strength.of(one) == 0 for one in noise.own) for strength in strengths]
    with computing_as_told():
        grain = _grain(sampler, noise, inputs, read)
        try:
            return plan.compute(grain, silent, watched=grain == "rows" and not sampler.is_proven)
        except MixedRowsError:
            return plan.compute("member", silent, watched=False)


def predict_deterministic(model: keras.Model, x: Any, read: Reader) -> Array:
    """Return the forecast in inference mode, as `Model.predict` gives it, of dense or CSR rows: `(cases[, labels])`."""
    inputs = flat_cases(model, x)
    parts = []
    for first, cases in _chunks(count_cases(inputs), PREDICT_BATCH):
        rows = [dense(values[first : first + cases]) for values in inputs]
        with no_gradients(), computing_as_told():
            parts.append(read(call_model(model, rows, like=x)))
    return np.concatenate(parts)


def look_for_noise(model: keras.Model, x: Any) -> ModelNoise:
    """Return what makes noise in a model, called on its first cases.

    Raises:
        ModelError: No layer makes noise, or a layer's cannot be seeded.
    """
    noise = noise_of(model, flat_cases(model, x), like=x)
    if noise.own or noise.foreign:
        return noise
    reasons = "".join(f" Layer {name!r} stays off: {reason}." for name, reason in noise.off.items())
    raise ModelError(
        f"No layer of {model.name!r} makes noise, so every sample would be the same: add dropout "
        f'(gengap.Dropout), or use method="ensemble" on a Result with several seeds.{reasons}'
    )


def say_what_is_off(noise: ModelNoise) -> None:
    """Warn of noise that is not a part of the members, and of noise that is part of the forecast without any."""
    for name, reason in noise.off.items():
        warnings.warn(f"The noise of layer {name!r} is left off: {reason}.", NoiseWarning, stacklevel=3)
    if noise.always:
        warnings.warn(
            f"Layers {noise.always} make noise in inference too, so that no forecast is without: `deterministic` is "
            "one draw of it, the same at every call.",
            NoiseWarning,
            stacklevel=3,
        )


class MixedRowsError(Exception):
    """Members that were computed together differ from the same ones computed apart."""


@dataclass(eq=False)
class _Plan:
    """The passes over cases and members, computed as large as is right and fits."""

    sampler: Sampler
    inputs: Sequence[Any]
    strengths: Sequence[NoiseStrength]
    num_members: int
    memory_limit: int
    read: Reader
    advance: Callable[[int], None]
    passes: int = 0

    def compute(self, grain: Grain, silent: Sequence[bool], *, watched: bool) -> tuple[Array, list[Array]]:
        """Return the forecast without noise, and the members under each strength.

        Args:
            grain: What a pass may hold.
            silent: For each strength whether it leaves no noise at all.
            watched: Whether members are computed apart as well: all of the first pass, then one of every pass.

        Raises:
            MixedRowsError: They differ: the model mixes rows of a batch, and members must not see each other.
        """
        deterministic: list[Array] = []
        parts: list[list[Array]] = [[] for _ in self.strengths]
        together = watched or grain != "rows"
        for first, cases in _chunks(count_cases(self.inputs), 1 if grain == "row" else PREDICT_BATCH):
            self.sampler.load([values[first : first + cases] for values in self.inputs], first)
            deterministic.append(self.read(self.sampler.infer()))
            for group in _groups(self.sampler, (first, cases), self.num_members, self.memory_limit, together=together):
                for drawn, strength, is_silent in zip(parts, self.strengths, silent, strict=True):
                    if is_silent:
                        same = deterministic[-1][group[0] - first : group[0] - first + group[1]]
                        drawn.append(np.broadcast_to(same, (self.num_members, *same.shape)))
                        continue
                    drawn.append(self._members(group, strength, grain, watched=watched))
        return np.concatenate(deterministic), [np.concatenate(drawn, axis=1) for drawn in parts]

    def _members(self, group: tuple[int, int], strength: NoiseStrength, grain: Grain, *, watched: bool) -> Array:
        drawn = []
        for block in _passes(self.sampler, group, self.num_members, self.memory_limit, apart=grain != "rows"):
            drawn.append(_draw(self.sampler, block, strength, self.read))
            if watched and block.members > 1:
                self._compare(block, strength, drawn[-1])
            self.passes += 1
            self.advance(block.rows)
        return np.concatenate(drawn)

    def _compare(self, block: Block, strength: NoiseStrength, together: Array) -> None:
        """Raise where a member of a pass is not what it is by itself."""
        watched = range(block.members) if self.passes == 0 else [self.passes % block.members]
        for member in watched:
            alone = Block(block.first_case, block.cases, block.first_member + member, 1)
            expected = _draw(self.sampler, alone, strength, self.read)[0]
            size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
            tolerance = self.sampler.tolerance
            if not np.allclose(together[member], expected, rtol=tolerance, atol=tolerance * size, equal_nan=True):
                raise MixedRowsError


def _grain(sampler: Sampler, noise: ModelNoise, inputs: Sequence[Any], read: Reader) -> Grain:
    """Return what a pass may hold; cases that see each other in inference are never computed one by one."""
    if noise.grain != "row" or sampler.is_proven:
        return noise.grain
    first = [values[:PREDICT_BATCH] for values in inputs]
    sampler.load(first)
    together = read(sampler.infer())
    for case in range(len(together)):
        sampler.load([values[case : case + 1] for values in first], case)
        if not np.allclose(read(sampler.infer())[0], together[case], rtol=1e-4, atol=1e-6, equal_nan=True):
            return "member"
    return "row"


def _groups(
    sampler: Sampler, loaded: tuple[int, int], num_members: int, memory_limit: int, *, together: bool
) -> Iterator[tuple[int, int]]:
    """Cut the loaded cases (the first of them, how many) into groups, all members of which fit one pass or few.

    What is computed once per case serves all its passes while it is still in cache. Cases that may see each other are
    kept `together`, as `predict` has them.
    """
    first, cases = loaded
    end = first + cases
    while first < end:
        fit = max(1, sampler.rows(memory_limit) // num_members)
        count = cases if together else min(fit, end - first)
        yield first, count
        first += count


def _passes(
    sampler: Sampler, group: tuple[int, int], num_members: int, memory_limit: int, *, apart: bool = False
) -> Iterator[Block]:
    """Return the blocks of members of a group of cases, each as large as the memory then allows, or of one member."""
    start = 0
    while start < num_members:
        fit = 1 if apart else max(1, sampler.rows(memory_limit) // group[1])
        count = min(fit, num_members - start)
        yield Block(*group, start, count)
        start += count


def _draw(sampler: Sampler, block: Block, strength: NoiseStrength, read: Reader) -> Array:
    drawn = read(sampler.draw(block, strength))
    return drawn.reshape(block.cases, block.members, *drawn.shape[1:]).swapaxes(0, 1)


def _chunks(total: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(0, total, size):
        yield first, min(size, total - first)


def _sampler(model: keras.Model, source: NoiseSource, noise: ModelNoise, precision: Precision, x: Any) -> Sampler:
    by_steps = input_specs(model) is not None and not takes_masks_away(model)
    if keras.backend.backend() == "torch" and by_steps:
        from gengap.sampling.graph_sampler import GraphSampler

        return GraphSampler(model, source, noise, precision=precision)
    return WholeModelSampler(model, source, noise, like=x)


def _check_strengths(noise: ModelNoise, strengths: Sequence[NoiseStrength]) -> None:
    for strength in strengths:
        strength.check(noise.own)
    if noise.foreign and not all(strength.is_trained for strength in strengths):
        raise ModelError(
            f"Layers {noise.names} draw noise of their own, whose strength cannot be set: leave out `rate` and `scale`."
        )
