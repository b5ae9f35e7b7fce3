"""Where the time of a step goes in the fused engine: each part's median, in ms a run."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def parts(net: str, data: Path, *, seeds: int, threads: int) -> dict[str, float]:
    """Train one epoch of the reviews and return the median milliseconds a run of each part of a step.

    Args:
        net: Name of the net.
        data: What `prepare` wrote.
        seeds: Runs together.
        threads: Threads of torch's own operations; the sparse rows take all cores.
    """
    import torch
    from benchmarks.training.nets import KERAS
    from benchmarks.training.workloads import load

    from gengap.datasets.split import Split
    from gengap.datasets.training_data import TrainingData
    from gengap.engine.fused import prepare_runs
    from gengap.engine.memory import keep_freed_memory
    from gengap.engine.optimizers.in_place import InPlace
    from gengap.engine.runs import Collector, Run, TrainingSettings
    from gengap.engine.trainer import Trainer
    from gengap.kernels.vectors import VectorFirstLayer
    from gengap.layers.program import Program

    x, y, x_held, y_held = load(data, dense=False)
    settings = TrainingSettings(
        epochs=1, batch_size=512, task="binary", score="log_loss", keep_every_epoch=False, training_score=False
    )
    training_data = TrainingData(Split(x, y), Split(x_held, y_held))
    model = KERAS[net](x.shape[1])
    cores = torch.get_num_threads()
    members = prepare_runs([Run(net, seed, model) for seed in range(seeds)], training_data, settings)
    spent: dict[str, list[float]] = {}
    watched = [
        (Trainer, "advance", "whole step"),
        (VectorFirstLayer, "backward_update", "sparse rows: gradient, update, next product"),
        (Program, "__call__", "the rest of the graph, forward"),
        (torch.autograd, "grad", "the rest of the graph, backward"),
        (InPlace, "update", "optimizer of the rest"),
    ]
    torch.set_num_threads(threads)
    try:
        with keep_freed_memory():
            trainer = Trainer("parts", members, training_data, settings, threads=cores)
            for _ in range(8):
                trainer.advance()
            with timed(watched, spent, time.perf_counter):
                while trainer.step <= trainer.steps_per_epoch:
                    trainer.advance()
            medians = {part: 1e3 * statistics.median(seconds) / seeds for part, seconds in spent.items()}
            began = time.perf_counter()
            trainer.end_epoch(Collector())
            medians["end of an epoch: validation, metrics"] = 1e3 * (time.perf_counter() - began) / seeds
    finally:
        torch.set_num_threads(cores)
    return medians


@contextmanager
def timed(
    places: Sequence[tuple[Any, str, str]], spent: dict[str, list[float]], clock: Callable[[], float]
) -> Iterator[None]:
    """Note how long every call of some functions takes.

    Args:
        places: Owner and name of each function, and of what part of a step it is.
        spent: Where the seconds go, by part.
        clock: What tells the seconds.
    """
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, part in places:
        setattr(owner, name, _noting(getattr(owner, name), spent.setdefault(part, []), clock))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _noting(function: Callable[..., Any], seconds: list[float], clock: Callable[[], float]) -> Callable[..., Any]:
    def noting(*arguments: Any, **options: Any) -> Any:
        began = clock()
        result = function(*arguments, **options)
        seconds.append(clock() - began)
        return result

    return noting
