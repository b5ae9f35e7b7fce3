"""How often intervals over ensembles of new seeds hold, on simulated studies whose truth is known.

`python benchmarks/ensembles.py` draws the studies anew, writes `benchmarks/results/ensembles.json` and the section
between its marks in `docs/statistics.md`; `--studies N` makes it shorter or surer.
"""

import argparse
import json
import os
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

import gengap as gg
from sections import put_section

RESULTS = Path(__file__).parent / "results" / "ensembles.json"
PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
SEEDS, CASES = (4, 10), (100, 1000)
NOISE = ((0.1, 1.0), (0.6, 0.3))
"""Standard deviation between seeds of all log-odds of a run together, and of each case's own."""
SCORES = ("log_loss", "brier_score")
OTHER = 1.5
"""The second variant's noise, as a multiple of the first's."""
Floats = NDArray[np.float64]


def draw(
    rng: np.random.Generator, seeds: int, cases: int, noise: tuple[float, float]
) -> tuple[Floats, dict[str, Floats]]:
    """Outcomes and the forecasts of two variants: the truth with errors of the case, of the seed and of both."""
    odds = rng.normal(0, 1.5, cases)
    blurred = 0.8 * odds + rng.normal(0, 0.5, cases)
    runs = {
        name: expit(
            blurred
            + times * noise[0] * rng.normal(size=(seeds, 1))
            + times * noise[1] * rng.normal(size=(seeds, cases))
        )
        for name, times in (("first", 1.0), ("second", OTHER))
    }
    return (rng.random(cases) < expit(odds)).astype(float), runs


def truth(seeds: int, noise: tuple[float, float], score: str) -> dict[str, tuple[float, float]]:
    """Expected score of an ensemble of so many seeds, and of a run alone."""
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        y, runs = draw(rng, seeds, 2000, noise)
        found.append([(losses(y, one.mean(axis=0), score), losses(y, one, score)) for one in runs.values()])
    return dict(zip(("first", "second"), np.mean(found, axis=0).tolist(), strict=True))


def losses(y: Floats, p: Floats, score: str) -> float:
    return float(np.mean((p - y) ** 2 if score == "brier_score" else -np.log(np.where(y == 1, p, 1 - p))))


def measure(studies: int) -> list[dict[str, Any]]:
    rows = []
    for score, seeds, noise in product(SCORES, SEEDS, NOISE):
        true = truth(seeds, noise, score)
        (first, alone), (second, _) = true["first"], true["second"]
        for cases in CASES:
            rng, held = np.random.default_rng([seeds, cases]), np.zeros(3)
            for _ in range(studies):
                y, runs = draw(rng, seeds, cases, noise)
                found = gg.ensembles(gg.Result.from_predictions(y, runs, task="binary", score=score))
                one, other = found["first"], found["second"]
                held += [
                    one.score.low <= first <= one.score.high,
                    one.gain.low <= first - alone <= one.gain.high,
                    other.difference.low <= second - first <= other.difference.high,
                ]
            share = dict(zip(("score", "gain", "difference"), (held / studies).tolist(), strict=True))
            rows.append({"of": score, "seeds": seeds, "cases": cases, "noise": list(noise), **share})
            print(rows[-1], flush=True)
    return rows


def write_section(found: dict[str, Any]) -> str:
    rows = found["settings"]
    lines = ["| score | seeds | cases | the score | its gain over a run alone | difference of two ensembles |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for of, seeds, cases in product(SCORES, SEEDS, CASES):
        mine = [row for row in rows if (row["of"], row["seeds"], row["cases"]) == (of, seeds, cases)]
        cells = [
            f"{100 * np.mean([r[key] for r in mine]):.1f} ({100 * min(r[key] for r in mine):.1f})"
            for key in ("score", "gain", "difference")
        ]
        lines.append(f"| {of} | {seeds} | {cases} | {' | '.join(cells)} |")
    table = "\n".join(lines)
    return f"""## Ensembles of new seeds

Intervals of `gg.ensembles` in simulated studies of two variants, {found["studies"]:,} studies a setting (synthetic
forecasts with errors of the case, of the seed, and of both; the truth by simulating 200 ensembles on 2,000 cases):

```console
$ python benchmarks/ensembles.py --studies {found["studies"]}
```

The numbers lie in `benchmarks/results/ensembles.json`. A first look may spend 4.5 %, so that an interval of a score, or
the difference of the only two variants, should hold in 95.5 %; a gain is one of two that hold together, so it should
hold in 97.8 %. Means over {len(NOISE)} kinds of noise, in brackets the worst of them, in percent.
The longer far end of gains was introduced after 92 to 95 % of them had held in these very settings, so that their
column is no independent test of it.

{table}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies of each setting")
    wanted, start = parser.parse_args(), time.perf_counter()
    rows = measure(wanted.studies)
    found = {"studies": wanted.studies, "seconds": time.perf_counter() - start, "settings": rows}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    put_section(PAGE, Path(__file__).name, write_section(found))


if __name__ == "__main__":
    main()
