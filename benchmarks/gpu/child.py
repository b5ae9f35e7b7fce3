"""One contestant in a process of its own: trains, prints what it took as one line of JSON."""

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from typing import Any

from benchmarks.gpu.workloads import WORKLOADS, Workload

CONTESTANTS = ("gengap", "gengap-compiled", "keras-torch", "keras-jax")
RIVAL_RUNS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("who", choices=CONTESTANTS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    os.environ["KERAS_BACKEND"] = "jax" if arguments.who == "keras-jax" else "torch"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    sys.stdout.write("\n" + json.dumps(race(arguments)) + "\n")


def race(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a contestant took for a workload."""
    workload = WORKLOADS[arguments.workload].tiny() if arguments.tiny else WORKLOADS[arguments.workload]
    own = arguments.who.startswith("gengap")
    return _gengap(workload, arguments) if own else _keras(workload, arguments)


def _keras(workload: Workload, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train nets one after another by Keras' own `fit`; a run costs what the others cost."""
    import keras

    device = _jax_device(arguments.device) if arguments.who == "keras-jax" else arguments.device
    if device != arguments.device:
        return {"skipped": f"JAX computes on {device}"}
    x, y, x_held, y_held = workload.data()
    epochs = []
    with keras.device("gpu" if device == "cuda" else "cpu"):  # with a number, "cpu:0", Keras 3.15 copies its weights
        for seed in range(RIVAL_RUNS):
            keras.utils.set_random_seed(seed)
            ends = [time.perf_counter()]
            model = workload.build(x.shape[1])
            clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_, ends=ends: ends.append(time.perf_counter()))
            history = model.fit(
                x, y.reshape(-1, 1), batch_size=workload.batch_size, epochs=workload.epochs, verbose=0,
                validation_data=(x_held, y_held.reshape(-1, 1)), callbacks=[clock],
            )  # fmt: skip
            epochs += _after_first(ends)
    return {
        "epoch_of_a_run": statistics.median(epochs), "peak_mib": _peak(arguments), "keras": keras.version(),
        "val_loss": float(history.history["val_loss"][-1]),
    }  # fmt: skip


def _gengap(workload: Workload, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train all nets together, planning included in the whole but not in the epochs."""
    from gengap.datasets.split import Split
    from gengap.datasets.training_data import TrainingData
    from gengap.engine.fused import train_fused
    from gengap.engine.runs import Collector, Run, TrainingSettings

    x, y, x_held, y_held = workload.data()
    model = workload.build(x.shape[1])
    runs = [Run("net", seed, model) for seed in range(workload.runs)]
    settings = TrainingSettings(
        epochs=workload.epochs, batch_size=workload.batch_size, task="binary", score="log_loss",
        keep_every_epoch=False, training_score=False, compile=arguments.who == "gengap-compiled",
    )  # fmt: skip
    data = TrainingData(Split(x, y), Split(x_held, y_held))
    ends: dict[int, list[float]] = {}

    class Clock(Collector):
        """Notes when each epoch of each run ends."""

        def on_epoch(self, run: Run, epoch: int, logs: Any) -> None:  # noqa: ARG002
            ends.setdefault(run.seed, []).append(time.perf_counter())

    clock, began = Clock(), time.perf_counter()
    plan = train_fused(runs, data, settings, clock, device=arguments.device)
    whole = time.perf_counter() - began
    chunks = [ends[chunk.runs[0][1]] for chunk in plan.chunks]
    together = sum(statistics.median(_after_first(own)) for own in chunks)
    peak = _peak(arguments)
    return {
        "epoch_of_a_run": together / workload.runs, "whole_seconds": whole, "peak_mib": peak, "runs": workload.runs,
        "plan": str(plan).splitlines(), "val_loss": float(clock.records[0].history["val_loss"][-1]),
        "profile": _profile(runs, data, settings, arguments.device),
    }  # fmt: skip


def _after_first(ends: list[float]) -> list[float]:
    """Return the seconds of all epochs but the first, which compiles, loads kernels and chooses doors."""
    return [b - a for a, b in itertools.pairwise(ends)][-max(1, len(ends) - 2) :]


def _profile(runs: list[Any], data: Any, settings: Any, device: str) -> dict[str, Any]:
    """Return where one step of all runs together spends its time: on the clock, on the card, in launches."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    from gengap.engine.fused import prepare_runs
    from gengap.engine.trainer import Trainer
    from gengap.keras_models.devices import computing_on

    on_card = device == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_card else [])]
    wall = []
    with computing_on(device):
        trainer = Trainer("profile", prepare_runs(runs, data, settings), data, settings, device=device)
        trainer.rehearse()
        for _ in range(5):
            began = time.perf_counter()
            trainer.rehearse()
            if on_card:
                torch.cuda.synchronize()
            wall.append(time.perf_counter() - began)
        with profile(activities=kinds) as seen:
            trainer.rehearse()
            if on_card:
                torch.cuda.synchronize()
    events = list(seen.key_averages())
    # what asks for a kernel is told the kernel's time, too
    kernels = [one for one in events if not on_card or one.device_type == torch.autograd.DeviceType.CUDA]

    def cost(event: Any) -> float:
        return float(event.self_device_time_total if on_card else event.self_cpu_time_total)

    dearest = sorted(kernels, key=cost, reverse=True)[:12]
    return {
        "step_ms": 1e3 * statistics.median(wall),
        "device_ms": 1e-3 * sum(map(cost, kernels)),
        "launches": sum(event.count for event in events if event.key.startswith(("cudaLaunch", "cuLaunch"))),
        "copies": sum(event.count for event in events if event.key.startswith("cudaMemcpy")),
        "waits": sum(event.count for event in events if "Synchronize" in event.key),
        "doors": trainer.doors,
        "dearest": [{"name": one.key, "ms": 1e-3 * cost(one), "count": one.count} for one in dearest],
    }


def _peak(arguments: argparse.Namespace) -> float:
    """Return the most memory of the card that torch took, in MiB; without a card, of the process."""
    if arguments.device == "cuda" and arguments.who == "keras-jax":
        import jax

        return float(jax.devices()[0].memory_stats().get("peak_bytes_in_use", 0)) / 2**20
    if arguments.device == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated()) / 2**20
    from benchmarks.training.machine import peak_memory

    return peak_memory()


def _jax_device(wanted: str) -> str:
    import jax

    return {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend()) if wanted == "cuda" else "cpu"


if __name__ == "__main__":
    main()
