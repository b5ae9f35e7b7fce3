"""The command line of the training benchmark; see `benchmarks/training/__init__.py`."""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.training.machine import describe
from benchmarks.training.page import page, ratio
from benchmarks.training.parts import parts
from benchmarks.training.race import ENVIRONMENTS, ROOT, growth, race
from benchmarks.training.workloads import WORKLOADS, Workload, prepare, quick

RESULTS = ROOT / "benchmarks" / "results" / "training.json"
PAGE = ROOT / "docs" / "performance_training.md"
BY_HAND = {"original", "smaller", "bigger", "storm-l2", "storm-dropout", "sounding"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", nargs="*", choices=[*WORKLOADS, "growth", "parts"], default=None)
    parser.add_argument("--contestants", nargs="*", choices=list(ENVIRONMENTS), default=list(ENVIRONMENTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of a few epochs; not written to the docs")
    arguments = parser.parse_args()
    wanted = arguments.workloads or [*WORKLOADS, "growth", "parts"]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and not arguments.quick else {}
    results["machine"] = describe()
    results.setdefault("workloads", {})
    gpu = ROOT / "benchmarks" / "results" / "gpu.json"  # `make bench-gpu` writes it
    results["gpu"] = json.loads(gpu.read_text()) if gpu.exists() else None
    with tempfile.TemporaryDirectory() as folder:
        for name in (one for one in wanted if one in WORKLOADS):
            workload = quick(WORKLOADS[name]) if arguments.quick else WORKLOADS[name]
            results["workloads"][name] = _race(workload, arguments.contestants, Path(folder), arguments)
            _say(name, results["workloads"][name])
            _save(results, arguments)
        if "growth" in wanted:
            results["growth"] = _growth(Path(folder), short=arguments.quick)
        if "parts" in wanted:
            reviews, _ = prepare("reviews", Path(folder))
            results["parts"] = {
                f"{net}, {seeds} together": parts(net, reviews, seeds=seeds, threads=threads)
                for net, seeds, threads in (("original", 10, 1), ("original", 40, 1), ("bigger", 2, 2))
            }
        _save(results, arguments)
    print(page(results))


def _race(workload: Workload, contestants: list[str], folder: Path, arguments: argparse.Namespace) -> dict:
    data, what = prepare(workload.data, folder)
    by_hand = set(workload.nets) <= BY_HAND
    stacked = workload.nets == ("dense",)
    own = [who for who in contestants if (who != "torch" or by_hand) and (who != "stack" or stacked)]
    outcome = race(workload, own, data, rounds=1 if arguments.quick else arguments.rounds)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return {"workload": asdict(workload), "data": what, "contestants": outcome, "when": when}


def _growth(folder: Path, *, short: bool) -> dict:
    sizes = (1, 4) if short else (1, 2, 4, 8, 16, 32, 64)
    reviews, _ = prepare("reviews", folder)
    soundings, _ = prepare("soundings", folder)
    single = Workload(**{**asdict(WORKLOADS["soundings"]), "nets": ("sounding",), "rival_nets": None})
    rows = (3_125,) if short else (3_125, 6_250, 12_500, 25_000)
    return {
        "imdb-16": growth(WORKLOADS["imdb-16"], reviews, sizes=sizes, rows=rows),
        "soundings": growth(single, soundings, sizes=sizes, rows=()),
    }


def _save(results: dict, arguments: argparse.Namespace) -> None:
    if arguments.quick:
        return
    kept = {name: value for name, value in results.items() if name not in {"gpu", "cuda"}}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(page(results))


def _say(name: str, one: dict) -> None:
    factor = ratio(one)
    print(f"{name}: {'no ratio' if factor is None else f'{factor:.3g} x the fastest Keras'}", file=sys.stderr)
    for who, c in one["contestants"].items():
        print(f"    {who}: {c.get('error') or round(c['seconds_per_run'], 3)}", file=sys.stderr)
        for word in c.get("disturbed", []):
            print(f"    warning: {word}", file=sys.stderr)


if __name__ == "__main__":
    main()
