"""Simulated studies of what is scarce: events under an AUC or a skill score, and training sets, of which there is one.

Parts of `make bench-statistics`; every share is a count of studies whose truth is known.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import expit

import gengap.verification as gv
from gengap.analysis.comparison.contrasts import Pairs, estimates_with_skewness, pair
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.looks import look_level
from gengap.verification.discrimination import linear_roc_auc
from gengap.verification.estimates import estimate
from gengap.verification.inputs import binary_cases, label_cases
from gengap.verification.probability import linear_brier_skill_score
from resampling_learners import Variant, linear
from simulated_results import LAWS, Floats, Law, draw
from small_networks import trained

Row = dict[str, Any]

# --- AUC of few events ----------------------------------------------------------------------------------------------

EVENTS = (2, 3, 4, 5, 10, 20, 50)
SEEDS = 10
CASES = 1_000


def scarce_events(law: Law, events: int, studies: int) -> Row:
    """Two exchangeable forecasters of 1,000 cases: false verdicts on AUC, and how long the interval is.

    Cases and seeds of either forecaster are drawn anew; `as_all_cases` takes the degrees of freedom from all cases.
    """
    rng = np.random.default_rng([20, LAWS.index(law), events])
    y = (np.arange(CASES) < events).astype(np.float64)
    said, lengths = {True: 0, False: 0}, []
    for _ in range(studies):
        signal = 1.5 * y + draw(rng, law, (2, 1, CASES)) + 0.5 * rng.standard_normal((2, SEEDS, CASES))
        one, other = (_areas(y, runs) for runs in signal)
        for few in said:
            pairs = pair("a", "best", one, other, new_cases=True, carriers=y == 1 if few else None)
            low, high = _interval(pairs, look_level((SEEDS,)))
            said[few] += low > 0 or high < 0
            if few:
                lengths.append(high - low)
    return {
        "law": law, "events": events, "cases": CASES, "seeds": SEEDS, "studies": studies,
        "false_verdict": said[True] / studies, "as_all_cases": said[False] / studies,
        "length": float(np.median(lengths)),
    }  # fmt: skip


def _areas(y: Floats, runs: Floats) -> Floats:
    linear = [linear_roc_auc(label_cases(y, one)) for one in runs]
    return np.stack([one.value + one.influence for one in linear])


def _interval(pairs: Pairs, level: float) -> tuple[float, float]:
    (found,) = estimates_with_skewness([pairs])
    assert found is not None
    low, high = limits(found, level)
    return float(low), float(high)


# --- Brier skill of rare events -------------------------------------------------------------------------------------

FORECASTS = {
    "calibrated": (1.2, 1.2),
    "calibrated, sharp": (2.5, 2.5),
    "overconfident": (1.2, 1.8),
    "underconfident": (1.8, 0.9),
    "without skill": (0.0, 0.8),
}
"""How far a standard deviation of the signal moves the log-odds of the truth and of the forecast."""
RARE = ((0.001, 6_000), (0.003, 2_000), (0.003, 20_000), (0.01, 500), (0.01, 2_000), (0.01, 10_000), (0.05, 200),
        (0.05, 1_000), (0.2, 50), (0.5, 50))  # fmt: skip
"""Base rates and numbers of cases."""


@lru_cache
def _centre(truth: float, rate: float) -> float:
    """Log-odds that give the base rate, by quadrature over the normal law."""
    z = np.linspace(-8, 8, 4001)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    low, high = -20.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if weight @ expit(middle + truth * z) > rate else (middle, high)
    return low


def _true_skill(forecasts: str, rate: float) -> float:
    truth, said = FORECASTS[forecasts]
    z = np.linspace(-8, 8, 40_001)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    centre = _centre(truth, rate)
    chance, p = expit(centre + truth * z), expit(centre + said * z)
    return float(1 - weight @ (chance * (1 - p) ** 2 + (1 - chance) * p**2) / (rate * (1 - rate)))


def rare_skill(forecasts: str, rate: float, cases: int, studies: int) -> Row:
    """Coverage of the 95 % interval of the Brier skill score, in all and where it carries no caution.

    `from_influences` is what the interval covers without the variance that the forecasts lead one to expect.
    """
    truth, said = FORECASTS[forecasts]
    rng, centre, skill = np.random.default_rng([21, cases]), _centre(truth, rate), _true_skill(forecasts, rate)
    inside, calm, plain = [], [], []
    for _ in range(studies):
        signal = rng.standard_normal(cases)
        y, p = (rng.random(cases) < expit(centre + truth * signal)).astype(np.float64), expit(centre + said * signal)
        if y.min() == y.max():
            continue
        found = gv.score_interval(y, p, score="brier_skill_score")
        alone = estimate(linear_brier_skill_score(binary_cases(y, p)), scale="skill")
        inside.append(found.low <= skill <= found.high)
        calm.append(not found.caution)
        plain.append(alone.low <= skill <= alone.high)
    held, quiet = np.array(inside), np.array(calm)
    return {
        "forecasts": forecasts, "rate": rate, "cases": cases, "studies": len(held), "skill": skill,
        "coverage": float(held.mean()), "calm": float(quiet.mean()), "calm_studies": int(quiet.sum()),
        "calm_coverage": float(held[quiet].mean()) if quiet.any() else None, "from_influences": float(np.mean(plain)),
    }  # fmt: skip


# --- one training set -----------------------------------------------------------------------------------------------

TRAINING_CASES = (50, 100, 200, 400)
RUNS, HELD_OUT, FEATURES = 10, 1_000, 20


def one_training_set(training: int, studies: int) -> Row:
    """Two treatments that are equal on average over training sets: how often a study of a single one holds a verdict.

    Ridge regression on twenty features; the baseline penalizes the first ten and the treatment the last ten, which have
    the same true coefficients, so that the two are one in law. A run sees a random four fifths of the training set.
    `new_training_set` gives every run a training set of its own: the claim about training sets in general.
    """
    rng = np.random.default_rng([22, training])
    half = np.linspace(0.1, 0.5, FEATURES // 2)
    beta, said = np.tile(half, 2), {"one": 0, "new": 0}
    for _ in range(studies):
        held_out = _cases(rng, HELD_OUT, beta)
        x, y = _cases(rng, training, beta)
        kept = [rng.permutation(training)[: 4 * training // 5] for _ in range(RUNS)]
        anew = [_cases(rng, 4 * training // 5, beta) for _ in range(RUNS)]
        for name, sets in (("one", [(x[at], y[at]) for at in kept]), ("new", anew)):
            baseline, treated = _losses(sets, held_out)
            low, high = _interval(pair("a", "best", treated, baseline, new_cases=True), look_level((RUNS,)))
            said[name] += low > 0 or high < 0
    return {
        "training_cases": training, "seeds": RUNS, "studies": studies,
        "verdict": said["one"] / studies, "new_training_sets": said["new"] / studies,
    }  # fmt: skip


def _cases(rng: np.random.Generator, n: int, beta: Floats) -> tuple[Floats, Floats]:
    x = rng.standard_normal((n, FEATURES))
    return x, x @ beta + rng.standard_normal(n)


def _losses(sets: list[tuple[Floats, Floats]], held_out: tuple[Floats, Floats]) -> Iterator[Floats]:
    """Yield squared errors of every run and held-out case with the first and with the last features penalized."""
    x, y = held_out
    first = np.arange(FEATURES) < FEATURES // 2
    for penalized in (first, ~first):
        yield np.stack([(x @ _ridge(a, b, penalized) - y) ** 2 for a, b in sets])


def _ridge(x: Floats, y: Floats, penalized: Any) -> Floats:
    return np.asarray(np.linalg.solve(x.T @ x + np.diag(np.where(penalized, 0.2 * len(x), 1e-3)), x.T @ y))


# --- one training set and ever more cases -----------------------------------------------------------------------------

MORE_CASES = (1_000, 2_000, 10_000)
NETWORK_TRAINING, NETWORK_EPOCHS, NETWORK_PENALTY = 200, 30, 0.05


def more_cases(stream: int, studies: int) -> Row:
    """Small networks with two treatments that are equal on average over training sets, judged on more and more cases.

    Twenty features in four blocks whose true coefficients are the same; the baseline has an L2 penalty on the weights
    of the first two blocks, the treatment on those of the others. Counts of studies that hold a verdict.
    """
    rng = np.random.default_rng([23, stream])
    said = dict.fromkeys(MORE_CASES, 0)
    for _ in range(studies):
        training, held_out = linear(rng, NETWORK_TRAINING), linear(rng, MORE_CASES[-1])
        penalty = [Variant(blocks, 0.0).over_features(NETWORK_PENALTY, 0.0) for blocks in ((0, 1), (2, 3))]
        networks = trained(
            np.repeat(training.x[None], 2 * RUNS, axis=0), np.repeat(training.y[None], 2 * RUNS, axis=0),
            penalty=np.repeat(penalty, RUNS, axis=0), seeds=np.tile(rng.integers(2**40, size=RUNS), 2),
            epochs=NETWORK_EPOCHS,
        )  # fmt: skip
        losses = (networks(held_out.x) - held_out.y) ** 2
        for cases in said:
            baseline, treated = losses[:RUNS, :cases], losses[RUNS:, :cases]
            low, high = _interval(pair("a", "best", treated, baseline, new_cases=True), look_level((RUNS,)))
            said[cases] += low > 0 or high < 0
    return {"studies": studies, "said": {str(cases): int(count) for cases, count in said.items()}}
