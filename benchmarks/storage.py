"""What storing a study costs: share of the demo's training time, opening a large store, Ray's gain.

    python benchmarks/storage.py [--only ray --more]

Writes `benchmarks/results/storage.json`. Times on a machine that others use mean little.
"""

import argparse
import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from gengap.engine.runs import Predictions, RunRecord
from gengap.experiments.demos import get_demo
from gengap.runners import RayRunner
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


def gain_of_ray(seeds: int, epochs: int | None) -> dict[str, Any]:
    """Train the soundings study on one and on two one-core workers that are warm, each under its own plan.

    Planning is part of what is timed. The gain counts only where nobody else used the machine; `cores_of_others`
    says how far that was so.
    """
    demo = get_demo("soundings")
    dataset = demo.load(None)
    timed: dict[int, dict[str, Any]] = {}
    results = {}
    for workers in (1, 2):
        with _cluster(workers) as runner, runner.session():
            study = demo.study(seeds=seeds, engine="fused").stored_in(None, runner=runner)
            fit = {"batch_size": demo.batch_size, "progress": False}
            study.with_seeds(1).run(dataset, epochs=1, **fit)
            began, before = time.perf_counter(), _core_seconds()
            results[workers] = study.run(dataset, epochs=epochs or demo.epochs, **fit)
            seconds = time.perf_counter() - began
        chunks = results[workers].manifest["plan"]["chunks"]
        timed[workers] = {
            "seconds": seconds,
            "cores_of_ours": (_core_seconds()["ours"] - before["ours"]) / seconds,
            "cores_of_others": (_core_seconds()["others"] - before["others"]) / seconds,
            "chunks": [len(chunk["runs"]) for chunk in chunks],
        }
    one, two = (results[n].history["val_score"].values for n in (1, 2))
    return {
        "one_worker": timed[1], "two_workers": timed[2], "gain": timed[1]["seconds"] / timed[2]["seconds"],
        "seeds": seeds, "epochs": one.shape[2], "runs": int(np.prod(one.shape[:2])),
        "largest_difference_epoch_1": float(np.nanmax(np.abs(one[..., 0] - two[..., 0]))),
        "largest_difference": float(np.nanmax(np.abs(one - two))),
        "runs_equal_to_the_bit": int((np.nan_to_num(one) == np.nan_to_num(two)).all(-1).sum()),
    }  # fmt: skip


def ray_against_local(seeds: int, epochs: int) -> dict[str, Any]:
    """Train the soundings study on two Ray workers and, under the same plan, in this process; compare the bits."""
    demo = get_demo("soundings")
    dataset = demo.load(None)
    with tempfile.TemporaryDirectory() as folder, _cluster(2) as runner:
        study = demo.study(seeds=seeds, engine="fused").stored_in(Path(folder) / "x", runner=runner)
        fit = {"epochs": epochs, "batch_size": demo.batch_size, "progress": False}
        far = study.run(dataset, **fit)
        with Store.open(Path(folder) / "x", mode="w") as store:
            store.discard(store.keys())
        near = study.stored_in(Path(folder) / "x").run(dataset, **fit)
    same = [
        np.array_equal(far.history[name].values, near.history[name].values, equal_nan=True) for name in far.history
    ] + [
        np.array_equal(far.test[name].values, near.test[name].values) for name in ("prediction_last", "prediction_best")
    ]
    return {"runs": seeds * len(study.variants), "epochs": epochs, "equal_to_the_bit": bool(all(same))}


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[RayRunner]:
    """Start Ray with so many cores on this machine, and end it."""
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        yield RayRunner()
    finally:
        ray.shutdown()


def _core_seconds() -> dict[str, float]:
    """Return the core-seconds of this process and all below it, and those of the whole machine beside them."""
    tick = os.sysconf("SC_CLK_TCK")
    parents, spent = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # processes end
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid], spent[pid] = int(fields[1]), sum(map(int, fields[11:15])) / tick

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_ours(parents[pid]))

    ours = sum(seconds for pid, seconds in spent.items() if is_ours(pid))
    user, nice, system = (int(part) / tick for part in Path("/proc/stat").read_text().split()[1:4])
    return {"ours": ours, "others": user + nice + system - ours}


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {"cores": os.cpu_count(), "cpu": model, "system": platform.platform(), "load": os.getloadavg()[0]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=None, help="of the study on Ray; the demo's own by default")
    parser.add_argument("--more", action="store_true", help="keep the rounds on Ray that were measured before")
    parser.add_argument("--only", choices=["overhead", "opening", "ray", "ray_against_local"])
    options = parser.parse_args()
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}

    def rounds() -> dict[str, Any]:
        before = report["ray"]["rounds"] if options.more else []
        measured = [*before, gain_of_ray(20, options.epochs)]
        return {"median_gain": float(np.median([one["gain"] for one in measured])), "rounds": measured}

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "overhead": lambda: overhead(options.seeds),
        "opening": lambda: opening(options.runs),
        "ray": rounds,
        "ray_against_local": lambda: ray_against_local(20, options.epochs or 3),
    }
    for name, part in parts.items():
        if options.only in {None, name}:
            report[name] = {**part(), "machine": _machine()}
            print(name, json.dumps(report[name], indent=1), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
