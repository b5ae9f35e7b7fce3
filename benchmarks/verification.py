"""Verification measured: speed beside scikit-learn, growth with n, and what the intervals really cover.

`make bench-verification` runs all of it and writes `benchmarks/results/verification.json`. Timings are the best of some
repetitions on one thread of the machine described in the file; coverage is a share of simulated studies.
"""

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import scipy
import sklearn
from sklearn import metrics

import gengap.verification as gv

RESULTS = Path(__file__).parent / "results" / "verification.json"
ROWS = list[dict[str, Any]]


def machine() -> dict[str, Any]:
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "") if Path("/proc/cpuinfo").exists() else ""  # fmt: skip
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "load_average_at_start": os.getloadavg()[0],
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
                     "scikit-learn": sklearn.__version__},
    }  # fmt: skip


def best_of(call: Callable[[], object], repetitions: int) -> float:
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


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
        name: {"gengap_seconds": best_of(ours, 5), "scikit_learn_seconds": best_of(theirs, 5)}
        for name, (ours, theirs) in pairs.items()
    }
    everything, one = best_of(lambda: gv.verify_binary(y, p), 5), single["roc_auc"]["scikit_learn_seconds"]
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


def growth() -> ROWS:
    """Seconds of `verify_binary` and `roc_auc_score` as n grows."""
    rows = []
    for n in (10_000, 31_623, 100_000, 316_228, 1_000_000, 3_162_278):
        y, p = forecasts(n, 0.05)
        ours = best_of(partial(gv.verify_binary, y, p), 3)
        theirs = best_of(partial(metrics.roc_auc_score, y, p), 3)
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


def bootstrap() -> ROWS:
    """1,000 replicates of AUC and Brier skill on 100,000 cases, beside the loop (100 replicates of it, times ten)."""
    rows = []
    scores = ("roc_auc", "brier_skill_score")
    for base_rate in (0.5, 0.05):
        y, p = forecasts(100_000, base_rate)
        ours = best_of(partial(gv.bootstrap_scores, y, p, scores=scores, replicates=1000), 3)
        theirs = 10 * best_of(partial(scikit_learn_loop, y, p, replicates=100), 1)
        rows.append({
            "base_rate": base_rate, "cases": len(y), "replicates": 1000, "bootstrap_scores_seconds": ours,
            "scikit_learn_loop_seconds": theirs, "times_faster": theirs / ours,
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


# --- coverage -------------------------------------------------------------------------------------------------------

GROUP_SIZE = 10
CONTINGENCY = tuple(get_args(gv.ContingencyScore))
BINARY = ("brier_score", "log_loss", "brier_skill_score", "roc_auc", *CONTINGENCY)
ENSEMBLE = ("crps_ensemble",)
REAL = ("squared_error", "absolute_error", "squared_error_skill_score")


def study(rng: np.random.Generator, n: int, base_rate: float, *, grouped: bool) -> tuple[Any, Any, Any, Any]:
    """Forecasts of known reliability: overconfident by half on the log-odds scale, errors shared within groups.

    Returns outcomes, forecasts, a second and worse forecast, and groups of ten.
    """
    signal = rng.normal(size=n)
    shared = np.repeat(rng.normal(size=-(-n // GROUP_SIZE)), GROUP_SIZE)[:n] if grouped else 0.0
    centre = {0.5: 0.0, 0.05: -3.6}[base_rate]
    truth = 1 / (1 + np.exp(-(centre + 1.2 * signal + 0.8 * shared)))
    y = (rng.random(n) < truth).astype(np.float64)
    p = 1 / (1 + np.exp(-(centre + 1.8 * signal)))
    other = 1 / (1 + np.exp(-(centre + 0.9 * (signal + rng.normal(size=n)))))
    return y, p, other, np.arange(n) // GROUP_SIZE


def options(score: str, base_rate: float) -> dict[str, float]:
    return {"threshold": base_rate} if score in CONTINGENCY else {}


def inside(found: Any, truth: float) -> bool:
    return bool(found.low <= truth <= found.high)


def binary_coverage(studies: Mapping[int, int]) -> ROWS:
    """Coverage of `score_interval` and `score_difference`, nominal .95."""
    rows: ROWS = []
    for base_rate in (0.5, 0.05):
        for grouped in (False, True):
            y, p, other, _ = study(np.random.default_rng(10), 4_000_000, base_rate, grouped=grouped)
            truth = {s: gv.score_interval(y, p, score=s, **options(s, base_rate)).value for s in BINARY}
            gap = {s: truth[s] - gv.score_interval(y, other, score=s).value for s in ("brier_score", "roc_auc")}
            for n, repetitions in studies.items():
                hits: dict[str, list[bool]] = {s: [] for s in (*BINARY, *(f"difference of {s}" for s in gap))}
                naive: list[bool] = []
                for seed in range(repetitions):
                    y, p, other, day = study(np.random.default_rng([n, seed]), n, base_rate, grouped=grouped)
                    groups = day if grouped else None
                    for s in BINARY:
                        found = gv.score_interval(y, p, score=s, groups=groups, **options(s, base_rate))
                        if not np.isnan(found.value) and not np.isnan(found.low):
                            hits[s].append(inside(found, truth[s]))
                    for s, expected in gap.items():
                        found = gv.score_difference(y, p, other, score=s, groups=groups)
                        if not np.isnan(found.low):
                            hits[f"difference of {s}"].append(inside(found, expected))
                    naive.append(inside(gv.score_interval(y, p, score="brier_score"), truth["brier_score"]))
                common = {"base_rate": base_rate, "grouped": grouped, "cases": n}
                rows += [
                    common | {"interval": s, "studies": len(h), "coverage": float(np.mean(h))} for s, h in hits.items()
                ]
                if grouped:
                    rows.append(common | {"interval": "brier_score, groups ignored", "studies": len(naive),
                                          "coverage": float(np.mean(naive))})  # fmt: skip
    return rows


def real_coverage(studies: Mapping[int, int]) -> ROWS:
    """Coverage for ensembles of a real number, errors shared within groups of ten where grouped."""
    rows: ROWS = []

    def draw(rng: np.random.Generator, n: int, *, grouped: bool) -> tuple[Any, Any, Any]:
        shared = np.repeat(rng.normal(size=-(-n // GROUP_SIZE)), GROUP_SIZE)[:n] if grouped else 0.0
        y = rng.normal(size=n)
        return y, y[:, None] + 0.7 * rng.normal(size=(n, 8)) + (0.5 * np.asarray(shared)).reshape(-1, 1), None

    for grouped in (False, True):
        y, members, _ = draw(np.random.default_rng(20), 1_000_000, grouped=grouped)
        forms = {s: members if s in ENSEMBLE else members[:, 0] for s in (*ENSEMBLE, *REAL)}
        truth = {s: gv.score_interval(y, form, score=s).value for s, form in forms.items()}
        for n, repetitions in studies.items():
            hits: dict[str, list[bool]] = {s: [] for s in truth}
            for seed in range(repetitions):
                y, members, _ = draw(np.random.default_rng([n, seed, 1]), n, grouped=grouped)
                groups = np.arange(n) // GROUP_SIZE if grouped else None
                for s, expected in truth.items():
                    form = members if s in ENSEMBLE else members[:, 0]
                    hits[s].append(inside(gv.score_interval(y, form, score=s, groups=groups), expected))
            rows += [
                {"grouped": grouped, "cases": n, "interval": s, "studies": len(h), "coverage": float(np.mean(h))}
                for s, h in hits.items()
            ]
    return rows


def bootstrap_coverage(studies: Mapping[int, int]) -> ROWS:
    """Coverage of the percentile bootstrap, nominal .95, over cases and groups."""
    rows: ROWS = []
    for base_rate in (0.5, 0.05):
        for grouped in (False, True):
            y, p, *_ = study(np.random.default_rng(10), 4_000_000, base_rate, grouped=grouped)
            scores = ("roc_auc", "brier_skill_score")
            truth = {s: gv.score_interval(y, p, score=s).value for s in scores}
            for n, repetitions in studies.items():
                hits: dict[str, list[bool]] = {s: [] for s in scores}
                for seed in range(repetitions):
                    y, p, _, day = study(np.random.default_rng([n, seed]), n, base_rate, grouped=grouped)
                    if 0 < y.sum() < n:
                        found = gv.bootstrap_scores(
                            y, p, scores=scores, replicates=400, groups=day if grouped else None
                        )
                        for s in scores:
                            low, high = found[s].interval()
                            hits[s].append(bool(low <= truth[s] <= high))
                rows += [
                    {"base_rate": base_rate, "grouped": grouped, "cases": n, "interval": s, "studies": len(h),
                     "coverage": float(np.mean(h))}
                    for s, h in hits.items()
                ]  # fmt: skip
    return rows


def band_coverage(studies: Mapping[int, int]) -> ROWS:
    """Bands: calibrated forecasts' curves in consistency bands; the true ROC curve in its confidence band."""
    rows: ROWS = []
    for base_rate in (0.5, 0.05):
        y, p = forecasts(2_000_000, base_rate, seed=3)
        roc = gv.roc_curve(y, p)
        grid = np.linspace(0, 1, 101)
        true_roc = np.interp(grid, roc.probability_of_false_detection, roc.probability_of_detection)
        for n, repetitions in studies.items():
            share: dict[str, list[float]] = {}
            for seed in range(repetitions):
                y, p = forecasts(n, base_rate, seed=100 + seed)
                if not 0 < y.sum() < n:
                    continue
                for coverage in ("pointwise", "simultaneous"):
                    curve = gv.reliability_curve(y, p, coverage=coverage, seed=seed)
                    hit = (curve.low <= curve.frequency + 1e-12) & (curve.frequency <= curve.high + 1e-12)
                    share.setdefault(f"reliability_curve, {coverage}", []).append(
                        float(hit.all() if coverage == "simultaneous" else hit.mean())
                    )
                table = gv.reliability_bins(y, p)
                low, high = gv.consistency_bars(table)
                filled = table.weight > 0
                hit = ((low <= table.frequency + 1e-12) & (table.frequency <= high + 1e-12))[filled]
                share.setdefault("consistency_bars, pointwise", []).append(float(hit.mean()))
                band = gv.roc_band(y, p, replicates=200, seed=seed)
                hit = ((band.low <= true_roc) & (true_roc <= band.high))[5:96]
                share.setdefault("roc_band, pointwise, false detection .05 to .95", []).append(float(hit.mean()))
                x = np.random.default_rng(seed).normal(size=(n, 10))
                ranks = gv.rank_histogram(x[:, 0], x[:, 1:])
                hit = (ranks.low <= ranks.counts) & (ranks.counts <= ranks.high)
                share.setdefault("rank_histogram, pointwise", []).append(float(hit.mean()))
                pit = gv.pit_histogram(gv.ensemble_pit(x[:, 0], x[:, 1:]))
                hit = (pit.low <= pit.frequency + 1e-12) & (pit.frequency <= pit.high + 1e-12)
                share.setdefault("pit_histogram, pointwise", []).append(float(hit.mean()))
            rows += [
                {"base_rate": base_rate, "cases": n, "band": name, "studies": len(values),
                 "coverage": float(np.mean(values))}
                for name, values in share.items()
            ]  # fmt: skip
    return rows


PARTS: dict[str, Callable[[], Any]] = {
    "speed": speed,
    "growth": growth,
    "bootstrap": bootstrap,
    "exactness": exactness,
    "interval_coverage": lambda: binary_coverage({50: 2000, 200: 2000, 1000: 1000, 10_000: 400}),
    "real_interval_coverage": lambda: real_coverage({50: 2000, 1000: 1000, 10_000: 300}),
    "bootstrap_coverage": lambda: bootstrap_coverage({50: 500, 200: 500, 1000: 300}),
    "band_coverage": lambda: band_coverage({50: 300, 200: 300, 1000: 200}),
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
        found[name] = {"machine": machine(), "seconds": time.perf_counter() - start, "found": outcome}
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        print(name, json.dumps(outcome, indent=1))


if __name__ == "__main__":
    main()
