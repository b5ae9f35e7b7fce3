"""The statistics of comparisons measured on studies with known truth, and how long a large comparison takes.

`make bench-statistics` draws the studies anew, writes `benchmarks/results/statistics.json` and from it
`docs/statistics.md`; `--studies N` makes it shorter or surer. Every share is a count of simulated studies.
"""  # noqa: A005 - it is a script, run by its path; the Makefile gives it this name

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import numpy as np

from gengap.analysis.comparison.comparison import compare
from gengap.analysis.comparison.verdicts import judge
from gengap.analysis.diagnosis.auditing import audit
from gengap.analysis.diagnosis.onset import onset, onset_of, seed_noise
from gengap.analysis.inference.components import MeanEstimate, from_mean_squares, two_way, with_skewness
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.looks import look_level
from gengap.analysis.inference.over_seeds import differences, means
from gengap.analysis.inference.simultaneous import comparison_level
from gengap.analysis.inference.skewness import (
    SYMMETRIC,
    l_skewness,
    l_skewness_error,
    pooled_range,
    skewness_of_difference,
    skewness_of_units,
)
from gengap.results import Result
from machine import machine
from rare_events import EVENTS, FORECASTS, RARE, TRAINING_CASES, more_cases, one_training_set, rare_skill, scarce_events
from simulated_results import LAWS, Floats, Law, draw, losses, result_from_losses
from statistics_page import write_page
from tool_verdicts import as_the_tool_does, wrong
from which_t import RATIOS, which_t

RESULTS = Path(__file__).parent / "results" / "statistics.json"
SEEDS = (6, 8, 10, 20)
GROUPS, GROUP_SIZE = 43, 5
COMPARISONS = 8
FEW = {
    "cases dominate": (0.005, 0.15, 0.05),
    "balanced": (0.07, 0.15, 0.05),
    "seeds dominate": (0.15, 0.05, 0.05),
}
"""Standard deviations of seeds, groups of cases and single cases' interaction with seeds; 215 cases."""
MANY = {"cases matter": (0.005, 0.15), "seeds dominate": (0.05, 0.15)}
"""Standard deviations of seeds and cases; 25,000 cases."""
Row = dict[str, Any]
Counts = dict[tuple[Any, ...], list[int]]


def batches(studies: int, size: int) -> Iterator[int]:
    for start in range(0, studies, size):
        yield min(size, studies - start)


# --- families and intervals -----------------------------------------------------------------------------------------


def tally(counts: Counts, key: tuple[Any, ...], estimate: MeanEstimate) -> None:
    """Add a batch of families: how many hold a false verdict, how many plain 95 % intervals cover."""
    found = counts.setdefault(key, [0, 0, 0, 0])
    level = comparison_level(look_level((estimate.seeds,)), comparisons=COMPARISONS)
    plain = wrong(estimate, 0.05)
    found[0] += len(plain)
    found[1] += int(wrong(estimate, level).any(axis=-1).sum())
    found[2] += plain.size
    found[3] += int((~plain).sum())


def few_cases(law: Law, studies: int, stream: int) -> Counts:
    """Nine variants on 215 cases in 43 groups; seeds, groups and interaction of every variant drawn by the law."""
    rng = np.random.default_rng([1, LAWS.index(law), stream])
    counts: Counts = {}
    for size in batches(studies, 100):
        of_seeds = draw(rng, law, (size, 1 + COMPARISONS, SEEDS[-1], 1))
        of_groups = draw(rng, law, (size, 1 + COMPARISONS, 1, GROUPS))
        shape = (size, 1 + COMPARISONS, SEEDS[-1], GROUPS)
        both = sum(draw(rng, law, shape) for _ in range(GROUP_SIZE)) / GROUP_SIZE
        for name, (seed_sd, group_sd, both_sd) in FEW.items():
            table = seed_sd * of_seeds + group_sd * of_groups + both_sd * both
            for baseline in ("alike", "steady"):
                untreated = table[:, :1] if baseline == "alike" else np.zeros_like(table[:, :1])
                for n in SEEDS:
                    pairs, scores = (table[:, 1:] - untreated)[:, :, :n], table[:, 1:, :n].mean(axis=-1)
                    estimate = as_the_tool_does(
                        two_way(pairs), scores, untreated[:, :, :n].mean(axis=-1), l_skewness(pairs.mean(axis=-2))
                    )
                    tally(counts, (law, 215, name, baseline, n), estimate)
    return counts


def many_cases(law: Law, studies: int, stream: int) -> Counts:
    """The same on 25,000 independent cases, from the sums that the estimate needs; no interaction."""
    rng, cases = np.random.default_rng([2, LAWS.index(law), stream]), 25_000
    counts: Counts = {}
    for size in batches(studies, 20):
        of_seeds = draw(rng, law, (size, 1 + COMPARISONS, SEEDS[-1]))
        of_cases = draw(rng, law, (size, 1 + COMPARISONS, cases))
        for baseline in ("alike", "steady"):
            still = 1.0 if baseline == "alike" else 0.0
            a, b = of_seeds[:, 1:], of_cases[:, 1:] - still * of_cases[:, :1]
            mean, variance, of_units = b.mean(axis=-1), b.var(axis=-1, ddof=1) / cases, l_skewness(b)
            for name, (seed_sd, case_sd) in MANY.items():
                for n in SEEDS:
                    treated, untreated = seed_sd * a[..., :n], still * seed_sd * of_seeds[:, :1, :n]
                    part = treated - untreated
                    estimate = from_mean_squares(
                        part.mean(axis=-1) + case_sd * mean,
                        from_seeds=part.var(axis=-1, ddof=1) / n,
                        from_units=case_sd**2 * variance,
                        from_both=np.zeros_like(mean),
                        seeds=n,
                        units=cases,
                    )
                    tally(
                        counts,
                        (law, cases, name, baseline, n),
                        as_the_tool_does(estimate, treated, untreated, of_units),
                    )
    return counts


def families(pool: ProcessPoolExecutor, studies: int) -> list[Row]:
    """False verdicts among eight remedies that do nothing, and coverage of the plain 95 % interval."""
    streams = 4
    jobs = [pool.submit(few_cases, law, studies // streams, k) for law in LAWS for k in range(streams)]
    jobs += [pool.submit(many_cases, law, studies // 32, k) for law in LAWS for k in range(2)]
    total: Counts = {}
    for job in jobs:
        for key, found in job.result().items():
            total[key] = [a + b for a, b in zip(total.get(key, [0] * 4), found, strict=True)]
    return [
        {"law": law, "cases": cases, "noise": name, "baseline": baseline, "seeds": n, "studies": found[0],
         "false_verdict": found[1] / found[0], "coverage": found[3] / found[2]}
        for (law, cases, name, baseline, n), found in total.items()
    ]  # fmt: skip


def end_to_end(studies: int) -> Row:
    """`compare` itself on results: families of three that do nothing, 10 seeds, 215 cases in 43 groups."""
    rng, groups, families_wrong = np.random.default_rng(3), np.arange(215) // GROUP_SIZE, 0
    for _ in range(studies):
        drawn = losses(
            rng, dict.fromkeys("bcde", 0.0), seeds=10, cases=215, seed_sd=0.05, case_sd=0.15, both_sd=0.05,
            groups=groups,
        )  # fmt: skip
        found = compare(result_from_losses(drawn, groups=groups))
        families_wrong += any(one.verdict.kind != "cannot say" for one in found.contrasts)
    return {"studies": studies, "comparisons": 3, "seeds": 10, "cases": 215, "false_verdict": families_wrong / studies}


# --- power and equivalence ------------------------------------------------------------------------------------------


BASELINES = ("alike", "steady")


def of_seeds_and_many_cases(
    rng: np.random.Generator, law: Law, baseline: str, *, studies: int, n: int, comparisons: int
) -> MeanEstimate:
    """Paired differences with a standard deviation of 1 over seeds, 25,000 cases of standard deviation 1."""
    cases, scale = 25_000, np.sqrt(0.5) if baseline == "alike" else 1.0
    treated = scale * draw(rng, law, (studies, comparisons, n))
    untreated = (scale if baseline == "alike" else 0.0) * draw(rng, law, (studies, 1, n))
    values, shape = treated - untreated, (studies, comparisons)
    estimate = from_mean_squares(
        values.mean(axis=-1) + rng.standard_normal(shape) / np.sqrt(cases),
        from_seeds=values.var(axis=-1, ddof=1) / n,
        from_units=rng.chisquare(cases - 1, shape) / (cases - 1) / cases,
        from_both=np.zeros(shape),
        seeds=n,
        units=cases,
    )
    of_units = l_skewness_error(cases) * rng.standard_normal(shape)  # what normal cases show
    return as_the_tool_does(estimate, treated, untreated, of_units)


def power(studies: int) -> list[Row]:
    """Share of studies that find a difference of 1.5 paired standard deviations, alone and among eight."""
    rng, rows = np.random.default_rng(4), []
    for law in LAWS:
        for baseline in BASELINES:
            for n, comparisons in ((n, k) for n in SEEDS for k in (1, COMPARISONS)):
                estimate = of_seeds_and_many_cases(rng, law, baseline, studies=studies, n=n, comparisons=comparisons)
                level = comparison_level(look_level((n,)), comparisons=comparisons)
                low, high = limits(estimate, level)
                plain_low, plain_high = limits(replace(estimate, skewness=SYMMETRIC), level)
                found = {"up": float(np.mean(low[:, 0] + 1.5 > 0)), "down": float(np.mean(high[:, 0] - 1.5 < 0))}
                found["length"] = float(np.mean((high - low) / (plain_high - plain_low)))
                about = {"law": law, "baseline": baseline, "seeds": n, "comparisons": comparisons}
                rows.append(about | {"difference": 1.5, "studies": studies} | found)
    return rows


def equivalence(studies: int) -> list[Row]:
    """Share of studies that call a difference equivalent: at the margin (wrong) and at 0 (right)."""
    rng, rows = np.random.default_rng(5), []
    for law in LAWS:
        for baseline, n in ((baseline, n) for baseline in BASELINES for n in SEEDS):
            low, high = limits(
                of_seeds_and_many_cases(rng, law, baseline, studies=studies, n=n, comparisons=1), look_level((n,))
            )
            for margin in (0.5, 1.0, 2.0):
                said = {
                    name: float(np.mean((low + at > -margin) & (high + at < margin)))
                    for name, at in (("at_margin", margin), ("at_minus_margin", -margin), ("at_zero", 0.0))
                }
                about = {"law": law, "baseline": baseline, "seeds": n, "margin": margin, "studies": studies}
                rows.append(about | said)
    return rows


# --- looking again --------------------------------------------------------------------------------------------------

LOOKS = (6, 10, 20)


def _one_remedy(table: Floats) -> MeanEstimate:
    """Estimates of studies `(..., seeds, groups)` with one remedy and a baseline that does not vary."""
    scores, plain = table.mean(axis=-1), two_way(table)
    noise = skewness_of_difference(scores, np.zeros_like(scores), pooled_range([scores]))
    (units,) = skewness_of_units([l_skewness(table.mean(axis=-2))], table.shape[-1])
    return with_skewness(plain, seeds=noise, units=units)


def fixed_looks(law: Law, noise: str, studies: int) -> Row:
    """Looking at 6, 10 and 20 seeds whatever was seen before: false verdicts of the tool and of one who forgets."""
    rng = np.random.default_rng([6, LAWS.index(law), list(FEW).index(noise)])
    seed_sd, group_sd, both_sd = FEW[noise]
    paid = careless = 0
    for size in batches(studies, 500):
        table = seed_sd * draw(rng, law, (size, LOOKS[-1], 1)) + group_sd * draw(rng, law, (size, 1, GROUPS))
        table = table + both_sd * draw(rng, law, (size, LOOKS[-1], GROUPS)) / np.sqrt(GROUP_SIZE)
        seen = [_one_remedy(table[:, :n]) for n in LOOKS]
        paid += int(np.any([wrong(e, look_level(LOOKS[: k + 1])) for k, e in enumerate(seen)], axis=0).sum())
        careless += int(np.any([wrong(e, 0.05) for e in seen], axis=0).sum())
    return {"law": law, "noise": noise, "studies": studies, "paid": paid / studies, "unpaid": careless / studies}


def follow_advice(law: Law, noise: str, studies: int) -> Row:
    """From 6 seeds on as many more as the tool asks for (10, 20 or 40), until it has a verdict or asks for none."""
    rng = np.random.default_rng([7, LAWS.index(law), list(FEW).index(noise)])
    seed_sd, group_sd, both_sd = FEW[noise]
    said, last = 0, []
    for _ in range(studies):
        table = seed_sd * draw(rng, law, (40, 1)) + group_sd * draw(rng, law, (1, GROUPS))
        table = table + both_sd * draw(rng, law, (40, GROUPS)) / np.sqrt(GROUP_SIZE)
        looks: tuple[int, ...] = (6,)
        while True:
            n = looks[-1]
            verdict = judge(
                _one_remedy(table[:n]), level=look_level(looks), next_level=look_level((*looks, 2 * n)),
                larger_is_better=False, margin=None, cases=215,
            )  # fmt: skip
            wanted = verdict.advice.seeds if verdict.advice else None
            if verdict.kind != "cannot say" or wanted is None or n == 40:
                break
            looks = (*looks, min(k for k in (10, 20, 40) if k > n and (k >= wanted or k == 40)))
        said += verdict.kind != "cannot say"
        last.append(looks[-1])
    return {
        "law": law, "noise": noise, "studies": studies, "false_verdict": said / studies,
        "mean_seeds": float(np.mean(last)),
    }  # fmt: skip


# --- onset ----------------------------------------------------------------------------------------------------------

EPOCHS = np.arange(1, 21)
SHAPES: dict[str, Floats] = {
    "V: falls, then rises": 0.3 + 0.03 * np.abs(EPOCHS - 5.3),
    "plateau, then rise": 0.3 + 0.2 * np.exp(-EPOCHS / 1.2) + 0.03 * np.maximum(EPOCHS - 12.4, 0),
    "gentle rise": 0.3 + 0.3 * np.exp(-EPOCHS / 1.5) + 0.0047 * EPOCHS,
    "rises from the first epoch": 0.3 + 0.0217 * EPOCHS,
    "falls to the end": 0.3 + 0.4 * np.exp(-EPOCHS / 5.0),
}
OFFSET_SD, EPOCH_SD = 0.02, 0.01


def _true_noise(law: Law) -> float:
    """What `seed_noise` estimates, from many draws."""
    rng = np.random.default_rng(0)
    return seed_noise(OFFSET_SD * draw(rng, law, (400_000,)) + EPOCH_SD * draw(rng, law, (400_000,)))


def onset_sets(shape: str, law: Law, n: int, studies: int) -> list[Row]:
    """Share of 95 % sets that hold the onset of the mean curve, with the margin given and estimated."""
    rng = np.random.default_rng([8, list(SHAPES).index(shape), LAWS.index(law), n])
    mean, margin = SHAPES[shape], _true_noise(law)
    truth = onset_of(mean, margin)
    rows = []
    for known in (True, False):
        hits, sizes, biases = 0, [], []
        for _ in range(studies):
            noise = OFFSET_SD * draw(rng, law, (n, 1)) + EPOCH_SD * draw(rng, law, (n, len(EPOCHS)))
            found = onset(mean + noise, margin=margin if known else None)
            low = found.low or len(EPOCHS) + 1
            high = found.high or len(EPOCHS) + 1
            hits += low <= (truth or len(EPOCHS) + 1) <= high
            sizes.append(high - low + 1)
            biases.append((found.epoch or len(EPOCHS) + 1) - (truth or len(EPOCHS) + 1))
        rows.append({"shape": shape, "law": law, "seeds": n, "margin": "declared" if known else "estimated",
                     "studies": studies, "onset": truth, "coverage": hits / studies,
                     "mean_size": float(np.mean(sizes)), "bias": float(np.mean(biases))})  # fmt: skip
    return rows


# --- speed ----------------------------------------------------------------------------------------------------------


def speed() -> list[Row]:
    """60 runs x 1,000,000 held-out cases: six variants, ten seeds, binary; on one thread, once."""
    rng, names, cases = np.random.default_rng(9), [f"variant {k}" for k in range(6)], 1_000_000
    y = (rng.random(cases) < 0.05).astype(np.int64)
    p = rng.random((6, 10, cases), dtype=np.float32)
    p = np.clip(0.9 * p**4 + 0.05 * y.astype(np.float32), 1e-4, 1 - 1e-4)
    result = Result.from_predictions(y, {name: p[k] for k, name in enumerate(names)}, task="binary", score="log_loss")
    result.manifest["data"]["training_climatology"] = 0.05
    grouped = replace(result, test=result.test.assign_coords(group=("sample", np.arange(cases) // 100)))
    rows = []
    for label, one, score in (
        ("log loss", result, "log_loss"), ("log loss, 10,000 groups", grouped, "log_loss"),
        ("Brier skill", result, "brier_skill_score"), ("AUC", result, "roc_auc"),
    ):  # fmt: skip
        start = time.perf_counter()
        compare(one, score=score)
        rows.append({"score": label, "runs": 60, "cases": cases, "seconds": time.perf_counter() - start})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [row | {"peak_memory_gib_so_far": peak} for row in rows]


# --- diagnosis ------------------------------------------------------------------------------------------------------


def diagnosis_intervals(law: Law, n: int, studies: int) -> Row:
    """Six variants whose gaps differ from the baseline's by nothing: coverage of the intervals that `diagnose` states.

    `alone` are 95 % intervals of single gaps, against the truth; `told apart` is the share of studies in which any of
    five equal variants is said to differ from the baseline.
    """
    rng, names = np.random.default_rng([10, LAWS.index(law), n]), [f"variant {k}" for k in range(6)]
    held = apart = 0
    for _ in range(studies):
        gaps = {name: 0.3 + 0.05 * draw(rng, law, (n,)) for name in names}
        held += sum(one.low <= 0.3 <= one.high for one in means(gaps).values())
        level = comparison_level(0.05, comparisons=5)
        apart += any(one.low > 0 or one.high < 0 for one in differences(gaps, names[0], level=level).values())
    return {"law": law, "seeds": n, "studies": studies, "alone": held / studies / 6, "told_apart": apart / studies}


def shift_alarms(studies: int) -> Row:
    """How often the audit reports a shift of classes where all splits are drawn from one law."""
    rng, alarms = np.random.default_rng(11), 0
    for _ in range(studies):
        counts = {name: rng.multinomial(size, (0.5, 0.3, 0.2)) for name, size in (("train", 400), ("test", 200))}
        answers = {name: {"labels": [0, 1, 2], "counts": list(map(int, one))} for name, one in counts.items()}
        blank = Result.from_histories({"a": [{"loss": [1.0]}]}, task="multiclass")
        told = {**blank.manifest, "data": {"audit": {"answers": answers}}}
        alarms += "GG324" in audit(replace(blank, manifest=told)).codes
    return {"studies": studies, "alarms": alarms / studies}


# --- all of it ------------------------------------------------------------------------------------------------------

Part = Literal[
    "speed", "end_to_end", "power", "equivalence", "fixed_looks", "follow_advice", "onset", "diagnosis", "audit",
    "families", "which_t", "scarce_events", "rare_skill", "one_training_set",
    "more_cases",
]  # fmt: skip


def measure(part: Part, studies: int, cores: int) -> Any:
    """Measure one part of the page."""
    with ProcessPoolExecutor(1 if part == "speed" else cores) as pool:
        if part == "families":
            return families(pool, studies)
        jobs: list[Any] = {
            "speed": lambda: [pool.submit(speed)],
            "end_to_end": lambda: [pool.submit(end_to_end, max(studies // 20, 10))],
            "power": lambda: [pool.submit(power, studies)],
            "equivalence": lambda: [pool.submit(equivalence, studies)],
            "fixed_looks": lambda: [pool.submit(fixed_looks, law, noise, studies) for law in LAWS for noise in FEW],
            "follow_advice": lambda: [
                pool.submit(follow_advice, law, noise, studies // 20) for law in LAWS for noise in FEW
            ],
            "onset": lambda: [
                pool.submit(onset_sets, shape, law, n, studies // 20)
                for shape in SHAPES
                for law in LAWS
                for n in (6, 10, 20)
            ],
            "diagnosis": lambda: [
                pool.submit(diagnosis_intervals, law, n, studies // 20) for law in LAWS for n in SEEDS
            ],
            "audit": lambda: [pool.submit(shift_alarms, studies // 20)],
            "which_t": lambda: [pool.submit(which_t, law, ratio, studies) for law in LAWS for ratio in RATIOS],
            "scarce_events": lambda: [
                pool.submit(scarce_events, law, events, studies // 40) for law in LAWS for events in EVENTS
            ],
            "rare_skill": lambda: [
                pool.submit(rare_skill, forecasts, rate, cases, studies // 20)
                for rate, cases in RARE
                for forecasts in FORECASTS
            ],
            "more_cases": lambda: [pool.submit(more_cases, k, studies // 200) for k in range(4)],
            "one_training_set": lambda: [pool.submit(one_training_set, n, studies // 20) for n in TRAINING_CASES],
        }[part]()
        results = [job.result() for job in jobs]
    if part in (
        "fixed_looks", "follow_advice", "diagnosis", "which_t", "scarce_events", "rare_skill", "one_training_set",
        "more_cases",
    ):  # fmt: skip
        return results
    return [row for rows in results for row in rows] if part == "onset" else results[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20_000, help="studies of every kind; fewer where they are slow")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time")
    parser.add_argument("--page", action="store_true", help="only write the page from the numbers that there are")
    parser.add_argument("--only", nargs="+", choices=get_args(Part), help="measure some parts, keep the rest")
    chosen = parser.parse_args()
    parts: tuple[Part, ...] = () if chosen.page else tuple(chosen.only or get_args(Part))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(RESULTS.read_text()) if chosen.page or chosen.only else {"measured": {}}
    for part in parts:
        start = time.perf_counter()
        found |= {"machine": machine(), part: measure(part, chosen.studies, chosen.cores)}
        seconds = round(time.perf_counter() - start, 1)
        found["measured"][part] = {"studies": chosen.studies, "seconds": seconds, "cores": chosen.cores}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{part}: {seconds} s", flush=True)
    print(write_page(found))


if __name__ == "__main__":
    main()
