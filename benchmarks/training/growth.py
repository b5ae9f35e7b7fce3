"""How a step's time and memory grow with the number of runs, with width and with length, family by family.

    python -m benchmarks.training.growth [--families dense lstm ...] [--quick]

One thread; every point is a process of its own (forked after the imports), so that its memory is its own, and seconds
are those of its processor: what others do on the machine lengthens no step, but for the cache they share. Results:
`benchmarks/results/growth.json`, and as a page `docs/performance_growth.md`. `--families` measures some and keeps what
is known of the others; `--further` adds a round to those known, of which a point's fastest counts, as every disturbance
makes it slower; `--quick` measures little and writes nothing.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.training.growth_page import FIGURE, PAGE, figure, page
from benchmarks.training.machine import describe, disturbances, peak_memory, pulse
from benchmarks.training.parts import timed

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "growth.json"
RUNS = (1, 2, 4, 16, 64, 256)
WIDTHS = (8, 16, 32, 64, 128)
LENGTHS = (8, 16, 32, 64, 128)
WIDTH, LENGTH, TOGETHER = 16, 32, 4
"""Where an axis stands while another is varied."""
BATCH, FEATURES, CODES = 32, 8, 100
_SETTINGS = {"batch": BATCH, "length": LENGTH, "width": WIDTH, "together": TOGETHER, "steps": 5}
_SECONDS, _STEPS = 0.4, (5, 40)  # how long a point is measured, in at least and at most so many steps


@dataclass(frozen=True)
class Family:
    """One kind of net.

    Attributes:
        body: Makes an output of an input `(length, features)`, given a width.
        products: Multiplications of a case there, given length and width.
        length: What its length is.
        codes: Whether its inputs are codes, `(length,)`.
    """

    body: Callable[[Any, int], Any]
    products: Callable[[int, int], int]
    length: str
    codes: bool = False


def _layers() -> Any:
    import keras

    return keras.layers


def _dense(x: Any, width: int) -> Any:
    x = _layers().Dense(width, activation="relu")(_layers().Flatten()(x))
    return _layers().Dropout(0.3)(_layers().Dense(width, activation="relu")(x))


def _normalized(x: Any, width: int) -> Any:
    for _ in range(2):
        x = _layers().BatchNormalization()(_layers().Conv1D(width, 1, activation="relu")(x))
    return _layers().GlobalAveragePooling1D()(x)


def _convolved(x: Any, width: int) -> Any:
    for _ in range(2):
        x = _layers().AveragePooling1D(2)(_layers().Conv1D(width, 5, padding="same", activation="relu")(x))
    return _layers().Flatten()(x)


def _attended(x: Any, width: int) -> Any:
    x = _layers().Dense(width)(x)
    x = _layers().LayerNormalization()(x + _layers().MultiHeadAttention(2, width // 2)(x, x))
    return _layers().GlobalAveragePooling1D()(x)


def _dropped(x: Any, width: int) -> Any:
    x = _layers().Dense(width)(x)
    return _layers().GlobalAveragePooling1D()(_layers().Attention(use_scale=True, dropout=0.2)([x, x]))


def _looked_up(x: Any, width: int) -> Any:
    return _layers().Flatten()(_layers().Embedding(CODES, width)(x))


FAMILIES = {
    "dense": Family(_dense, lambda t, w: FEATURES * t * w + w * w, "cells of a row"),
    "embedding": Family(_looked_up, lambda t, w: t * w, "codes of a row", codes=True),
    "convolution": Family(_convolved, lambda t, w: 5 * t * (FEATURES * w + w * w // 2), "levels"),
    "batch normalization": Family(_normalized, lambda t, w: t * (FEATURES * w + w * w), "levels"),
    "LSTM": Family(lambda x, w: _layers().LSTM(w)(x), lambda t, w: 4 * t * (FEATURES * w + w * w), "time steps"),
    "GRU, both ways": Family(
        lambda x, w: _layers().Bidirectional(_layers().GRU(w))(x), lambda t, w: 6 * t * (FEATURES * w + w * w),
        "time steps",
    ),
    "attention": Family(_attended, lambda t, w: t * (FEATURES * w + 4 * w * w + 2 * t * w), "time steps"),
    "attention, dropout": Family(_dropped, lambda t, w: t * (FEATURES * w + 2 * t * w), "time steps"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="*", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--quick", action="store_true", help="a point or two an axis; nothing is written")
    parser.add_argument("--further", action="store_true", help="one round more")
    arguments = parser.parse_args()
    os.environ |= {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and not arguments.quick else {"families": {}}
    results |= {"machine": describe(), "caches": _caches(), "addition": _apart(_addition), "settings": _SETTINGS}
    for name in arguments.families:
        before = pulse()
        found = _grown(name, quick=arguments.quick)
        found["disturbed"] = disturbances(before, pulse())
        known = results["families"].get(name) if arguments.further else None
        results["families"][name] = found if known is None else _faster(known, found)
        print(f"{name}: {time.strftime('%H:%M:%S')}", file=sys.stderr, flush=True)
        if not arguments.quick:
            results["families"] = {one: results["families"][one] for one in FAMILIES if one in results["families"]}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.quick:
        print(page(results))
        return
    PAGE.write_text(page(results))
    figure(results).savefig(FIGURE, dpi=110)


def _grown(name: str, *, quick: bool) -> dict[str, Any]:
    """Return the points of one family, axis by axis."""
    some = slice(0, 5, 2) if quick else slice(None)
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "length": FAMILIES[name].length,
        "rounds": 1,
        "runs": {str(k): _apart(_point, name, k, LENGTH, WIDTH) for k in RUNS[some]},
        "widths": {str(w): _apart(_point, name, TOGETHER, LENGTH, w) for w in WIDTHS[some]},
        "lengths": {str(t): _apart(_point, name, TOGETHER, t, WIDTH) for t in LENGTHS[some]},
        "planned": _apart(_planned, name, 16 if quick else max(RUNS)),
    }


def _faster(known: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return what two rounds found: the faster of two points."""
    points = {
        axis: {size: min(known[axis][size], point, key=lambda one: one["step"]) for size, point in found[axis].items()}
        for axis in ("runs", "widths", "lengths")
    }
    said = sorted({*known["disturbed"], *found["disturbed"]})
    return found | points | {"disturbed": said, "rounds": known.get("rounds", 1) + 1}


def _apart(function: Callable[..., Any], *given: Any) -> Any:
    """Call a function in a process of its own, which has this one's imports."""
    import torch  # noqa: F401  once for all children

    import gengap.engine.fused  # noqa: F401

    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=lambda: there.send(function(*given)))
    child.start()
    there.close()
    try:
        return here.recv()
    finally:
        child.join()


def _point(name: str, runs: int, length: int, width: int) -> dict[str, float]:
    """Return seconds of a step and of its parts, and MiB that the training took, for so many runs together."""
    import torch

    from gengap.engine.memory import keep_freed_memory

    torch.set_num_threads(1)
    with keep_freed_memory():
        warm = _trainer(name, 1, 8, WIDTH)  # loads what is compiled
        for _ in range(2):
            warm.advance()
        del warm
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        start = peak_memory()
        trainer = _trainer(name, runs, length, width)
        for _ in range(3):
            trainer.advance()
        parts: dict[str, list[float]] = {"step": [], "forward": [], "backward": [], "update": []}
        with _watched(parts):
            while len(parts["step"]) < _STEPS[0] or (sum(parts["step"]) < _SECONDS and len(parts["step"]) < _STEPS[1]):
                trainer.advance()
    medians = {part: statistics.median(spent) for part, spent in parts.items()}
    return medians | {"mib": peak_memory() - start, "products": FAMILIES[name].products(length, width)}


def _planned(name: str, runs: int) -> list[int]:
    """Return how many runs train together where the planner decides."""
    import torch

    from gengap.engine.fused import plan_fused

    torch.set_num_threads(1)
    members, data, settings = _given(name, runs, LENGTH, WIDTH)
    return [len(chunk.runs) for chunk in plan_fused(members, data, settings, device="cpu").chunks]


def _caches() -> dict[str, str]:
    """Return the sizes of a core's caches."""
    places = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    read = [{name: (place / name).read_text().strip() for name in ("level", "type", "size")} for place in places]
    return {f"L{one['level']}": one["size"] for one in read if one["type"] != "Instruction"}


def _addition() -> dict[str, float]:
    """Return nanoseconds a number of adding two arrays, by the MiB that the three arrays take."""
    import torch

    torch.set_num_threads(1)
    found = {}
    for exponent in range(12, 25, 2):
        a, b, c = torch.zeros(3, 1 << exponent).unbind(0)
        repeats = max(1, (1 << 20) >> exponent)
        seconds = []
        for _ in range(9):
            began = time.perf_counter()
            for _ in range(repeats):
                torch.add(a, b, out=c)
            seconds.append((time.perf_counter() - began) / repeats)
        found[f"{12 * (1 << exponent) / 2**20:.3g}"] = 1e9 * min(seconds) / (1 << exponent)
    return found


def _given(name: str, runs: int, length: int, width: int) -> tuple[Any, Any, Any]:
    """Return runs of one net, synthetic data and settings."""
    import keras

    from gengap.datasets.split import Split
    from gengap.datasets.training_data import TrainingData
    from gengap.engine.runs import Run, TrainingSettings

    family, draw, rows = FAMILIES[name], np.random.default_rng(0), BATCH * (_STEPS[1] + 8)
    shape = (length,) if family.codes else (length, FEATURES)
    x = draw.integers(0, CODES, (rows, *shape)) if family.codes else draw.normal(size=(rows, *shape))
    x, y = x.astype("int32" if family.codes else "float32"), draw.integers(0, 2, rows).astype("float32")
    inputs = keras.Input(shape, dtype=str(x.dtype))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(family.body(inputs, width)))
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    settings = TrainingSettings(
        epochs=1, batch_size=BATCH, task="binary", score="log_loss", keep_every_epoch=False, training_score=False
    )
    data = TrainingData(Split(x, y), Split(x[:BATCH], y[:BATCH]))
    return [Run(name, seed, model) for seed in range(runs)], data, settings


def _trainer(name: str, runs: int, length: int, width: int) -> Any:
    from gengap.engine.fused import prepare_runs
    from gengap.engine.trainer import Trainer

    members, data, settings = _given(name, runs, length, width)
    return Trainer("growth", prepare_runs(members, data, settings), data, settings, threads=1)


def _watched(parts: dict[str, list[float]]) -> AbstractContextManager[None]:
    """Note the processor's seconds of every step and its parts."""
    import torch

    from gengap.engine.optimizers.in_place import InPlace
    from gengap.engine.trainer import Trainer
    from gengap.layers.program import Program

    places = [(Trainer, "advance", "step"), (Program, "__call__", "forward"), (torch.autograd, "grad", "backward"),
              (InPlace, "update", "update")]  # fmt: skip
    return timed(places, parts, time.process_time)


if __name__ == "__main__":
    main()
