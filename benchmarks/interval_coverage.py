"""What intervals and bands of `gengap.verification` cover, in simulated studies whose truth is known.

Run by `benchmarks/verification.py`; every row says the interval, the setting, how many studies gave one, how many gave
none, the share that covers the truth, and the same share for the studies whose output carried no caution.
"""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from scipy.stats import norm

import gengap.verification as gv

ROWS = list[dict[str, Any]]

GROUP_SIZE = 10
CONTINGENCY = tuple(get_args(gv.ContingencyScore))
BINARY = ("brier_score", "log_loss", "brier_skill_score", "roc_auc", *CONTINGENCY)
DIFFERENCES = ("brier_score", "log_loss", "brier_skill_score", "roc_auc")


class Tally:
    """Which studies covered, by interval, and which of them were cautioned."""

    def __init__(self) -> None:
        self.hits: dict[str, list[float]] = {}
        self.cautioned: dict[str, list[bool]] = {}

    def add(self, interval: str, low: float, high: float, truth: float, *, caution: bool = False) -> None:
        """Note whether an interval covers; one from NaN to NaN is none."""
        missing = bool(np.isnan(low))
        self.hits.setdefault(interval, []).append(np.nan if missing else float(low <= truth <= high))
        self.cautioned.setdefault(interval, []).append(caution)

    def rows(self, **common: Any) -> ROWS:
        """Return the shares."""
        found = []
        for name, hits in self.hits.items():
            inside, cautioned = np.asarray(hits), np.asarray(self.cautioned[name])
            given = ~np.isnan(inside)
            calm = given & ~cautioned
            found.append(common | {
                "interval": name, "studies": int(given.sum()), "without_interval": int((~given).sum()),
                "coverage": float(inside[given].mean()) if given.any() else None,
                "studies_without_caution": int(calm.sum()),
                "coverage_without_caution": float(inside[calm].mean()) if calm.any() else None,
            })  # fmt: skip
        return found


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
    """Return the threshold of a contingency score: the base rate."""
    return {"threshold": base_rate} if score in CONTINGENCY else {}


def value(score: str, y: Any, p: Any, **more: float) -> float:
    """Return a score, by the quickest way."""
    if score in CONTINGENCY:
        return float(gv.contingency(y, p, **more).score(score))  # type: ignore[arg-type]
    return float(getattr(gv, score)(y, p, **more))


def binary_coverage(studies: Mapping[int, int], base_rate: float, *, grouped: bool) -> ROWS:
    """Coverage of `score_interval` and `score_difference`, nominal .95."""
    y, p, other, _ = study(np.random.default_rng(10), 2_000_000, base_rate, grouped=grouped)
    truth = {s: value(s, y, p, **options(s, base_rate)) for s in BINARY}
    gap = {s: truth[s] - value(s, y, other) for s in DIFFERENCES}
    rows: ROWS = []
    for n, repetitions in studies.items():
        tally = Tally()
        for seed in range(repetitions):
            y, p, other, day = study(np.random.default_rng([n, seed]), n, base_rate, grouped=grouped)
            groups = day if grouped else None
            for s in BINARY:
                found = gv.score_interval(y, p, score=s, groups=groups, **options(s, base_rate))
                tally.add(s, found.low, found.high, truth[s], caution=bool(found.caution))
            for s, expected in gap.items():
                found = gv.score_difference(y, p, other, score=s, groups=groups)
                tally.add(f"difference of {s}", found.low, found.high, expected, caution=bool(found.caution))
            if grouped:
                found = gv.score_interval(y, p, score="brier_score")
                tally.add("brier_score, groups ignored", found.low, found.high, truth["brier_score"])
        rows += tally.rows(base_rate=base_rate, grouped=grouped, cases=n)
    return rows


def _real(rng: np.random.Generator, n: int, *, grouped: bool) -> dict[str, tuple[Any, Any, dict[str, float]]]:
    """Observations, forecasts and options by score: an ensemble, its pieces, and three ordered labels made of it."""
    shared = np.repeat(rng.normal(size=-(-n // GROUP_SIZE)), GROUP_SIZE)[:n] if grouped else np.zeros(n)
    y = rng.normal(size=n)
    members = y[:, None] + 0.7 * rng.normal(size=(n, 8)) + 0.5 * shared[:, None]
    edges = (-0.5, 0.5)
    counts = np.stack([(np.digitize(members, edges) == k).sum(axis=1) for k in range(3)], axis=1)
    return {
        "crps_ensemble": (y, members, {}),
        "squared_error": (y, members[:, 0], {}),
        "absolute_error": (y, members[:, 0], {}),
        "squared_error_skill_score": (y, members[:, 0], {}),
        "quantile_score": (y, members.mean(axis=1) - 0.4, {"quantile": 0.3}),
        "interval_score": (y, np.sort(members, axis=1)[:, [0, -1]], {"coverage": 0.8}),
        "ranked_probability_score": (np.digitize(y, edges), (counts + 1) / 11, {}),
    }


def real_coverage(studies: Mapping[int, int]) -> ROWS:
    """Coverage for forecasts of a real number and of ordered labels, errors shared within groups where grouped."""
    rows: ROWS = []
    for grouped in (False, True):
        whole = _real(np.random.default_rng(20), 1_000_000, grouped=grouped)
        truth = {s: value(s, y, p, **more) for s, (y, p, more) in whole.items()}
        for n, repetitions in studies.items():
            tally = Tally()
            for seed in range(repetitions):
                groups = np.arange(n) // GROUP_SIZE if grouped else None
                for s, (y, p, more) in _real(np.random.default_rng([n, seed, 1]), n, grouped=grouped).items():
                    found = gv.score_interval(y, p, score=s, groups=groups, **more)
                    tally.add(s, found.low, found.high, truth[s], caution=bool(found.caution))
            rows += tally.rows(grouped=grouped, cases=n)
    return rows


def bootstrap_coverage(studies: Mapping[int, int]) -> ROWS:
    """Coverage of the percentile bootstrap, nominal .95, over cases and groups."""
    rows: ROWS = []
    scores = ("roc_auc", "brier_skill_score")
    for base_rate in (0.5, 0.05):
        for grouped in (False, True):
            y, p, *_ = study(np.random.default_rng(10), 2_000_000, base_rate, grouped=grouped)
            truth = {s: value(s, y, p) for s in scores}
            for n, repetitions in studies.items():
                tally = Tally()
                for seed in range(repetitions):
                    y, p, _, day = study(np.random.default_rng([n, seed]), n, base_rate, grouped=grouped)
                    if 0 < y.sum() < n:
                        found = gv.bootstrap_scores(
                            y, p, scores=scores, replicates=400, groups=day if grouped else None
                        )
                        for s in scores:
                            tally.add(s, *found[s].interval(), truth[s])
                rows += tally.rows(base_rate=base_rate, grouped=grouped, cases=n)
    return rows


def calibrated(n: int, base_rate: float, seed: int, *, grouped: bool) -> tuple[Any, Any, Any]:
    """Calibrated forecasts of outcomes that within groups tend to come true or fail together; and the groups."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2 * base_rate, 2 * (1 - base_rate), n)
    groups = np.arange(n) // GROUP_SIZE
    shared = np.repeat(rng.normal(size=-(-n // GROUP_SIZE)), GROUP_SIZE)[:n]
    own = rng.normal(size=n)
    chance = norm.cdf(np.sqrt(0.4) * shared + np.sqrt(0.6) * own) if grouped else rng.random(n)
    return (chance < p).astype(np.int64), p, groups


def band_coverage(studies: Mapping[int, int], base_rate: float, *, grouped: bool) -> ROWS:
    """Bands: calibrated forecasts' curves in consistency bands; the true ROC curve in its confidence band."""
    y, p, _ = calibrated(2_000_000, base_rate, 3, grouped=False)
    roc = gv.roc_curve(y, p)
    grid = np.linspace(0, 1, 101)
    true_roc = np.interp(grid, roc.probability_of_false_detection, roc.probability_of_detection)
    rows: ROWS = []
    for n, repetitions in studies.items():
        share: dict[str, list[float]] = {}
        for seed in range(repetitions):
            y, p, groups = calibrated(n, base_rate, 100 + seed, grouped=grouped)
            if 0 < y.sum() < n:
                for name, inside in _bands(y, p, groups if grouped else None, true_roc, seed).items():
                    share.setdefault(name, []).append(float(inside))
        rows += [
            {"base_rate": base_rate, "grouped": grouped, "cases": n, "interval": name, "studies": len(values),
             "coverage": float(np.mean(values))}
            for name, values in share.items()
        ]  # fmt: skip
    return rows


def _bands(y: Any, p: Any, groups: Any, true_roc: Any, seed: int) -> dict[str, float]:
    """Return the share of each band that holds what it should: of its places, or 0 or 1 where it is simultaneous."""

    def held(low: Any, value: Any, high: Any) -> Any:
        return (low <= value + 1e-12) & (value <= high + 1e-12)

    found: dict[str, float] = {}
    for coverage in ("pointwise", "simultaneous"):
        curve = gv.reliability_curve(y, p, coverage=coverage, seed=seed)
        hit = held(curve.low, curve.frequency, curve.high)
        found[f"reliability_curve, {coverage}"] = hit.all() if coverage == "simultaneous" else hit.mean()
    table = gv.reliability_bins(y, p)
    low, high = gv.consistency_bars(table)
    found["consistency_bars, pointwise"] = held(low, table.frequency, high)[table.weight > 0].mean()
    band = gv.roc_band(y, p, groups=groups, replicates=200, seed=seed)
    found["roc_band, pointwise, false detection .05 to .95"] = held(band.low, true_roc, band.high)[5:96].mean()
    if groups is None:
        x = np.random.default_rng(seed).normal(size=(len(y), 10))
        ranks = gv.rank_histogram(x[:, 0], x[:, 1:])
        found["rank_histogram, pointwise"] = held(ranks.low, ranks.counts, ranks.high).mean()
        pit = gv.pit_histogram(gv.ensemble_pit(x[:, 0], x[:, 1:]))
        found["pit_histogram, pointwise"] = held(pit.low, pit.frequency, pit.high).mean()
    return found
