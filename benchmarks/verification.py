"""Verification measured: speed beside scikit-learn, growth with n, and what the intervals really cover.

`make bench-verification` runs all of it, writes `benchmarks/results/verification.json` and from it `docs/coverage.md`.
Timings are taken in turns with the rival's, on one thread of the machine described in the file; coverage is a share of
simulated studies.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn import metrics

import gengap.verification as gv
from coverage_page import write_page
from interval_coverage import band_coverage, binary_coverage, bootstrap_coverage, real_coverage
from machine import machine

RESULTS = Path(__file__).parent / "results" / "verification.json"


def best_of(call: Callable[[], object], repetitions: int) -> float:
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the best seconds of each, called in turns so that both meet the same machine."""
    pairs = [(best_of(ours, 1), best_of(theirs, 1)) for _ in range(rounds)]
    return min(one for one, _ in pairs), min(other for _, other in pairs)


def forecasts(n: int, base_rate: float, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    p = rng.beta(2 * base_rate, 2 * (1 - base_rate), n)
    return (rng.random(n) < p).astype(np.int64), p


def speed() -> dict[str, Any]:
    """One million forecasts: everything from one sort, beside one `roc_auc_score`; and single scores side by side."""
    y, p = forecasts(1_000_000, 0.05)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "roc_auc": (lambda: gv.roc_auc(y, p), lambda: metrics.roc_auc_score(y, p)),
        "brier_score": (lambda: gv.brier_score(y, p), lambda: metrics.brier_score_loss(y, p)),
        "log_loss": (lambda: gv.log_loss(y, p), lambda: metrics.log_loss(y, p)),
        "roc_curve": (lambda: gv.roc_curve(y, p), lambda: metrics.roc_curve(y, p)),
        "performance_curve": (lambda: gv.performance_curve(y, p), lambda: metrics.precision_recall_curve(y, p)),
    }
    single = {
        name: dict(zip(("gengap_seconds", "scikit_learn_seconds"), in_turns(ours, theirs, 5), strict=True))
        for name, (ours, theirs) in pairs.items()
    }
    everything, one = in_turns(lambda: gv.verify_binary(y, p), pairs["roc_auc"][1], 5)
    block = best_of(lambda: gv.scores_block(y, p), 3)
    return {
        "cases": len(y),
        "single_scores": single,
        "verify_binary_seconds": everything,
        "roc_auc_score_seconds": one,
        "verify_binary_per_roc_auc_score": everything / one,
        "scores_block_with_intervals_seconds": block,
        "target": "verify_binary within twice one roc_auc_score",
    }


def growth() -> list[dict[str, Any]]:
    """Seconds of `verify_binary` and `roc_auc_score` as n grows."""
    rows = []
    for n in (10_000, 31_623, 100_000, 316_228, 1_000_000, 3_162_278):
        y, p = forecasts(n, 0.05)
        ours, theirs = in_turns(partial(gv.verify_binary, y, p), partial(metrics.roc_auc_score, y, p), 5)
        rows.append({"cases": n, "verify_binary_seconds": ours, "roc_auc_score_seconds": theirs})
    return rows


def scikit_learn_loop(y: Any, p: Any, *, replicates: int) -> list[tuple[float, float]]:
    """What people write today."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(replicates):
        drawn = rng.integers(0, len(y), len(y))
        o, q = y[drawn], p[drawn]
        skill = 1 - metrics.brier_score_loss(o, q) / (o.mean() * (1 - o.mean()))
        found.append((metrics.roc_auc_score(o, q), skill))
    return found


def bootstrap() -> list[dict[str, Any]]:
    """1,000 replicates of AUC and Brier skill on 100,000 cases, beside the loop (50 replicates of it, times 20)."""
    rows = []
    scores = ("roc_auc", "brier_skill_score")
    for base_rate in (0.5, 0.05):
        y, p = forecasts(100_000, base_rate)
        rounds = []
        for _ in range(5):  # in turns, so that both meet the same machine
            ours = best_of(partial(gv.bootstrap_scores, y, p, scores=scores, replicates=1000), 1)
            theirs = 20 * best_of(partial(scikit_learn_loop, y, p, replicates=50), 1)
            rounds.append((theirs / ours, ours, theirs))
        ratio, ours, theirs = sorted(rounds)[len(rounds) // 2]
        rows.append({
            "base_rate": base_rate, "cases": len(y), "replicates": 1000, "bootstrap_scores_seconds": ours,
            "scikit_learn_loop_seconds": theirs, "times_faster": ratio,
            "least": min(rounds)[0], "most": max(rounds)[0], "rounds": len(rounds),
        })  # fmt: skip
    return rows


def exactness() -> dict[str, float]:
    """Perfectly calibrated uniform forecasts: exactly 1/6 and 1/3; after binning as hagelslag does, something else."""
    p = (np.arange(1_000_000) + 0.5) / 1_000_000
    y, both = np.repeat([1, 0], len(p)), np.concatenate([p, p])
    weight = np.concatenate([p, 1 - p])
    binned = np.round(both * 20) / 20  # the nearest of hagelslag's thresholds 0, 0.05 ... 1
    return {
        "brier_score": gv.brier_score(y, both, sample_weight=weight),
        "brier_skill_score": gv.brier_skill_score(y, both, sample_weight=weight),
        "brier_score_of_forecasts_rounded_to_0.05": gv.brier_score(y, binned, sample_weight=weight),
    }


PARTS: dict[str, Callable[[], Any]] = {
    "speed": speed,
    "growth": growth,
    "bootstrap": bootstrap,
    "exactness": exactness,
    **{
        f"intervals, base rate {base_rate:g}, {'groups' if grouped else 'cases'}": partial(
            binary_coverage, {50: 2000, 200: 2000, 1000: 1000, 10_000: 400}, base_rate, grouped=grouped
        )
        for base_rate in (0.5, 0.05)
        for grouped in (False, True)
    },
    "intervals, real numbers and labels": lambda: real_coverage({50: 500, 200: 500, 1000: 300, 10_000: 80}),
    "bootstrap intervals": lambda: bootstrap_coverage({50: 500, 200: 500, 1000: 300, 10_000: 100}),
    **{
        f"bands, base rate {base_rate:g}, {'groups' if grouped else 'cases'}": partial(
            band_coverage,
            {50: 200, 200: 200, 1000: 100, 10_000: 40} if grouped else {50: 300, 200: 300, 1000: 200, 10_000: 100},
            base_rate,
            grouped=grouped,
        )
        for base_rate in (0.5, 0.05)
        for grouped in (False, True)
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; everything by default")
    chosen = parser.parse_args().parts or list(PARTS)
    for name in chosen:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = PARTS[name]()
        found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        found[name] = {"machine": machine("scikit-learn"), "seconds": time.perf_counter() - start, "found": outcome}
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        print(name, json.dumps(outcome, indent=1))
    print(write_page(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
