"""What a predictive distribution costs on the net of T2.2, side by side with what people write today, in rounds."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from gengap.engine.computation import Computation
from gengap.sampling import predict_distribution
from training.machine import describe, disturbances, pulse

L = keras.layers
LOOP_CALLS = 50
"""Calls of `predict` that are timed in one round; a loop of 1,000 takes ten times as long: each costs the same."""

BATCHED_CASES = 20
"""Cases of the batched loop that are timed, of 2,000: its memory would not hold more at once, so cost is linear."""

Seconds = dict[str, float]


def storm_net(filters: tuple[int, ...] = (16, 32, 64)) -> Any:
    """The net of T2.2: SpatialDropout2D(0.2) after each activation."""
    x = inputs = keras.Input((32, 32, 3))
    for count in filters:
        x = L.Conv2D(count, 5, padding="same")(x)
        x = L.Activation("relu")(x)
        x = L.SpatialDropout2D(0.2)(x)
        x = L.AveragePooling2D(2)(x)
    model = keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Flatten()(x)))
    model.compile("adam", "binary_crossentropy")
    return model


def speed(wanted: int = 7, limit: float = 25.0) -> dict[str, Any]:
    """Race in rounds until `wanted` of them were undisturbed; medians are over those, or over all if fewer than three.

    Args:
        wanted: Rounds that nobody disturbed.
        limit: Seconds after which no round begins, of the race with one case; that with many takes as long.
    """
    keras.utils.set_random_seed(0)
    model = storm_net()
    x = np.random.default_rng(0).normal(size=(2000, 32, 32, 3)).astype("float32")
    one, many = _one_case(model, x[:1]), _many_cases(model, x)
    single, disturbed = _rounds(one, wanted, limit)
    several, disturbed_many = _rounds(many, 2, limit)
    full = predict_distribution(model, x[:1], num_members=1000)
    half = predict_distribution(model, x[:1], num_members=1000, computation=Computation(precision="bfloat16"))
    return {
        "machine": describe(),
        "parameters": model.count_params(),
        "threads": torch.get_num_threads(),
        "one case, 1,000 samples, seconds": single,
        "disturbed rounds, one case": disturbed,
        "2,000 cases, 100 samples, seconds": several,
        "disturbed rounds, 2,000 cases": disturbed_many,
        "ratios": _ratios(single) | _ratios(several),
        "memory above what was there, MiB": _memory(model, x),
        "largest bfloat16 error": float(np.abs(half.members.values - full.members.values).max()),
        "spread": float(full.spread.mean()),
    }


def _one_case(model: Any, one: Any) -> Mapping[str, Callable[[], float]]:
    thousand = np.repeat(one, 1000, axis=0)

    def predict_loop() -> None:
        for _ in range(LOOP_CALLS):
            model.predict(one, verbose=0)

    def batched() -> None:
        with torch.no_grad():
            model(thousand, training=True)

    return {
        "loop of 1,000 predict calls": lambda: 1000 / LOOP_CALLS * _seconds(predict_loop),
        "batched model(repeat(x), training=True)": lambda: _seconds(batched),
        "float32": lambda: _seconds(lambda: predict_distribution(model, one, num_members=1000), 3),
        "bfloat16": lambda: _seconds(
            lambda: predict_distribution(model, one, num_members=1000, computation=Computation(precision="bfloat16")), 3
        ),
    }


def _many_cases(model: Any, x: Any) -> Mapping[str, Callable[[], float]]:
    def batched() -> None:
        with torch.no_grad():
            for first in range(0, BATCHED_CASES, 10):
                model(np.repeat(x[first : first + 10], 100, axis=0), training=True)

    def ours(precision: Any) -> Callable[[], float]:
        return lambda: _seconds(
            lambda: predict_distribution(
                model, x, num_members=100, computation=Computation(precision=precision), progress=False
            )
        )

    return {
        "batched loop": lambda: len(x) / BATCHED_CASES * _seconds(batched),
        "float32": ours("float32"),
        "bfloat16": ours("bfloat16"),
    }


def _seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Return the mean time of `repeats` runs."""
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) / repeats


def _rounds(contestants: Mapping[str, Callable[[], float]], wanted: int, limit: float) -> tuple[Seconds, str]:
    """Return median seconds of each contestant, and how many rounds were left out because others worked meanwhile."""
    began = time.perf_counter()
    if wanted > 2:  # the others are long enough not to mind being cold
        for run in contestants.values():
            run()
    kept: list[Seconds] = []
    thrown: list[Seconds] = []
    while len(kept) < wanted and (not kept + thrown or time.perf_counter() - began < limit):
        before = pulse()
        times = {name: run() for name, run in contestants.items()}
        found = disturbances(before, pulse())
        (thrown if found else kept).append(times)
        print({name: round(taken, 4) for name, taken in times.items()}, *found, flush=True)
    used = kept if len(kept) >= min(3, wanted) else kept + thrown
    medians = {name: float(np.median([times[name] for times in used])) for name in contestants}
    said = f"{len(thrown)} of {len(kept) + len(thrown)}, {'left out' if used is kept else 'used all the same'}"
    return medians, said


def _ratios(times: Seconds) -> dict[str, float]:
    ours = ("float32", "bfloat16")
    return {
        f"{mine} against {other}": times[other] / times[mine] for other in times if other not in ours for mine in ours
    }


def _memory(model: Any, x: Any) -> float:
    """Return how far the resident memory rises while 2,000 cases x 100 samples are drawn, their members included."""
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        return float("nan")
    clear.write_text("5")  # forget the highest resident memory so far: proc(5)
    before = _resident()
    predict_distribution(model, x, num_members=100, computation=Computation(precision="bfloat16"), progress=False)
    return (_resident("VmHWM") - before) / 1024


def _resident(name: str = "VmRSS") -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0])
