"""Members of a predictive distribution: the plan of passes over cases and members, and what comes out of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.errors import ModelError
from gengap.sampling.cases import count_cases, flat_cases
from gengap.sampling.masks import Block
from gengap.sampling.noise import NoiseStrength, foreign_noise, noise_layers
from gengap.sampling.sampler import Precision, Sampler, WholeModelSampler, dense, no_gradients
from gengap.sampling.switch import NoiseSource

Array = NDArray[np.float32]
Reader = Callable[[Any], Array]
"""Turns raw outputs into predictions: see `gengap.engine.outputs.to_predictions`."""

PREDICT_BATCH = 32
"""Rows that `Model.predict` takes at once; the same here, so that the deterministic forecast is equal to the bit."""


def draw_members(
    model: Any,
    x: Any,
    strengths: Sequence[NoiseStrength],
    *,
    num_samples: int,
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
        num_samples: How many members.
        seed: Fixes all masks.
        fixed_mask: Whether a member is one network for all cases.
        precision: Number format of the activations after the noise.
        memory_limit: Bytes that activations may take.
        read: Turns raw outputs into predictions.
        advance: Told how many rows were computed.

    Raises:
        ModelError: No layer of the model makes noise, or its noise cannot be set or fixed.
    """
    layers, foreign = noise_layers(model), foreign_noise(model)
    _check_noise(model, layers, foreign, strengths, fixed_mask=fixed_mask)
    sampler = _sampler(model, NoiseSource(seed, fixed_mask=fixed_mask), precision)
    inputs = flat_cases(model, x)
    silent = [not foreign and all(strength.of(noise) == 0 for noise in layers) for strength in strengths]
    deterministic: list[Array] = []
    parts: list[list[Array]] = [[] for _ in strengths]
    for first, cases in _chunks(count_cases(inputs), PREDICT_BATCH):
        sampler.load([values[first : first + cases] for values in inputs], first)
        deterministic.append(read(sampler.infer()))
        for group in _groups(sampler, (first, cases), num_samples, memory_limit, together=bool(foreign)):
            for drawn, strength, is_silent in zip(parts, strengths, silent, strict=True):
                if is_silent:
                    same = deterministic[-1][group[0] - first : group[0] - first + group[1]]
                    drawn.append(np.broadcast_to(same, (num_samples, *same.shape)))
                    continue
                passes = _passes(sampler, group, num_samples, memory_limit)
                drawn.append(np.concatenate([_draw(sampler, block, strength, read, advance) for block in passes]))
    return np.concatenate(deterministic), [np.concatenate(drawn, axis=1) for drawn in parts]


def predict_deterministic(model: Any, x: Any, read: Reader) -> Array:
    """Return the forecast in inference mode, as `Model.predict` gives it, of dense or CSR rows: `(cases[, labels])`."""
    inputs = flat_cases(model, x)
    parts = []
    with no_gradients():
        for first, cases in _chunks(count_cases(inputs), PREDICT_BATCH):
            rows = [keras.ops.convert_to_tensor(dense(values[first : first + cases])) for values in inputs]
            raw = model(keras.tree.pack_sequence_as(x, rows) if keras.tree.is_nested(x) else rows[0], training=False)
            parts.append(read(keras.tree.map_structure(keras.ops.convert_to_numpy, raw)))
    return np.concatenate(parts)


def _groups(
    sampler: Sampler, loaded: tuple[int, int], num_samples: int, memory_limit: int, *, together: bool
) -> Iterator[tuple[int, int]]:
    """Cut the loaded cases (the first of them, how many) into groups, all members of which fit one pass or few.

    What is computed once per case serves all its passes while it is still in cache. Foreign noise is drawn for
    all the loaded cases `together`: how they are cut must not depend on the memory.
    """
    first, cases = loaded
    end = first + cases
    while first < end:
        fit = max(1, sampler.rows(memory_limit) // num_samples)
        count = cases if together else min(fit, end - first)
        yield first, count
        first += count


def _passes(sampler: Sampler, group: tuple[int, int], num_samples: int, memory_limit: int) -> Iterator[Block]:
    """Return the blocks of members of a group of cases, each as large as the memory then allows."""
    start = 0
    while start < num_samples:
        count = min(max(1, sampler.rows(memory_limit) // group[1]), num_samples - start)
        yield Block(*group, start, count)
        start += count


def _draw(
    sampler: Sampler, block: Block, strength: NoiseStrength, read: Reader, advance: Callable[[int], None]
) -> Array:
    drawn = read(sampler.draw(block, strength))
    advance(block.rows)
    return drawn.reshape(block.cases, block.members, *drawn.shape[1:]).swapaxes(0, 1)


def _chunks(total: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(0, total, size):
        yield first, min(size, total - first)


def _sampler(model: Any, source: NoiseSource, precision: Precision) -> Sampler:
    if keras.backend.backend() == "torch":
        from gengap.sampling.graph_sampler import GraphSampler

        return GraphSampler(model, source, precision=precision)
    return WholeModelSampler(model, source)


def _check_noise(
    model: Any, layers: Sequence[Any], foreign: Sequence[Any], strengths: Sequence[NoiseStrength], *, fixed_mask: bool
) -> None:
    if not layers and not foreign:
        raise ModelError(
            f"No layer of {model.name!r} makes noise, so every sample would be the same: add dropout "
            '(gengap.Dropout), or use method="ensemble" on a Result with several seeds.'
        )
    for strength in strengths:
        strength.check(layers)
    names = [layer.name for layer in foreign]
    if foreign and not all(strength.is_trained for strength in strengths):
        raise ModelError(
            f"Layers {names} draw noise of their own, whose strength cannot be set: leave out `rate` and `scale`."
        )
    if foreign and fixed_mask:
        raise ModelError(f"Layers {names} draw noise of their own for every case: `fixed_mask` is not possible.")
