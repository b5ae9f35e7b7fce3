"""Kill, starve and damage a running study, resume it, and compare the result with that of an undisturbed run.

Every trial runs in a forked child, so that Keras is imported once. A child reports through a pipe what the store has
accepted; after each SIGKILL the harness checks that all of it is there, resumes, and at the end compares every number
to the bit. Writes `benchmarks/results/faults.json`, with the moment of every kill.

    python benchmarks/faults.py [--kills 200] [--writes 60] [--damage 60] [--writers 10] [--workers 3]
"""

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["OMP_NUM_THREADS"] = "1"

import keras
import numpy as np

import gengap as gg
import gengap.engine.fused  # here once, instead of in every child
from gengap.engine.planner import Chunk, Plan
from gengap.engine.state import ChunkState
from gengap.errors import GengapWarning, StoreError
from gengap.runners.local import LocalRunner
from gengap.storage import Store, files
from gengap.study.loading import load

RESULTS = Path(__file__).parent / "results" / "faults.json"
SEEDS, EPOCHS = 4, 6
PLACES = ("half a file", "before fsync", "before rename", "after rename", "before commit", "after commit")


class FaultRunner(LocalRunner):
    """Trains here, under a plan of several chunks that is always the same, with a checkpoint at almost every step."""

    def plan(self, planner: Any, runs: Any, data: Any, settings: Any) -> Plan:
        """Return chunks of one architecture and two seeds."""
        del planner, data, settings
        names = [(run.variant, run.seed) for run in runs]
        widths = {"width(0.5)": "narrow"}
        groups: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for variant, seed in names:
            groups.setdefault((widths.get(variant, variant), seed // 2), []).append((variant, seed))
        chunks = [Chunk(f"chunk-{i:03d}", tuple(own), "fused", "fixed") for i, own in enumerate(groups.values())]
        return Plan("cpu", "float32", tuple(chunks))

    def execute(self, engine: Any, *args: Any, **more: Any) -> None:
        """Train with a checkpoint every hundredth of a second."""
        engine(*args, **more, checkpoint_seconds=0.01)


def declare(folder: Path | None, runner: Any = None) -> tuple[gg.Study, dict[str, Any]]:
    """A study of a few hundred milliseconds: three variants in three cohorts, four seeds, six chunks."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 12)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=240) > 0).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
    study = gg.Study(
        model, remedies=["dropout(0.3)", "width(0.5)"], seeds=SEEDS, storage=folder, runner=runner or FaultRunner()
    )
    fit = {"x": x[:160], "y": y[:160], "validation_data": (x[160:200], y[160:200]), "test_data": (x[200:], y[200:])}
    return study, {**fit, "epochs": EPOCHS, "batch_size": 32, "progress": False}


# Children ------------------------------------------------------------------------------------------------------------


@dataclass
class Child:
    """A forked run of the study.

    Attributes:
        pid: Its process.
        pipe: What it reports, one line each.
    """

    pid: int
    pipe: io.TextIOWrapper

    def wait(self) -> tuple[int, list[str]]:
        """Return its exit code (negative: a signal) and what it reported."""
        lines = self.pipe.read().splitlines()
        self.pipe.close()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), lines


def start(body: Callable[[Callable[[str], None]], None]) -> Child:
    """Fork a child that runs `body(report)`; it exits with 0, or with 3 and a sentence where a StoreError came."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, os.fdopen(reading, "r"))
    os.close(reading)

    def report(line: str) -> None:
        os.write(writing, f"{line}\n".encode())

    code = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GengapWarning)
            body(report)
        code = 0
    except StoreError as error:
        report(f"error {error}")
        code = 3
    except BaseException as error:  # noqa: BLE001  a child must not return into the parent's code
        report(f"crash {type(error).__name__}: {error}")
    finally:
        os._exit(code)


def running(folder: Path, prepare: Callable[[Callable[[str], None]], None] = lambda _: None) -> Callable[..., None]:
    """The body of a child that runs the study and reports what the store has accepted."""

    def body(report: Callable[[str], None]) -> None:
        put, put_checkpoint = Store.put, Store.put_checkpoint

        def reported_put(store: Store, record: Any) -> None:
            put(store, record)
            report(f"stored {record.variant} {record.seed}")

        def reported_checkpoint(store: Store, chunk: str, state: ChunkState) -> None:
            put_checkpoint(store, chunk, state)
            report(f"checkpoint {chunk} {state.scalars['epoch']} {state.scalars['step']}")

        Store.put, Store.put_checkpoint = reported_put, reported_checkpoint  # type: ignore[method-assign]
        prepare(report)
        study, fit = declare(folder)
        report("start")
        study.run(**fit)
        report("end")

    return body


Here = Callable[[str], None]
"""Counts a place in a write, and kills the process when it has been there often enough."""


def dying_at(place: str, count: int) -> Callable[[Callable[[str], None]], None]:
    """Arrange that the child kills itself when it comes to `place` in a write for the `count`-th time."""
    left = [count]

    def prepare(report: Callable[[str], None]) -> None:
        def here(detail: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                report(f"kill {place}: {detail}")
                os.kill(os.getpid(), signal.SIGKILL)

        if place == "half a file":
            die_in_files(here)
        elif place == "before fsync":
            die_before_fsync(here)
        elif place.endswith("rename"):
            die_around_rename(here, after=place == "after rename")
        else:
            die_around_commit(here, after=place == "after commit")

    return prepare


class Halving:
    """A file whose every write may be cut in the middle."""

    def __init__(self, file: Any, name: str, here: Here) -> None:
        self._file, self._name, self._here = file, name, here

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: Any) -> None:
        """Write one half, flush it, perhaps die, write the other."""
        middle = len(content) // 2
        self._file.write(content[:middle])
        self._file.flush()
        self._here(self._name)
        self._file.write(content[middle:])


def die_in_files(here: Here) -> None:
    open_ = Path.open

    def opened(path: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        file = open_(path, mode, *args, **more)
        return Halving(file, path.name, here) if "x" in mode else file

    Path.open = opened  # type: ignore[assignment,method-assign]


def die_before_fsync(here: Here) -> None:
    fsync = os.fsync

    def dying(descriptor: int) -> None:
        here(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    os.fsync = dying  # type: ignore[assignment]


def die_around_rename(here: Here, *, after: bool) -> None:
    replace = os.replace

    def dying(source: Any, target: Any) -> None:
        if not after:
            here(Path(target).name)
        replace(source, target)
        if after:
            here(Path(target).name)

    os.replace = dying  # type: ignore[assignment]


def die_around_commit(here: Here, *, after: bool) -> None:
    connect = sqlite3.connect

    class Dying(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and not after:
                here("ledger")
            cursor = super().execute(sql, *args)
            if sql == "COMMIT" and after:
                here("ledger")
            return cursor

    sqlite3.connect = lambda *args, **more: connect(*args, **more, factory=Dying)  # type: ignore[assignment]


# Checks --------------------------------------------------------------------------------------------------------------


def differences(one: gg.Result, other: gg.Result) -> list[str]:
    """Name what differs between two results, wall times left out; empty where they are equal to the bit."""
    parts = ("history", "validation", "test")
    found = [part for part in parts if not getattr(one, part).identical(getattr(other, part))]
    if not one.runs.drop_vars("seconds").identical(other.runs.drop_vars("seconds")):
        found.append("runs")
    if one.weights.keys() != other.weights.keys():
        return [*found, "set of weights"]
    for key in one.weights:
        pairs = zip(one.weights[key], other.weights[key], strict=True)
        if any(a.tobytes() != b.tobytes() for a, b in pairs):
            found.append(f"weights of {key}")
    return found


def lost(folder: Path, lines: list[str]) -> list[str]:
    """Name what a child reported as stored and the folder no longer has, whole."""
    if not Store.exists(folder):
        return [line for line in lines if line.startswith(("stored", "checkpoint"))]
    with warnings.catch_warnings():
        warnings.simplefilter("error", GengapWarning)
        try:
            store = Store.open(folder)
        except GengapWarning as damaged:
            return [f"the ledger: {damaged}"]
    with store:
        done = store.done()
        states = {chunk: store.checkpoint(chunk) for chunk in store.checkpoints()}
        chunks = {
            one["id"]: {tuple(run) for run in one["runs"]}
            for one in (store.manifest["plan"] or {"chunks": []})["chunks"]
        }
    missing = [
        line for line in lines if line.startswith("stored ") and (line.split()[1], int(line.split()[2])) not in done
    ]
    last = {line.split()[1]: line for line in lines if line.startswith("checkpoint ")}
    for chunk, line in last.items():
        at = tuple(map(int, line.split()[2:]))
        state = states.get(chunk)
        behind = state is None or (state.scalars["epoch"], state.scalars["step"]) < at
        if behind and not chunks[chunk] <= done:
            missing.append(line)
    return missing


@dataclass
class Tally:
    """What happened."""

    counts: Counter[str] = field(default_factory=Counter)
    moments: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    sentences: dict[str, str] = field(default_factory=dict)

    def fail(self, what: str) -> None:
        """Note a failure."""
        self.failures.append(what)
        print(f"FAILED: {what}", flush=True)


@contextlib.contextmanager
def load_on_machine(processes: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def finish(folder: Path, truth: gg.Result, tally: Tally, what: str) -> None:
    """Resume to the end and compare."""
    code, lines = start(running(folder)).wait()
    if code != 0:
        tally.fail(f"{what}: the resumed run ended with {code}: {lines[-1:]}")
        return
    if found := differences(load(folder), truth):
        tally.fail(f"{what}: differs in {', '.join(found[:4])}")
    if leftovers := [p.name for p in folder.rglob(f"*{files.PART}")]:
        tally.fail(f"{what}: leftovers {leftovers}")
    tally.counts["resumed to the same bits"] += 1


# Faults --------------------------------------------------------------------------------------------------------------


def kill_at_moments(scratch: Path, truth: gg.Result, tally: Tally, *, kills: int, writes: int, seconds: float) -> None:
    """SIGKILL a study again and again, `writes` times inside a write, and let it finish now and then."""
    rng = random.Random(1)
    number = kills_done = writes_done = 0
    while kills_done < kills:
        folder, number = scratch / f"kill-{number}", number + 1
        with load_on_machine(2 if number % 3 == 0 else 0):
            for _ in range(rng.randint(1, 6)):
                inside = writes_done < writes and kills_done % 3 == 0
                if inside:
                    place = PLACES[writes_done % len(PLACES)]
                    child = start(running(folder, dying_at(place, rng.randint(1, 25))))
                    when: Any = place
                else:
                    child = start(running(folder))
                    when = rng.uniform(0, 1.1 * seconds)
                    time.sleep(when)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGKILL)
                code, lines = child.wait()
                if code == 0:
                    break  # it was faster
                if code != -signal.SIGKILL:
                    tally.fail(f"kill {kills_done}: the child ended with {code}: {lines[-1:]}")
                    break
                kills_done += 1
                writes_done += inside
                tally.counts["kills"] += 1
                tally.counts["kills inside a write"] += inside
                accepted = Counter(line.split()[0] for line in lines)
                tally.moments.append({"trial": number, "moment": lines[-1] if inside else f"{when:.3f} s",
                                      "stored": accepted["stored"], "checkpoints": accepted["checkpoint"],
                                      "load": number % 3 == 0})  # fmt: skip
                if missing := lost(folder, lines):
                    tally.fail(f"kill {kills_done} ({when}): lost {missing}")
        finish(folder, truth, tally, f"trial {number}")
        shutil.rmtree(folder, ignore_errors=True)
        if number % 10 == 0:
            print(f"{kills_done} kills, {writes_done} inside a write", flush=True)


def in_need(disk: Path, said: str) -> Callable[[Callable[[str], None]], None]:
    """Arrange that a child on a small disk does not see it coming, if the error shall come during a write."""

    def prepare(report: Callable[[str], None]) -> None:
        del report
        if said == "during":
            plenty = shutil.disk_usage("/")
            shutil.disk_usage = lambda _: plenty  # type: ignore[assignment]
            (disk / "ballast").write_bytes(b"x" * 1_100_000)

    return prepare


def fill_the_disk(scratch: Path, truth: gg.Result, tally: Tally) -> None:
    """Run into a full disk, said before a write and met during one; then give room and resume."""
    for said in ("before", "during"):
        disk = scratch / f"disk-{said}"
        disk.mkdir()
        mounted = (
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1300k", "tmpfs", str(disk)], check=False).returncode
            == 0
        )
        if not mounted:
            tally.counts["disk full: no right to mount a tmpfs"] += 1
            continue
        try:
            folder = disk / "x"

            code, lines = start(running(folder, in_need(disk, said))).wait()
            sentence = next((line for line in lines if line.startswith("error ")), "")
            if code != 3 or "disk" not in sentence:
                tally.fail(f"disk full {said}: ended with {code}: {lines[-1:]}")
            tally.sentences[f"disk full, {said} a write"] = sentence.removeprefix("error ")
            tally.counts["full disks"] += 1
            if missing := lost(folder, lines):
                tally.fail(f"disk full {said}: lost {missing}")
            (disk / "ballast").unlink(missing_ok=True)
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            finish(folder, truth, tally, f"disk full {said}")
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def damage_files(scratch: Path, truth: gg.Result, tally: Tally, *, number: int) -> None:
    """Truncate files and flip bits of a finished study, one file a trial, and resume."""
    rng = random.Random(2)
    whole = scratch / "whole"
    start(running(whole)).wait()
    for trial in range(number):
        folder = scratch / f"damage-{trial}"
        shutil.copytree(whole, folder)
        ledgers = [folder / "ledger.sqlite", folder / "manifest.json"]
        path = rng.choice(ledgers) if trial % 3 == 0 else rng.choice(sorted((folder / "arrays").iterdir()))
        content = bytearray(path.read_bytes())
        how = rng.choice(["flip", "truncate", "remove"])
        if how == "flip":
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)
        elif how == "truncate":
            path.write_bytes(content[: rng.randrange(len(content))])
        else:
            path.unlink()
        tally.counts[f"damage: {how} in {'a file of arrays' if path.parent.name == 'arrays' else path.name}"] += 1
        finish(folder, truth, tally, f"damage {trial} ({how} in {path.name})")
        shutil.rmtree(folder)


def write_twice(scratch: Path, truth: gg.Result, tally: Tally, *, number: int) -> None:
    """Start two writers at once: one is refused with a sentence, or comes when the other has finished."""
    for trial in range(number):
        folder = scratch / f"writers-{trial}"
        children = [start(running(folder)) for _ in range(2)]
        ends = [child.wait() for child in children]
        codes = sorted(code for code, _ in ends)
        if codes not in ([0, 0], [0, 3]):
            tally.fail(f"two writers {trial}: ended with {ends}")
        for code, lines in ends:
            if code == 3:
                tally.sentences["two writers"] = lines[-1].removeprefix("error ")
                tally.counts["second writers refused"] += 1
        tally.counts["pairs of writers"] += 1
        finish(folder, truth, tally, f"two writers {trial}")
        shutil.rmtree(folder)


def train_and_tell(runs: Any, data: Any, settings: Any, listener: Any, *, plan: Any, states: Any) -> None:
    """The fused engine on a Ray worker, which leaves its process number for the harness to kill."""
    from gengap.engine.fused import train_fused

    Path(os.environ["GENGAP_FAULTS"]).joinpath(f"{plan.chunks[0].id}-{os.getpid()}").touch()
    train_fused(runs, data, settings, listener, plan=plan, states=states, checkpoint_seconds=0.01)


def kill_workers(scratch: Path, truth: gg.Result, tally: Tally, *, number: int) -> None:
    """SIGKILL Ray workers that train; needs Ray, and runs in a process of its own."""
    if number == 0:
        return
    with tempfile.TemporaryDirectory() as pids:
        os.environ["GENGAP_FAULTS"] = pids
        arguments = [sys.executable, __file__, "--ray-part", str(scratch), "--workers", str(number)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=500, check=False)
    if done.returncode != 0:
        tally.fail(f"Ray: {done.stdout[-300:]} {done.stderr[-600:]}")
        return
    for line in done.stdout.splitlines():
        if line.startswith("sentence "):
            tally.sentences["killed Ray worker"] = line.removeprefix("sentence ")
    for trial in range(number):
        folder = scratch / f"ray-{trial}"
        if found := differences(load(folder), truth):
            tally.fail(f"Ray {trial}: differs in {', '.join(found[:4])}")
        tally.counts["killed Ray workers"] += int((scratch / f"ray-{trial}.kills").read_text())


def kill_one(pids: Path, killed: list[int], seconds: float) -> None:
    """Kill the first worker that leaves its number, a moment after it has."""
    while not killed:
        for path in pids.iterdir():
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.name.rsplit("-", 1)[1]), signal.SIGKILL)
                killed.append(1)
                return
        time.sleep(0.005)


def ray_part(scratch: Path, number: int) -> None:
    """Train on two Ray workers and kill one of them as soon as it has begun."""
    import threading

    import ray

    from gengap.runners.ray import RayRunner

    class KilledRunner(RayRunner):
        def plan(self, *args: Any) -> Plan:
            return FaultRunner().plan(*args)

        def execute(self, _: Any, *args: Any, **more: Any) -> None:
            super().execute(train_and_tell, *args, **more)

    pids = Path(os.environ["GENGAP_FAULTS"])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    for trial in range(number):
        for path in pids.iterdir():
            path.unlink()
        killed: list[int] = []

        killer = threading.Thread(target=kill_one, args=(pids, killed, 0.03 * (trial + 1)), daemon=True)
        killer.start()
        study, fit = declare(scratch / f"ray-{trial}", KilledRunner())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            study.run(**fit)
        killer.join(10)
        sentences = [str(w.message) for w in caught if issubclass(w.category, GengapWarning)]
        print("sentence", *sentences[:1])
        (scratch / f"ray-{trial}.kills").write_text(str(len(sentences)))
    ray.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in {"kills": 200, "writes": 60, "damage": 60, "writers": 10, "workers": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--ray-part", type=Path)
    options = parser.parse_args()
    if options.ray_part:
        ray_part(options.ray_part, options.workers)
        return
    tally, began = Tally(), time.time()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        times = time.perf_counter()
        code, lines = start(running(scratch / "truth")).wait()
        seconds = time.perf_counter() - times
        if code:
            raise SystemExit(f"the undisturbed run failed: {lines[-1:]}")
        truth = load(scratch / "truth")
        print(
            f"undisturbed: {seconds:.2f} s, {sum(line.startswith('checkpoint') for line in lines)} checkpoints",
            flush=True,
        )
        try:
            kill_at_moments(scratch, truth, tally, kills=options.kills, writes=options.writes, seconds=seconds)
            fill_the_disk(scratch, truth, tally)
            damage_files(scratch, truth, tally, number=options.damage)
            write_twice(scratch, truth, tally, number=options.writers)
            kill_workers(scratch, truth, tally, number=options.workers)
        finally:
            report = {**vars(tally), "undisturbed_seconds": seconds, "seconds": time.time() - began,
                      "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"}  # fmt: skip
            options.output.parent.mkdir(exist_ok=True)
            options.output.write_text(json.dumps(report, indent=1))
    for what, count in sorted(tally.counts.items()):
        print(f"{count:5}  {what}")
    for what, sentence in tally.sentences.items():
        print(f"{what}: {sentence}")
    print(f"{len(tally.failures)} failures in {report['seconds']:.0f} s; {options.output}")
    raise SystemExit(bool(tally.failures))


if __name__ == "__main__":
    main()
