"""What storing a study costs: share of the demo's training time, opening a large store, Ray's gain.

    python benchmarks/storage.py [--only ray --rounds 5]

Writes `benchmarks/results/storage.json`. Times on a machine that others use mean little.
"""

import argparse
import contextlib
import json
import multiprocessing
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
from gengap.runners import RayRunner
from gengap.storage import Store
from gengap.storage import listener as listening
from gengap_examples.demos import get_demo

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


def gain_of_ray(seeds: int, epochs: int, rounds: int) -> dict[str, Any]:
    """Train the soundings study by turns on one and on two one-core workers, all warm, each under a plan of its own.

    Planning is part of what is timed. A round counts as quiet where processes of others took less than a fifth of a
    core (the machine's own services take a tenth); the gain is the median over quiet rounds, or over all where there
    are none.
    """
    context = multiprocessing.get_context("spawn")
    ends = {}
    for workers in (1, 2):
        ends[workers], there = context.Pipe()
        context.Process(target=_contestant, args=(there, workers, seeds, epochs), daemon=True).start()
    for end in ends.values():
        end.recv()
    measured, scores = [], {}
    for _ in range(rounds):
        entry: dict[str, Any] = {}
        for workers, end in ends.items():
            began, before = time.perf_counter(), _core_seconds_of_others()
            end.send("go")
            seconds, chunks, scores[workers] = end.recv()
            others = _core_seconds_of_others() - before
            entry[f"{workers}"] = {
                "seconds": seconds, "chunks": chunks, "cores_of_others": others / (time.perf_counter() - began),
            }  # fmt: skip
        entry["gain"] = entry["1"]["seconds"] / entry["2"]["seconds"]
        entry["quiet"] = max(entry[n]["cores_of_others"] for n in ("1", "2")) < 0.2
        measured.append(entry)
        print(json.dumps(entry), flush=True)
    for end in ends.values():
        end.send("end")
    quiet = [entry["gain"] for entry in measured if entry["quiet"]]
    return {
        "median_gain": float(np.median(quiet or [entry["gain"] for entry in measured])), "quiet_rounds": len(quiet),
        "seeds": seeds, "epochs": epochs, "runs": int(np.prod(scores[1].shape[:2])),
        "largest_difference_epoch_1": float(np.nanmax(np.abs(scores[1][..., 0] - scores[2][..., 0]))),
        "largest_difference": float(np.nanmax(np.abs(scores[1] - scores[2]))), "rounds": measured,
    }  # fmt: skip


def _contestant(end: Any, workers: int, seeds: int, epochs: int) -> None:
    """Train on a cluster of one's own whenever asked, and answer with seconds, sizes of chunks and scores."""
    demo = get_demo("soundings")
    dataset = demo.load(None)
    fit = {"batch_size": demo.batch_size, "progress": False}
    with _cluster(workers) as runner, runner.session():
        study = demo.study(seeds=seeds, engine="fused").stored_in(None, runner=runner)
        study.with_seeds(2).run(dataset, epochs=1, **fit)
        end.send("ready")
        while end.recv() == "go":
            began = time.perf_counter()
            result = study.run(dataset, epochs=epochs, **fit)
            seconds = time.perf_counter() - began
            if not (result.runs["status"] == "completed").all():
                raise SystemExit("runs are missing")
            chunks = [len(chunk["runs"]) for chunk in result.manifest["plan"]["chunks"]]
            end.send((seconds, chunks, result.history["val_score"].values))


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
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  at Ray's own, workers wait for everybody else
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        yield RayRunner()
    finally:
        ray.shutdown()


def _core_seconds_of_others() -> float:
    """Return the core-seconds of the whole machine without Ray's processes and those below this one."""
    tick = os.sysconf("SC_CLK_TCK")
    ours = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # processes end
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
            below = os.getpid() in (int(fields[1]), int(folder.name))
            if below or command.startswith(b"ray::") or b"/ray/" in command:
                ours += sum(map(int, fields[11:15])) / tick
    user, nice, system = (int(part) / tick for part in Path("/proc/stat").read_text().split()[1:4])
    return user + nice + system - ours


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {"cores": os.cpu_count(), "cpu": model, "system": platform.platform(), "load": os.getloadavg()[0]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=30, help="of the study on Ray")
    parser.add_argument("--rounds", type=int, default=3, help="on Ray, each on one and on two workers")
    parser.add_argument("--only", choices=["overhead", "opening", "ray", "ray_against_local"])
    options = parser.parse_args()
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "overhead": lambda: overhead(options.seeds),
        "opening": lambda: opening(options.runs),
        "ray": lambda: gain_of_ray(20, options.epochs, options.rounds),
        "ray_against_local": lambda: ray_against_local(20, 3),
    }
    for name, part in parts.items():
        if options.only in {None, name}:
            report[name] = {**part(), "machine": _machine()}
            print(name, json.dumps(report[name], indent=1), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
