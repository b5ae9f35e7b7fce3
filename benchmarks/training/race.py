"""Starts contestants, one process each, round after round, and reduces what they report to seconds per run."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.training.contestant import TOGETHER
from benchmarks.training.machine import disturbances, pulse
from benchmarks.training.workloads import Workload

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = {
    "keras-tensorflow": ROOT / ".venv-tf",
    "keras-jax": ROOT / ".venv-jax",
    "keras-torch": ROOT / ".venv",
    "torch": ROOT / ".venv",
    "stack": ROOT / ".venv",
    "gengap": ROOT / ".venv",
    "gengap-scored": ROOT / ".venv",
    "gengap-compiled": ROOT / ".venv",
}
TIMEOUT = 900


def race(workload: Workload, contestants: Sequence[str], data: Path, *, rounds: int, device: str = "cpu") -> Any:
    """Run every contestant in turn, as often as there are rounds; return what each took."""
    attempts: dict[str, list[dict[str, Any]]] = {who: [] for who in contestants}
    for _ in range(rounds):
        for who in contestants:
            if attempts[who] and "error" in attempts[who][-1]:
                continue  # it would fail again
            attempts[who].append(run(workload, who, data, device=device))
    return {who: _summary(workload, who, tries) for who, tries in attempts.items()}


def run(workload: Workload, who: str, data: Path, *, device: str = "cpu", rows: int | None = None) -> dict[str, Any]:
    """Run one contestant once."""
    own = who in TOGETHER
    nets = workload.nets if own else _rival_nets(workload)
    options = {
        "nets": ",".join(nets),
        "seeds": workload.seeds if own else workload.rival_runs,
        "epochs": workload.own_epochs if own else workload.rival_epochs,
        "batch-size": workload.batch_size,
        "precision": workload.precision,
        "device": device,
    } | ({} if rows is None else {"rows": rows})
    python = ENVIRONMENTS[who] / "bin" / "python"
    if not python.exists():
        return {"error": f"{python} is missing: run benchmarks/training/setup_rivals.sh"}
    command = [str(python), "-m", "benchmarks.training.contestant", who, str(data)]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    print(f"  {who}: {workload.name}", file=sys.stderr, flush=True)
    before = pulse()
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "JAX_PLATFORMS": device.replace("cuda", "cuda,cpu")}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {TIMEOUT} s"}
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "ended without a word"}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer | {"disturbed": disturbances(before, pulse())}


def seconds_per_run(workload: Workload, who: str, answer: dict[str, Any]) -> float:
    """Return the seconds of one run of all its epochs, the mean over the workload's nets."""
    if who in TOGETHER:
        number = len(workload.nets) * workload.seeds
        epoch = sum(statistics.median(own) for own in answer["epochs"] if own)
        return (answer["seconds"] + (workload.epochs - workload.own_epochs) * epoch) / number
    by_net: dict[str, list[float]] = {}
    for one in answer["runs"]:
        first, *later = one["epochs"]
        by_net.setdefault(one["net"], []).append(first + (workload.epochs - 1) * statistics.median(later or [first]))
    stands_for = workload.rival_nets or {}
    return statistics.mean(statistics.median(by_net[stands_for.get(net, net)]) for net in workload.nets)


def _rival_nets(workload: Workload) -> list[str]:
    stands_for = workload.rival_nets or {}
    return [net for net in workload.nets if net not in stands_for]


def _summary(workload: Workload, who: str, tries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    good = [one for one in tries if "error" not in one]
    if not good:
        return {"error": tries[-1]["error"]}
    seconds = [seconds_per_run(workload, who, one) for one in good]
    return {
        "seconds_per_run": statistics.median(seconds),
        "lowest": min(seconds),
        "highest": max(seconds),
        "rounds": len(seconds),
        "peak_memory_mib": statistics.median(one["peak_memory_mib"] for one in good),
        "libraries_mib": statistics.median(one["libraries_mib"] for one in good),
        "disturbed": sorted({word for one in good for word in one["disturbed"]}),
        "finals": good[0].get("finals") or [{n: one[n] for n in ("net", "seed", "final")} for one in good[0]["runs"]],
        "plan": good[0].get("plan", []),
    }


def growth(workload: Workload, data: Path, *, sizes: Sequence[int], rows: Sequence[int]) -> dict[str, Any]:
    """Return gengap's seconds per epoch against the number of runs, and against rows for ten runs."""

    def epoch(seeds: int, part: int | None) -> dict[str, float]:
        cut = Workload(**{**asdict(workload), "seeds": seeds, "own_epochs": 3})
        answer = run(cut, "gengap", data, rows=part)
        if "error" in answer:
            return answer
        return {
            "epoch": sum(statistics.median(own) for own in answer["epochs"]),
            "peak_memory_mib": answer["peak_memory_mib"],
        }

    return {
        "runs": {str(size): epoch(size, None) for size in sizes},
        "rows": {str(part): epoch(10, part) for part in rows},
    }
