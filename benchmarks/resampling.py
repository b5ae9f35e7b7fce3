"""Verdicts over training sets, measured on resampled studies of data sets that are drawn anew, with known truth.

`make bench-resampling` draws them, writes `benchmarks/results/resampling.json` and `docs/resampling_statistics.md`;
`--studies N` makes it shorter or surer. A study draws a data set, divides it five times into five folds, trains every
variant on every fold's rest, and asks which variants are better on average over training sets of that size.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import numpy as np
from scipy import special

from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.resampled import RHO, RHO_WORSE, convention, over_passes
from gengap.analysis.inference.skewness import l_skewness
from machine import machine
from resampling_advice import ASKED, follow_advice
from resampling_learners import FOLDS, SETTINGS, Integers, Setting, divided, losses, one_pass
from resampling_page import write_page
from simulated_results import Floats
from tool_verdicts import as_the_tool_does

RESULTS = Path(__file__).parent / "results" / "resampling.json"
PASSES = 5
BATCH = 25
LEVEL = 0.05
COMPARISONS = 4
NULLS = 2
"""The first two of the four contrasts are equal to the baseline on average over training sets."""
Row = dict[str, Any]


RHOS = {"rho = 0": 0.0, "rho = 1/4": RHO, "rho = 1/2": 0.5, "rho = 1": RHO_WORSE}


# --- one study ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """Losses of all variants: of passes, of one division crossed with seeds, and of the constant forecast."""

    passes: Floats
    crossed: Floats
    constant: Floats
    folds: Integers


def draw_study(setting: Setting, rng: np.random.Generator) -> Study:
    data = setting.draw(rng, setting.n)
    folds = np.stack([divided(rng, data) for _ in range(PASSES)])
    start = int(rng.integers(2**30))
    passes = np.stack([one_pass(setting, data, folds[k], start + k) for k in range(PASSES)], axis=1)
    anew = range(1, PASSES) if setting.seeded else ()
    crossed = np.stack([passes[:, 0], *(one_pass(setting, data, folds[0], start + PASSES + k) for k in anew)], axis=1)
    if not setting.seeded:  # every seed learns the same
        crossed = np.repeat(crossed, PASSES, axis=1)
    constant = np.empty((PASSES, setting.n))
    for row, fold in enumerate(folds):
        for k in range(FOLDS):
            out = fold == k
            constant[row, out] = losses(data.y[out], np.full(out.sum(), data.y[~out].mean()), setting.score)
    if data.group is None:
        return Study(passes, crossed, constant, folds)
    return Study(*(_by_group(part) for part in (passes, crossed, constant)), folds[:, ::5])


def _by_group(values: Floats) -> Floats:
    return np.asarray(values.reshape(*values.shape[:-1], -1, 5).mean(axis=-1))


# --- what each way makes of many ------------------------------------------------------------------------------------


def of_passes(values: Floats, rho: float) -> Floats:
    """Ends of intervals from losses `(studies, variants, passes, units)`, as the tool has them: `(studies, 4, 4)`.

    The four ends are the simultaneous low and high, and the low and high of a single 95 % interval.
    """
    difference = values[:, 1:] - values[:, :1]
    lean = l_skewness(difference.mean(axis=-2))
    scores = values.mean(axis=-1)
    found = as_the_tool_does(over_passes(difference, rho), scores[:, 1:], scores[:, :1], lean)
    return np.stack([*limits(found, LEVEL / COMPARISONS), *limits(found, LEVEL)], axis=1)


def of_folds(values: Floats, folds: Integers, *, corrected: bool) -> Floats:
    """The same of Student's t over the 25 means of folds, with or without Nadeau and Bengio's correction.

    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281; for repeated
    cross-validation Bouckaert, R. R. and Frank, E. (2004), PAKDD, LNCS 3056, 3-12.
    """
    inside = (folds[:, :, None] == np.arange(FOLDS)[:, None]).astype(np.float64)  # (studies, passes, folds, units)
    sums = np.einsum("svpu,spku->svpk", values[:, 1:] - values[:, :1], inside)
    means = (sums / inside.sum(axis=-1)[:, None]).reshape(*sums.shape[:2], -1)
    runs = PASSES * FOLDS
    share = 1 / runs + (1 / (FOLDS - 1) if corrected else 0.0)
    centre, se = means.mean(axis=-1), np.sqrt(share * means.var(axis=-1, ddof=1))
    reach = [-special.stdtrit(runs - 1.0, level / 2) * se for level in (LEVEL / COMPARISONS, LEVEL)]
    return np.stack([centre + sign * one for one in reach for sign in (-1, 1)], axis=1)


def ways(studies: list[Study], worse: Floats) -> dict[str, Floats]:
    """Ends of the intervals of every way, `(studies, 4, contrasts)`; `worse` says where the convention is 1."""
    passes, crossed, folds = (
        np.stack([getattr(one, name) for one in studies]) for name in ("passes", "crossed", "folds")
    )
    found = {f"passes, {name}": of_passes(passes, rho) for name, rho in RHOS.items()}
    tool = np.where(worse[:, None], found["passes, rho = 1"], found["passes, rho = 1/4"])
    apart = {name: of_passes(crossed, rho) for name, rho in RHOS.items() if rho}
    found["crossed, as the tool would"] = np.where(worse[:, None], apart["rho = 1"], apart["rho = 1/4"])
    found["corrected t"] = of_folds(passes, folds, corrected=True)
    found["naive t"] = of_folds(passes, folds, corrected=False)
    return {"passes, as the tool does": tool} | found


def some_studies(index: int, stream: int, studies: int) -> tuple[Floats, dict[str, Floats], Floats]:
    """Means of contrasts, ends of all intervals and whether the convention was 1, of some studies."""
    setting, rng = SETTINGS[index], np.random.default_rng([40, index, stream])
    parts = []
    for start in range(0, studies, BATCH):
        drawn = [draw_study(setting, rng) for _ in range(min(BATCH, studies - start))]
        means = np.stack([(one.passes[1:] - one.passes[0]).mean(axis=(-2, -1)) for one in drawn])
        rhos = [[convention(side, one.passes[0], one.constant) for side in one.passes[1:]] for one in drawn]
        worse = np.array(rhos) == RHO_WORSE
        parts.append((means, ways(drawn, worse), worse))
    ends = {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}
    return np.concatenate([part[0] for part in parts]), ends, np.concatenate([part[2] for part in parts])


def measure(index: int, pool: ProcessPoolExecutor, studies: int, cores: int) -> Row:
    """One setting: false verdicts, coverage, power and length of every way."""
    setting = SETTINGS[index]
    each = max(studies // setting.cost // cores, 2)
    parts = [job.result() for job in [pool.submit(some_studies, index, k, each) for k in range(cores)]]
    means = np.concatenate([part[0] for part in parts])
    # a mean over passes is unbiased for the mean over training sets of that size, so that many studies know the truth
    truth = np.where(np.arange(COMPARISONS) < NULLS, 0.0, means.mean(axis=0))
    row: Row = {
        "setting": setting.name, "n": setting.n, "studies": len(means), "truth": truth.tolist(),
        "spread": means.std(axis=0, ddof=1).tolist(), "ways": {},
        "worse_than_constant": float(np.concatenate([part[2] for part in parts]).mean()),
    }  # fmt: skip
    for name in parts[0][1]:
        row["ways"][name] = _counted(np.concatenate([part[1][name] for part in parts]), truth)
    return row


def _counted(ends: Floats, truth: Floats) -> dict[str, Any]:
    """Ends have the shape `(studies, 4, contrasts)`: simultaneous low and high, plain low and high."""
    low, high, plain_low, plain_high = np.moveaxis(ends, 1, 0)
    said = (low > 0) | (high < 0)
    right = np.where(truth > 0, low > 0, high < 0)
    wrong = said & ~right
    wrong[:, :NULLS] = said[:, :NULLS]
    return {
        "false_verdict": float(wrong.any(axis=-1).mean()),
        "one_null": float(np.mean((plain_low[:, :NULLS] > 0) | (plain_high[:, :NULLS] < 0))),
        "coverage": ((plain_low <= truth) & (truth <= plain_high)).mean(axis=0).tolist(),
        "power": right[:, NULLS:].mean(axis=0).tolist(),
        "length": float((plain_high - plain_low).mean()),
    }


def advice(pool: ProcessPoolExecutor, studies: int) -> list[Row]:
    """What comes of the advice, for every setting that was chosen for it."""
    jobs = [pool.submit(follow_advice, place, max(studies // 2, 2)) for place in range(len(ASKED))]
    return [job.result() for job in jobs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000, help="studies a setting; fewer where they are slow")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time")
    parser.add_argument("--page", action="store_true", help="only write the page from the numbers that there are")
    parser.add_argument("--only", nargs="+", type=int, help="measure some settings, by their place in the list")
    parser.add_argument("--advice", action="store_true", help="only follow the advice")
    chosen = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": {}}
    places = [] if chosen.page or chosen.advice else chosen.only or range(len(SETTINGS))
    with ProcessPoolExecutor(chosen.cores) as pool:
        if chosen.advice or not (chosen.page or chosen.only):
            found["advice"] = advice(pool, chosen.studies)
            RESULTS.write_text(json.dumps(found | {"machine": machine()}, indent=1) + "\n")
        for index in places:
            start = time.perf_counter()
            row = measure(index, pool, chosen.studies, chosen.cores)
            row |= {"seconds": round(time.perf_counter() - start, 1), "cores": chosen.cores, "asked": chosen.studies}
            found["rows"][str(index)] = row
            found["machine"] = machine()
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
            print(*_told(row), flush=True)
    print(write_page(found))


def _told(row: Row) -> Iterator[str]:
    yield f"{row['setting']}, n = {row['n']}: {row['studies']} studies, {row['seconds']} s"
    for name, one in row["ways"].items():
        cover, power = (" ".join(f"{100 * part:.0f}" for part in one[key]) for key in ("coverage", "power"))
        errs = f"family {one['false_verdict']:.3f} one {one['one_null']:.3f}"
        yield f"\n   {name:26} {errs} cover {cover} power {power} length {one['length']:.4f}"


if __name__ == "__main__":
    main()
