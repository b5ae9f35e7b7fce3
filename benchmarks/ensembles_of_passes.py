"""How often intervals over ensembles of the passes of a resampled study hold, over data sets that are drawn anew.

`python benchmarks/ensembles_of_passes.py` writes `benchmarks/results/ensembles_of_passes.json` and the section between
its marks in `docs/resampling.md`; `--studies N` makes it shorter or surer. A study draws a data set, divides it anew
for every pass, and fits two learners in every fold's rest: ridge regressions on bootstrap samples, of which one is so
weak that it memorizes. The truth is the mean over as many data sets again.
"""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

import gengap as gg
from sections import put_section

RESULTS = Path(__file__).parent / "results" / "ensembles_of_passes.json"
PAGE = Path(__file__).parents[1] / "docs" / "resampling.md"
FOLDS, FEATURES = 5, 20
SETTINGS = ((200, 5), (200, 10), (200, 20), (1000, 5))
"""Cases and passes."""
PENALTIES = {"firm": 30.0, "loose": 0.3}
Floats = NDArray[np.float64]


def draw(rng: np.random.Generator, cases: int, passes: int) -> tuple[Floats, dict[str, Floats], Floats, Floats]:
    """A data set: answers, forecasts of both learners and climatology of every pass and case, and the folds."""
    x = rng.normal(size=(cases, FEATURES))
    y = (rng.random(cases) < expit(x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2])).astype(float)
    forecasts = {name: np.empty((passes, cases)) for name in PENALTIES}
    base, folds = np.empty((passes, cases)), np.empty((passes, cases), dtype=int)
    for one in range(passes):
        parts = np.array_split(rng.permutation(cases), FOLDS)
        for place, test in enumerate(parts):
            train = np.concatenate([parts[(place + step) % FOLDS] for step in range(2, FOLDS)])
            base[one, test], folds[one, test] = y[train].mean(), place
            rows = rng.choice(train, len(train))
            own, answers = x[rows], y[rows] - y[rows].mean()
            for name, penalty in PENALTIES.items():
                weights = np.linalg.solve(own.T @ own + penalty * np.eye(FEATURES), own.T @ answers)
                forecasts[name][one, test] = (y[rows].mean() + x[test] @ weights).clip(0.01, 0.99)
    return y, forecasts, base, folds


def truth(y: Floats, forecasts: dict[str, Floats]) -> Floats:
    """Brier scores of the mean forecasts, and of passes alone, of one data set."""
    mean = [np.mean((one.mean(axis=0) - y) ** 2) for one in forecasts.values()]
    return np.array([*mean, *(np.mean((one - y) ** 2) for one in forecasts.values())])


def as_result(y: Floats, forecasts: dict[str, Floats], base: Floats, folds: Floats) -> Any:
    """The data set's study as a result."""
    bare = gg.Result.from_predictions(y, forecasts, task="binary", score="brier_score")
    dims = ("seed", "sample")
    size = len(y) * (FOLDS - 2) // FOLDS
    told = {"kind": "passes", "folds": FOLDS, "cases": len(y), "grouped": False, "forward": False, "mixed_times": False,
            "splitter": "KFold", "training_cases": [size, size]}  # fmt: skip
    test = bare.test.assign(climatology=(dims, base)).assign_coords(fold=(dims, folds))
    return replace(bare, test=test, manifest={**bare.manifest, "resampling": told})


def measure(studies: int) -> list[dict[str, Any]]:
    """Share of intervals that hold the mean over data sets."""
    rows = []
    for cases, passes in SETTINGS:
        others = np.random.default_rng([1, cases, passes])
        first, second, alone, _ = np.mean([truth(*draw(others, cases, passes)[:2]) for _ in range(studies)], axis=0)
        rng, held = np.random.default_rng([2, cases, passes]), np.zeros(3)
        for _ in range(studies):
            found = gg.ensembles(as_result(*draw(rng, cases, passes)))
            one, other = found["firm"], found["loose"]
            held += [
                one.score.low <= first <= one.score.high,
                one.gain.low <= first - alone <= one.gain.high,
                other.difference.low <= second - first <= other.difference.high,
            ]
        share = dict(zip(("score", "gain", "difference"), (held / studies).tolist(), strict=True))
        rows.append({"cases": cases, "passes": passes, **share})
        print(rows[-1], flush=True)
    return rows


def write_section(studies: int, rows: list[dict[str, Any]]) -> str:
    """Return the page's section."""
    lines = ["| cases | passes | score of the mean | its gain over a run alone | difference of two means |",
             "|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        shown = " | ".join(f"{100 * row[name]:.1f}" for name in ("score", "gain", "difference"))
        lines.append(f"| {row['cases']:,} | {row['passes']} | {shown} |")
    table = "\n".join(lines)
    return f"""## Ensembles of passes

`gg.ensembles` of a resampled study scores the mean forecast of the runs that have not seen a case, one of each pass.
How often its intervals hold the mean over data sets, in percent of {studies:,} simulated studies (synthetic; ridge
regressions on bootstrap samples; a first look is to hold in 95.5 %, a gain, one of two, in 97.8 %):

```console
$ python benchmarks/ensembles_of_passes.py --studies {studies}
```

{table}

{_short(rows, studies)}"""


def _short(rows: list[dict[str, Any]], studies: int) -> str:
    """Say which intervals fall short of what they claim by more than chance."""
    found = [
        f"{what} with {row['cases']:,} cases and {row['passes']} passes"
        for row in rows
        for what, key, wanted in (
            ("score", "score", 0.955),
            ("gain", "gain", 0.978),
            ("difference", "difference", 0.955),
        )
        if row[key] < wanted - 2.5 * np.sqrt(wanted * (1 - wanted) / studies)
    ]
    return f"Short of it by more than chance: {', '.join(found)}." if found else "None falls short by more than chance."


def main() -> None:
    """Measure, and write the page's section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies of each setting")
    parser.add_argument("--quick", action="store_true", help="20 studies; nothing is written")
    wanted = parser.parse_args()
    studies = 20 if wanted.quick else wanted.studies
    rows = measure(studies)
    if wanted.quick:
        return
    RESULTS.write_text(json.dumps({"studies": studies, "settings": rows}, indent=1) + "\n")
    put_section(PAGE, Path(__file__).name, write_section(studies, rows))


if __name__ == "__main__":
    main()
