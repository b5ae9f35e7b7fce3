"""What storing a study costs: share of the demo's training time, opening a large store, Ray's gain.

    python benchmarks/storage.py [--seeds 10] [--skip-ray]

Writes `benchmarks/results/storage.json`.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np

from gengap.engine.runs import Predictions, RunRecord
from gengap.experiments.demos import get_demo
from gengap.storage import Store
from gengap.storage import listener as listening

RESULTS = Path(__file__).parent / "results" / "storage.json"


def overhead(seeds: int) -> dict[str, float]:
    """Train the demo in a folder, timing every call of the store; the share is of the time that training took."""
    demo = get_demo("soundings")
    dataset = demo.load(None)
    spent = {"store": 0.0, "train": 0.0, "records": 0.0, "checkpoints": 0.0}

    def timed(function: Callable[..., Any], *names: str) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **more)
            finally:
                for name in names:
                    spent[name] += time.perf_counter() - began

        return call

    cls, study = listening.StoreListener, demo.study(seeds=seeds, engine="fused")
    originals = {name: getattr(cls, name) for name in ("on_epoch", "on_record", "on_checkpoint", "flush")}
    execute = type(study.runner).execute
    try:
        cls.on_record = timed(originals["on_record"], "store", "records")
        cls.on_checkpoint = timed(originals["on_checkpoint"], "store", "checkpoints")
        cls.on_epoch = timed(originals["on_epoch"], "store")
        type(study.runner).execute = timed(execute, "train")
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            stored = study.stored_in(Path(folder) / "x")
            stored.run(dataset, epochs=demo.epochs, batch_size=demo.batch_size, progress=False)
            whole = time.perf_counter() - began
            size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
    finally:
        for name, function in originals.items():
            setattr(cls, name, function)
        type(study.runner).execute = execute
    runs = len(study.seeds) * len(study.variants)
    return {
        "runs": runs, "training_s": spent["train"] - spent["store"], "storing_s": spent["store"],
        "records_s": spent["records"], "checkpoints_s": spent["checkpoints"], "study_s": whole, "megabytes": size / 1e6,
        "share_percent": 100 * spent["store"] / (spent["train"] - spent["store"]),
    }  # fmt: skip


def opening(number: int) -> dict[str, float]:
    """Make a store of many runs of the demo's size and time opening it, checking it, and loading its result."""
    rng = np.random.default_rng(0)
    cases, epochs = 230, 30
    held = Predictions(
        last=rng.random(cases, dtype=np.float32),
        best=rng.random(cases, dtype=np.float32),
        epochs=rng.random((epochs, cases)).astype(np.float16),
    )
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((5, 5, 16), (5, 16, 32), (5, 32, 64), (256, 1))]
    history = {name: rng.random(epochs) for name in ("loss", "penalty", "train_score", "val_score", "val_loss")}
    seconds = {"runs": float(number)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        began = time.perf_counter()
        with Store.create(path, {"seeds": list(range(number))}) as store:
            for seed in range(number):
                store.put(RunRecord("baseline", seed, history, {"validation": held}, weights, weights, 3, 17000, 1.0))
        seconds["writing_s_a_run"] = (time.perf_counter() - began) / number
        seconds["megabytes"] = sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) / 1e6
        for name, mode in {"open_for_reading_s": "r", "open_for_writing_s": "w"}.items():
            began = time.perf_counter()
            with Store.open(path, mode=mode) as store:
                keys = store.keys()
            seconds[name] = time.perf_counter() - began
        with Store.open(path) as store:
            began = time.perf_counter()
            done = store.done()
            seconds["every_checksum_s"] = time.perf_counter() - began
            began = time.perf_counter()
            records = sum(1 for _ in store.records())
            seconds["every_record_s"] = time.perf_counter() - began
        if not len(keys) == len(done) == records == number:
            raise SystemExit("the store lost runs")
    return seconds


def gain_of_ray(seeds: int) -> dict[str, Any]:
    """Train the soundings study on one and on two one-core workers that are warm, and compare run by run."""
    import ray

    from gengap.runners.ray import RayRunner

    os.environ["OMP_NUM_THREADS"] = "1"
    demo = get_demo("soundings")
    dataset = demo.load(None)
    seconds, results = {}, {}
    for workers in (1, 2):
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        warm = ray.remote(num_cpus=1)(_import)
        ray.get([warm.remote() for _ in range(workers)])
        study = demo.study(seeds=seeds, engine="fused").stored_in(None, runner=RayRunner())
        study.with_seeds(1).run(dataset, epochs=1, batch_size=demo.batch_size, progress=False)
        began = time.perf_counter()
        results[workers] = study.run(dataset, epochs=demo.epochs, batch_size=demo.batch_size, progress=False)
        seconds[workers] = time.perf_counter() - began
        ray.shutdown()
    one, two = (results[n].history["val_score"].values for n in (1, 2))
    plans = [len(results[n].manifest["plan"]["chunks"]) for n in (1, 2)]
    return {
        "one_worker_s": seconds[1], "two_workers_s": seconds[2], "gain": seconds[1] / seconds[2], "chunks": plans,
        "seeds": seeds, "runs": int(np.prod(one.shape[:2])),
        "largest_difference_epoch_1": float(np.nanmax(np.abs(one[..., 0] - two[..., 0]))),
        "largest_difference": float(np.nanmax(np.abs(one - two))),
        "runs_equal_to_the_bit": int((np.nan_to_num(one) == np.nan_to_num(two)).all(-1).sum()),
    }  # fmt: skip


def _import() -> float:
    import gengap.engine.fused

    time.sleep(2)  # so that every worker takes one
    return float(bool(gengap.engine.fused))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", choices=["overhead", "opening", "ray"])
    options = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "overhead": lambda: overhead(options.seeds),
        "opening": lambda: opening(options.runs),
        "ray": lambda: gain_of_ray(20),
    }
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, part in parts.items():
        if options.only in {None, name}:
            report[name] = {**part(), "load": os.getloadavg()[0], "cores": os.cpu_count()}
            print(name, json.dumps(report[name], indent=1), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
