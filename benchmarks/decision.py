"""What recommendations keep and cost, on simulated studies whose best option is known.

`make bench-decision` draws the studies anew, writes `benchmarks/results/decision.json` and the section between
the marks of `docs/statistics.md`; `--studies N` makes it shorter or surer.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import numpy as np

from gengap.analysis.decision.best import holds_best, one_sided_level, regret_bounds
from gengap.analysis.inference.components import MeanEstimate, two_way
from gengap.analysis.inference.intervals import limits, students, widening
from gengap.analysis.inference.skewness import (
    l_skewness,
)
from sections import put_section
from simulated_results import LAWS, Floats, Law, draw
from tool_verdicts import as_the_tool_does

RESULTS = Path(__file__).parent / "results" / "decision.json"
PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
OPTIONS, CASES = 6, 100
SEED_SD, CASE_SD, BOTH_SD = 0.1, 0.5, 0.1
TOLERANCE = 0.01
SEEDS = (4, 6, 10, 20)
BATCH = 50
WAYS = ("recommend", "smallest mean", "smallest p", "only if p < .05", "baseline")
Row = dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """How the true means of a study's options are spread.

    Attributes:
        name: What it is called.
        means: Offsets that are the same in all studies, in random order.
        spread: Standard deviation of what is drawn anew for every study.
    """

    name: str
    means: Sequence[float]
    spread: float = 0.0

    def draw(self, rng: np.random.Generator, studies: int) -> Floats:
        """True losses, shape `(studies, options)`; the first option is the baseline."""
        fixed = rng.permuted(np.tile(np.asarray(self.means, dtype=float), (studies, 1)), axis=1)
        return np.asarray(fixed + self.spread * rng.standard_normal(fixed.shape))


TRUTHS = (
    Truth("all equal", [0.0] * OPTIONS),
    Truth("two tied ahead", [0.0, 0.0, 0.1, 0.1, 0.2, 0.2]),
    Truth("one ahead", [0.0] + [0.1] * (OPTIONS - 1)),
    Truth("drawn", [0.0] * OPTIONS, spread=0.05),
)


@dataclass(frozen=True, eq=False)
class Studies:
    """A batch of studies.

    Attributes:
        truth: True losses, shape `(studies, options)`.
        values: Losses, shape `(studies, options, seeds, cases)`.
        cost: What each option costs: cheaper is smaller, shape `(studies, options)`.
    """

    truth: Floats
    values: Floats
    cost: Floats


def simulate(rng: np.random.Generator, truth: Truth, law: Law, studies: int, seeds: int, *, steady: bool) -> Studies:
    """Draw studies; where `steady`, half of the options do not vary with the seed, as a fitted reference does not.

    A third of the noise of cases is shared by all options, which pairing removes.
    """
    means = truth.draw(rng, studies)
    varies = np.ones((studies, OPTIONS))
    if steady:
        varies = rng.permuted(np.tile(np.arange(OPTIONS) % 2, (studies, 1)), axis=1).astype(float)
    noise = SEED_SD * draw(rng, law, (studies, OPTIONS, seeds, 1))
    noise = noise + BOTH_SD * draw(rng, law, (studies, OPTIONS, seeds, CASES))
    values = means[..., None, None] + varies[..., None, None] * noise
    values += CASE_SD * draw(rng, law, (studies, OPTIONS, 1, CASES)) / 2 + draw(rng, law, (studies, 1, 1, CASES))
    return Studies(means, values, rng.random((studies, OPTIONS)))


def upper_bounds(values: Floats, level: float) -> tuple[Floats, MeanEstimate]:
    """Upper bounds of all differences as `gg.recommend` has them, and the differences from the baseline."""
    options = values.shape[1]
    of_seeds = values.mean(axis=-1)
    bounds = np.zeros((len(values), options, options))
    first: MeanEstimate | None = None
    for anchor in range(options):
        others = [k for k in range(options) if k != anchor]
        difference = values[:, others] - values[:, [anchor]]
        lean = l_skewness(difference.mean(axis=-2))
        estimate = as_the_tool_does(two_way(difference), of_seeds[:, others], of_seeds[:, [anchor]], lean)
        first = estimate if anchor == 0 else first
        bounds[:, others, anchor] = limits(estimate, 2 * level / (options - 1))[1]
    assert first is not None
    return bounds, first


def picks(drawn: Studies, estimate: MeanEstimate) -> dict[str, np.ndarray[Any, Any]]:
    """What each way of choosing takes, positions of shape `(studies,)`."""
    means = drawn.values.mean(axis=(-2, -1))
    smallest = means.argmin(axis=1)
    near = means <= means.min(axis=1, keepdims=True) + TOLERANCE
    distance = np.abs(estimate.mean) / estimate.se / widening(estimate.skewness.left, 0.05) / students(estimate, 0.05)
    surest = np.where(estimate.mean < 0, distance, -np.inf)
    by_p = np.where(np.isfinite(surest.max(axis=1)), surest.argmax(axis=1) + 1, 0)
    return {
        "recommend": np.where(near, drawn.cost, np.inf).argmin(axis=1),
        "smallest mean": smallest,
        "smallest p": by_p,
        "only if p < .05": np.where(surest.max(axis=1) >= 1, by_p, 0),
        "baseline": np.zeros(len(means), dtype=int),
    }


def judge(drawn: Studies, alpha: float = 0.05) -> dict[str, Floats]:
    """What came of every study, by name, shape `(studies,)`."""
    seeds = drawn.values.shape[-2]
    bounds, estimate = upper_bounds(drawn.values, one_sided_level([seeds], alpha))
    inside, regret = holds_best(bounds), regret_bounds(bounds)
    best = drawn.truth.min(axis=1, keepdims=True)
    true = drawn.truth - best
    chosen = picks(drawn, estimate)
    rows = np.arange(len(true))
    found = {f"lost by {name}": true[rows, at] for name, at in chosen.items()}
    at = chosen["recommend"]
    return found | {
        "set holds the best": inside[rows, true.argmin(axis=1)].astype(float),  # of tied ones, one named beforehand
        "set size": inside.sum(axis=1).astype(float),
        "bound holds": (true[rows, at] <= regret[rows, at]).astype(float),
        "all bounds hold": (true <= regret).all(axis=1).astype(float),
        "bound": regret[rows, at],
    }


def measure(studies: int, *, seeds: Sequence[int] = SEEDS, laws: Sequence[Law] = LAWS) -> list[Row]:
    """All settings: truth, law, seeds, and whether half of the options are steady."""
    rows = []
    for place, (truth, law, count, steady) in enumerate(
        (truth, law, count, steady) for truth in TRUTHS for law in laws for count in seeds for steady in (False, True)
    ):
        rng = np.random.default_rng([19, place])
        parts = [
            judge(simulate(rng, truth, law, min(BATCH, studies - start), count, steady=steady))
            for start in range(0, studies, BATCH)
        ]
        means = {name: float(np.concatenate([part[name] for part in parts]).mean()) for name in parts[0]}
        rows.append({"truth": truth.name, "law": law, "seeds": count, "steady": steady, "studies": studies} | means)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies of each setting")
    wanted = parser.parse_args()
    start = time.perf_counter()
    rows = measure(wanted.studies)
    found = {"studies": wanted.studies, "seconds": time.perf_counter() - start, "settings": rows}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    section = write_section(found)
    put_section(PAGE, Path(__file__).name, section)
    print(section)


def write_section(found: Row) -> str:
    """The section of `docs/statistics.md`, from numbers alone."""
    rows = found["settings"]
    return TEXT.format(
        studies=found["studies"],
        seconds=found["seconds"],
        tolerance=TOLERANCE,
        seeds=", ".join(str(n) for n in dict.fromkeys(row["seeds"] for row in rows)),
        options=OPTIONS,
        cases=CASES,
        coverage=_coverage(rows),
        losses=_losses(rows),
        worst=_worst(rows),
        verdicts=_verdicts(rows),
    )


TEXT = """## What to ship

Recommendations of `gg.recommend` in simulated studies of {options} options on {cases} cases, {studies:,} studies a
setting:

```console
$ python benchmarks/decision.py --studies {studies}
```

It took {seconds:.0f} s on one thread; the numbers lie in `benchmarks/results/decision.json`. A first look may spend
4.5 %, so a set should hold the best in 95.5 % of studies. *Steady* means that half of the options do not vary with the
seed at all, as a logistic regression among networks. {worst}

Share of studies, in percent, whose set holds the best option (of tied ones, one named beforehand) / in which the regret
bounds of all options hold at once; in brackets the mean size of the set, of {options}. Means over {seeds} seeds; the
file has all.
{coverage}
What each way of choosing loses on average against the best option. *Recommend* takes the cheapest within {tolerance:g}
of the best mean; costs are drawn at random, so that it can only lose by that here, and what it gains, the cost, is not
in the table. *Smallest mean* is `recommend` with tolerance 0. *Smallest p* takes the variant that is most surely better
than the baseline, the next column only where its p is below .05, else the baseline. The last column is the mean bound
that `recommend` states. {verdicts}
{losses}"""


def _worst(rows: Sequence[Row]) -> str:
    said = []
    for key, what in (("set holds the best", "set"), ("bound holds", "bound of what is recommended")):
        low = min(rows, key=lambda row: row[key])
        where = f"{low['truth']}, {low['law']}, {low['seeds']} seeds, {'half steady' if low['steady'] else 'all vary'}"
        said.append(f"The {what} holds in {100 * low[key]:.1f} % at worst ({where}).")
    return " ".join(said)


def _verdicts(rows: Sequence[Row]) -> str:
    lost = {way: float(np.mean([row[f"lost by {way}"] for row in rows])) for way in WAYS}
    more = max(row["lost by recommend"] - row["lost by smallest mean"] for row in rows)
    order = ", ".join(f"{way} {value:.4f}" for way, value in sorted(lost.items(), key=lambda one: one[1]))
    return f"Over all settings: {order}. Recommend loses at most {more:.4f} more than the smallest mean in any setting."


def _coverage(rows: Sequence[Row]) -> str:
    shown = ("set holds the best", "all bounds hold", "set size")
    lines = ["", "| truth | law | all vary | half are steady |", "|---|---|---|---|"]
    for truth in dict.fromkeys(row["truth"] for row in rows):
        for law in dict.fromkeys(row["law"] for row in rows):
            cells = []
            for steady in (False, True):
                mine = [r for r in rows if (r["truth"], r["law"], r["steady"]) == (truth, law, steady)]
                one, every, size = (np.mean([row[key] for row in mine]) for key in shown)
                cells.append(f"{100 * one:.1f} / {100 * every:.1f} ({size:.1f})")
            lines.append(f"| {truth} | {law} | {cells[0]} | {cells[1]} |")
    return "\n".join([*lines, ""])


def _losses(rows: Sequence[Row]) -> str:
    lines = ["", f"| truth | seeds | {' | '.join(WAYS)} | stated bound |", "|---|---|" + "---|" * (len(WAYS) + 1)]
    for truth in dict.fromkeys(row["truth"] for row in rows):
        for seeds in dict.fromkeys(row["seeds"] for row in rows):
            mine = [r for r in rows if (r["truth"], r["seeds"]) == (truth, seeds)]
            cells = [f"{np.mean([r[f'lost by {way}'] for r in mine]):.4f}" for way in WAYS]
            lines.append(f"| {truth} | {seeds} | {' | '.join(cells)} | {np.mean([r['bound'] for r in mine]):.3f} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
