"""One contestant in its own process: trains what it is told to, prints what it took as one line of JSON."""

import argparse
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

BACKENDS = {"keras-tensorflow": "tensorflow", "keras-jax": "jax"}  # all others compute with torch

OWN = ("gengap", "gengap-scored", "gengap-compiled")
TOGETHER = (*OWN, "stack")
"""They train all seeds at once."""

_libraries: list[float] = []
"""Memory in MiB after a contestant's imports, before it has read its data."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("who", choices=[*BACKENDS, "keras-torch", "torch", *TOGETHER])
    parser.add_argument("data", type=Path)
    for name in ("--nets", "--precision", "--device"):
        parser.add_argument(name, required=name == "--nets", default={"--device": "cpu"}.get(name, "float32"))
    for name in ("--seeds", "--epochs", "--batch-size", "--rows"):
        parser.add_argument(name, type=int, required=name != "--rows")
    arguments = parser.parse_args()
    os.environ["KERAS_BACKEND"] = BACKENDS.get(arguments.who, "torch")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    race = _gengap if arguments.who in OWN else {"torch": _torch, "stack": _stack}.get(arguments.who, _keras)
    from benchmarks.training.machine import peak_memory

    answer = race(arguments)
    answer |= {"peak_memory_mib": peak_memory(), "libraries_mib": _libraries[0]}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def _keras(arguments: argparse.Namespace) -> dict[str, Any]:
    """Race Keras' own loop: one model after the other."""
    import keras
    from benchmarks.training.nets import KERAS

    if arguments.precision == "bfloat16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    x, y, x_held, y_held = _read(arguments, dense=True)
    y, y_held = y.reshape(-1, 1), y_held.reshape(-1, 1)
    runs = []
    for net in arguments.nets.split(","):
        for seed in range(arguments.seeds):
            keras.utils.set_random_seed(seed)
            ends = [time.perf_counter()]
            model = KERAS[net](x.shape[1])
            note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_, ends=ends: ends.append(time.perf_counter()))
            history = model.fit(
                x, y, batch_size=arguments.batch_size, epochs=arguments.epochs, validation_data=(x_held, y_held),
                verbose=0, callbacks=[note],
            )  # fmt: skip
            runs.append(_run(net, seed, ends, history.history))
            keras.utils.clear_session()
    return {"runs": runs, "keras": keras.version()}


def _torch(arguments: argparse.Namespace) -> dict[str, Any]:
    """Race a loop written by hand: data as tensors, batches by index, metrics once per epoch."""
    import torch
    from benchmarks.training.nets import torch_net
    from torch.nn import functional

    x, y, x_held, y_held = (torch.from_numpy(array) for array in _read(arguments, dense=True))
    if x.ndim > 2:  # channels first, as torch wants them
        x, x_held = x.movedim(-1, 1).contiguous(), x_held.movedim(-1, 1).contiguous()
    if x.ndim == 4:
        x, x_held = (part.to(memory_format=torch.channels_last) for part in (x, x_held))
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bfloat16")
    runs = []
    for name in arguments.nets.split(","):
        for seed in range(arguments.seeds):
            torch.manual_seed(seed)
            ends, history = [time.perf_counter()], {"val_loss": [], "val_accuracy": []}
            net, optimizer_of, l2 = torch_net(name, x.shape[1])
            optimizer = optimizer_of(net.parameters())
            for _ in range(arguments.epochs):
                net.train()
                order, right, total = torch.randperm(len(x)), 0, 0.0
                for rows in order.split(arguments.batch_size):
                    with half:
                        logits = net(x[rows])[:, 0].float()
                    loss = functional.binary_cross_entropy_with_logits(logits, y[rows])
                    penalty = l2 * sum(p.square().sum() for p in net.parameters() if p.ndim > 1) if l2 else 0.0
                    optimizer.zero_grad()
                    (loss + penalty).backward()
                    optimizer.step()
                    total += float(loss.detach()) * len(rows)
                    right += int(((logits > 0) == (y[rows] > 0.5)).sum())
                net.eval()
                with torch.no_grad(), half:
                    held = torch.cat([net(part)[:, 0].float() for part in x_held.split(arguments.batch_size)])
                history["val_loss"].append(float(functional.binary_cross_entropy_with_logits(held, y_held)))
                history["val_accuracy"].append(float(((held > 0) == (y_held > 0.5)).float().mean()))
                ends.append(time.perf_counter())
            runs.append(_run(name, seed, ends, history))
    return {"runs": runs, "torch": torch.__version__}


def _stack(arguments: argparse.Namespace) -> dict[str, Any]:
    """Race batched products written by hand: all seeds in one stack."""
    import torch
    from benchmarks.training.stack import train

    arrays = [torch.from_numpy(array).float() for array in _read(arguments, dense=True)]
    return train(*arrays, runs=arguments.seeds, epochs=arguments.epochs, batch=arguments.batch_size)


def _gengap(arguments: argparse.Namespace) -> dict[str, Any]:
    """Race the fused engine: all nets and seeds in one call, planning included.

    `gengap` gives what Keras' `fit` gives; `gengap-scored` the training score in inference mode besides;
    `gengap-compiled` is the first with `compile=True`.
    """
    from benchmarks.training.nets import KERAS

    from gengap.datasets.split import Split
    from gengap.datasets.training_data import TrainingData
    from gengap.engine.fused import train_fused
    from gengap.engine.runs import Collector, Run, TrainingSettings

    x, y, x_held, y_held = _read(arguments, dense=False)
    if arguments.rows:
        x, y = x[: arguments.rows], y[: arguments.rows]

    class Clock(Collector):
        """Notes when each epoch of each run ends."""

        def on_epoch(self, run: Run, epoch: int, logs: Any) -> None:  # noqa: ARG002
            ends.setdefault((run.variant, run.seed), []).append(time.perf_counter())

    ends: dict[tuple[str, int], list[float]] = {}
    began = time.perf_counter()
    models = {net: KERAS[net](x.shape[1]) for net in arguments.nets.split(",")}
    runs = [Run(net, seed, model) for net, model in models.items() for seed in range(arguments.seeds)]
    settings = TrainingSettings(
        epochs=arguments.epochs, batch_size=arguments.batch_size, task="binary", score="log_loss",
        keep_every_epoch=False, precision=arguments.precision, training_score=arguments.who == "gengap-scored",
        compile=arguments.who == "gengap-compiled",
    )  # fmt: skip
    clock = Clock()
    data = TrainingData(Split(x, y), Split(x_held, y_held))
    plan = train_fused(runs, data, settings, clock, device=arguments.device)
    whole = time.perf_counter() - began
    # a chunk's epochs are those of any of its runs
    epochs = [[b - a for a, b in itertools.pairwise(own)] for own in (ends[c.runs[0]] for c in plan.chunks)]
    last = {(one.variant, one.seed): one for one in clock.records}
    finals = [
        {"net": variant, "seed": seed, "final": {n: float(record.history[n][-1]) for n in ("val_loss", "val_accuracy")}}
        for (variant, seed), record in last.items()
    ]
    return {"seconds": whole, "epochs": epochs, "finals": finals, "plan": str(plan).splitlines()}


def _read(arguments: argparse.Namespace, *, dense: bool) -> tuple[Any, Any, Any, Any]:
    """Read the data, and note what the libraries took until then."""
    from benchmarks.training.machine import peak_memory
    from benchmarks.training.workloads import load

    _libraries.append(peak_memory())
    return load(arguments.data, dense=dense)


def _run(net: str, seed: int, ends: list[float], history: dict[str, list[float]]) -> dict[str, Any]:
    epochs = [b - a for a, b in itertools.pairwise(ends)]
    final = {name: float(history[name][-1]) for name in ("val_loss", "val_accuracy")}
    return {"net": net, "seed": seed, "epochs": epochs, "final": final}


if __name__ == "__main__":
    main()
