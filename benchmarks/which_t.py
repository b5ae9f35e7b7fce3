"""Which t: the tool's intervals beside Cochran's t and others that are in the literature, where seeds dominate.

A part of `make bench-statistics`. Eight remedies that share a baseline, ten seeds, 25,000 cases; the seeds' noise of
the baseline is a quarter to four times that of the remedies. Family-wise errors at the level of a first look, and power
at 1.5 paired standard deviations, upwards and downwards.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from gengap.analysis.inference.components import MeanEstimate, from_mean_squares
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.looks import look_level
from gengap.analysis.inference.simultaneous import comparison_level
from gengap.analysis.inference.skewness import l_skewness_error
from simulated_results import LAWS, Floats, Law, draw
from tool_verdicts import as_the_tool_does

Row = dict[str, Any]
RATIOS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Standard deviation of the baseline's seeds in those of a remedy's."""
SEEDS, CASES, COMPARISONS = 10, 25_000, 8
Test = Callable[[Floats], Floats]
"""From differences of seeds `(studies, remedies, seeds)` to p values `(studies, remedies)`."""


def student(values: Floats) -> Floats:
    """Student's t, which is Cochran's where all of the variance comes from seeds."""
    return _two_sided(_ratio(values))


def johnson(values: Floats) -> Floats:
    """Johnson's t, corrected by the third moment that the sample shows.

    Johnson, N. J. (1978). Modified t tests and confidence intervals for asymmetrical populations. JASA 73, 536-544.
    """
    mean, sd, skew = _moments(values)
    n = values.shape[-1]
    return _two_sided(np.sqrt(n) * (mean / sd + skew / (6 * n) + skew * (mean / sd) ** 2 / 3))


def hall(values: Floats) -> Floats:
    """Student's t after Hall's cubic transformation, which is monotone.

    Hall, P. (1992). On the removal of skewness by transformation. JRSS B 54, 221-228.
    """
    mean, sd, skew = _moments(values)
    n, t = values.shape[-1], mean / sd
    return _two_sided(np.sqrt(n) * (t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / (6 * n)))


def sign_flips(values: Floats) -> Floats:
    """Every way of giving signs to the differences: exact where they are symmetric about the truth.

    Pitman, E. J. G. (1937). Significance tests which may be applied to samples from any populations. Supplement to
    JRSS 4, 119-130.
    """
    n = values.shape[-1]
    signs = 1.0 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    found = np.empty(values.shape[:-1])
    for start in range(0, len(values), 200):
        sums = np.abs(values[start : start + 200] @ signs.T)
        found[start : start + 200] = (sums >= sums[..., :1] * (1 - 1e-9)).mean(axis=-1)
    return found


TESTS: dict[str, Test] = {"Cochran": student, "Johnson": johnson, "Hall": hall, "sign flips": sign_flips}


def which_t(law: Law, ratio: float, studies: int) -> Row:
    """Family-wise errors and power of every way, on the same simulated studies."""
    rng = np.random.default_rng([31, LAWS.index(law), RATIOS.index(ratio)])
    level = look_level((SEEDS,))
    sd = np.sqrt(1 + ratio**2)
    treated = draw(rng, law, (studies, COMPARISONS, SEEDS)) / sd
    untreated = ratio * draw(rng, law, (studies, 1, SEEDS)) / sd
    cases = rng.standard_normal((studies, COMPARISONS, 1)) / np.sqrt(CASES)
    values = treated - untreated + cases
    row: Row = {"law": law, "ratio": ratio, "seeds": SEEDS, "comparisons": COMPARISONS, "studies": studies}
    shape = rng.standard_normal((studies, COMPARISONS)) * l_skewness_error(CASES)
    for name, pooled in (("tool", True), ("tool, own pair", False)):
        row[name] = _of_intervals(treated, untreated, values, shape, level, pooled=pooled)
    plain = _plain(values)
    low, high = limits(plain, level / COMPARISONS)
    wide, wider = limits(_judged(plain, treated, untreated, shape, pooled=True), level / COMPARISONS)
    row["length"] = float(np.mean((wider - wide) / (high - low)))
    for name, test in TESTS.items():
        row[name] = {
            "size": float(np.mean(test(values).min(axis=-1) <= level / COMPARISONS)),
            "up": _found(test, values, 1.5, level),
            "down": _found(test, values, -1.5, level),
        }
    return row


def _found(test: Test, values: Floats, difference: float, level: float) -> float:
    """Share of studies in which Holm's procedure finds the one difference among eight."""
    shifted = values.copy()
    shifted[:, 0] += difference
    p = test(shifted)
    rank = np.argsort(np.argsort(p, axis=-1), axis=-1)
    passed = p <= level / (COMPARISONS - rank)
    before = np.where(rank < rank[:, :1], passed, True).all(axis=-1)
    return float(np.mean(passed[:, 0] & before))


def _plain(values: Floats) -> MeanEstimate:
    shape = values.shape[:-1]
    return from_mean_squares(
        values.mean(axis=-1), from_seeds=values.var(axis=-1, ddof=1) / SEEDS, from_units=np.full(shape, 1 / CASES),
        from_both=np.zeros(shape), seeds=SEEDS, units=CASES,
    )  # fmt: skip


def _judged(plain: MeanEstimate, treated: Floats, untreated: Floats, shape: Floats, *, pooled: bool) -> MeanEstimate:
    if pooled:
        return as_the_tool_does(plain, treated, untreated, shape)
    flat = (-1, 1, SEEDS)
    fields = {name: np.reshape(getattr(plain, name), (-1, 1)) for name in ("mean", "from_seeds", "from_units")}
    alone = from_mean_squares(**fields, from_both=np.zeros_like(fields["mean"]), seeds=SEEDS, units=CASES)
    everywhere = np.broadcast_to(untreated, treated.shape)
    return as_the_tool_does(alone, treated.reshape(flat), everywhere.reshape(flat), shape.reshape(-1, 1))


def _of_intervals(
    treated: Floats, untreated: Floats, values: Floats, shape: Floats, level: float, *, pooled: bool
) -> dict[str, float]:
    found = _judged(_plain(values), treated, untreated, shape, pooled=pooled)
    low, high = (
        end.reshape(values.shape[:-1]) for end in limits(found, comparison_level(level, comparisons=COMPARISONS))
    )
    return {
        "size": float(np.mean(((low > 0) | (high < 0)).any(axis=-1))),
        "up": float(np.mean(low[:, 0] + 1.5 > 0)),
        "down": float(np.mean(high[:, 0] - 1.5 < 0)),
    }


def _ratio(values: Floats) -> Floats:
    # the cases' own part, 1 in 25,000 of the seeds', is left out here: Cochran's weights differ from 1 by as much
    return values.mean(axis=-1) / values.std(axis=-1, ddof=1) * np.sqrt(values.shape[-1])


def _two_sided(t: Floats) -> Floats:
    return 2 * special.stdtr(SEEDS - 1.0, -np.abs(t))


def _moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, standard deviation and skewness, the last with Fisher's correction for small samples."""
    mean = values.mean(axis=-1)
    sd, n = values.std(axis=-1, ddof=1), values.shape[-1]
    third = ((values - mean[..., None]) ** 3).sum(axis=-1) * n / ((n - 1) * (n - 2))
    return mean, sd, third / sd**3
