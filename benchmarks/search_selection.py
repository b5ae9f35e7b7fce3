"""Is the reported score of the chosen strength unbiased? Searches whose truth is known, through the very functions.

    python benchmarks/search_selection.py [--searches 2000] [--quick]

A trial's true difference from the model as it is comes from a normal distribution; cases differ in difficulty, trials
in what single cases cost them, and seeds vary. The best of 30 trials is chosen on 200 validation cases with 3 seeds
(`best_of`), and read twice: naively, by the scores that it was chosen by, and as a search reports it, with fresh seeds
on 200 test cases (`compare`). Bias is in the score's units; coverage is that of the interval of `compare`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import gengap as gg
from gengap.searching.trials import Trial, best_of
from machine import machine

RESULTS = Path(__file__).parent / "results" / "search_selection.json"
TRIALS, SEEDS, FRESH, CASES = 30, 3, 10, 200
SCENES = {
    "nothing helps": {"spread": 0.0, "seed": 0.05, "case": 0.3},
    "some help": {"spread": 0.03, "seed": 0.05, "case": 0.3},
    "seeds dominate": {"spread": 0.03, "seed": 0.2, "case": 0.1},
    "cases dominate": {"spread": 0.03, "seed": 0.02, "case": 0.6},
}
"""Standard deviations: of true differences between trials, of a trial's seeds, and of a trial's own part in a case."""


def losses(random: Any, true: Any, *, seeds: int, scene: dict[str, float]) -> Any:
    """Draw squared errors, shape `(trials, seeds, cases)`: all trials and seeds meet the same cases."""
    trials = len(true)
    difficulty = random.normal(0, 0.5, CASES)
    own = random.normal(0, scene["case"], (trials, 1, CASES))
    luck = random.normal(0, scene["seed"], (trials, seeds, 1))
    rest = random.normal(0, 0.1, (trials, seeds, CASES))
    return 4.0 + true[:, None, None] + difficulty + own + luck + rest


def as_trial(number: int, values: Any) -> Trial:
    empty = np.empty(0)
    return Trial(number, {}, str(number), 0.0, values.mean(axis=1), 1.0, "complete", values, empty, empty)


def searched(random: Any, scene: dict[str, float]) -> tuple[float, float, bool]:
    """Return the errors of the naive and of the reported difference, and whether the interval covers the truth."""
    true = np.concatenate([[0.0], random.normal(0, scene["spread"], TRIALS)])
    seen = losses(random, true, seeds=SEEDS, scene=scene)
    best = best_of([as_trial(number, seen[number]) for number in range(1, TRIALS + 1)]).number
    naive = seen[best].mean() - seen[0].mean()
    anew = losses(random, true[[0, best]], seeds=FRESH, scene=scene)
    forecasts = {name: np.sqrt(np.maximum(one, 0)) for name, one in zip(("baseline", "best"), anew, strict=True)}
    result = gg.Result.from_predictions(np.zeros(CASES), forecasts, task="regression", score="squared_error")
    found = gg.compare(result)["best"]
    return naive - true[best], found.difference - true[best], bool(found.low <= true[best] <= found.high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="100 searches a scene; nothing is written")
    options = parser.parse_args()
    number = 100 if options.quick else options.searches
    told: dict[str, Any] = {"machine": machine(), "searches": number, "scenes": {}}
    for name, scene in SCENES.items():
        random = np.random.default_rng(1)
        found = np.array([searched(random, scene) for _ in range(number)], dtype=float)
        naive, reported, covered = found.T
        row = {
            "naive_bias": float(naive.mean()),
            "reported_bias": float(reported.mean()),
            "standard_error": float(reported.std(ddof=1) / np.sqrt(number)),
            "coverage": float(covered.mean()),
        }
        told["scenes"][name] = row
        print(f"{name:16} naive {row['naive_bias']:+.4f}  reported {row['reported_bias']:+.4f} "
              f"(+- {row['standard_error']:.4f})  coverage {row['coverage']:.3f}", flush=True)  # fmt: skip
    if not options.quick:
        RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
