"""Simulations with known truth: intervals cover what they claim, bands hold what they promise."""

import numpy as np
import pytest

import gengap.verification as gv


def study(rng, n, *, grouped=False):
    """Forecasts overconfident by half on the log-odds scale; errors shared within groups of ten where grouped."""
    signal = rng.normal(size=n)
    shared = np.repeat(rng.normal(size=n // 10), 10) if grouped else 0.0
    truth = 1 / (1 + np.exp(-(-1 + 1.2 * signal + 0.8 * shared)))
    return (rng.random(n) < truth).astype(float), 1 / (1 + np.exp(-(-1 + 1.8 * signal)))


def share_covered(score, n, *, grouped, ignore_groups=False, studies=300):
    y, p = study(np.random.default_rng(0), 1_000_000, grouped=grouped)
    truth = gv.score_interval(y, p, score=score).value
    groups = np.arange(n) // 10 if grouped and not ignore_groups else None
    hits = []
    for seed in range(studies):
        y, p = study(np.random.default_rng([seed, 7]), n, grouped=grouped)
        found = gv.score_interval(y, p, score=score, groups=groups)
        hits.append(found.low <= truth <= found.high)
    return np.mean(hits)


def scores():
    """Every score with cases in groups or without, in turn; the other when there is time."""
    for place, score in enumerate(["brier_score", "brier_skill_score", "roc_auc", "peirce_skill_score", "log_loss"]):
        for grouped in (False, True):
            yield pytest.param(score, grouped, marks=pytest.mark.slow if grouped == place % 2 else ())


@pytest.mark.parametrize(("score", "grouped"), list(scores()))
def test_intervals_cover_what_they_claim(score, grouped):
    # 300 studies: standard error .013 at .95
    assert 0.91 <= share_covered(score, 200, grouped=grouped) <= 0.995


def test_intervals_that_ignore_groups_do_not():
    assert share_covered("brier_score", 1000, grouped=True, ignore_groups=True) < 0.93


def test_a_peirce_score_without_misses_is_not_certain_of_its_detection():
    # one label's influences are all zero here; two-sided coverage fell to .65 before its parts were combined
    y, p = np.array([1] * 5 + [0] * 95), np.array([0.9] * 5 + [0.1] * 85 + [0.9] * 10)
    found = gv.score_interval(y, p, score="peirce_skill_score")
    detection = gv.score_interval(y, p, score="probability_of_detection")
    assert found.value - found.low > detection.value - detection.low > 0.3
    tied = gv.score_interval(y, p, score="peirce_skill_score", groups=np.arange(100) // 10)
    assert tied.low < found.value < 1


def test_consistency_bands_hold_calibrated_forecasts():
    pointwise, everywhere = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p = rng.beta(1, 2, 300)
        y = rng.random(300) < p
        curve = gv.reliability_curve(y, p, seed=seed, resamples=100)
        pointwise.append(np.mean((curve.low <= curve.frequency) & (curve.frequency <= curve.high)))
        curve = gv.reliability_curve(y, p, seed=seed, resamples=100, coverage="simultaneous")
        everywhere.append(((curve.low <= curve.frequency + 1e-12) & (curve.frequency <= curve.high + 1e-12)).all())
    assert np.mean(pointwise) == pytest.approx(0.95, abs=0.025)
    assert np.mean(everywhere) == pytest.approx(0.95, abs=0.05)


def test_the_roc_band_holds_the_true_curve():
    y, p = study(np.random.default_rng(0), 1_000_000)
    curve = gv.roc_curve(y, p)
    grid = np.linspace(0, 1, 101)[10:91]
    truth = np.interp(grid, curve.probability_of_false_detection, curve.probability_of_detection)
    inside = []
    for seed in range(60):
        y, p = study(np.random.default_rng([seed, 3]), 400)
        band = gv.roc_band(y, p, replicates=200, seed=seed)
        inside.append(np.mean((band.low[10:91] <= truth) & (truth <= band.high[10:91])))
    assert 0.94 <= np.mean(inside) <= 0.995  # the wider of two intervals covers a little more than asked
    alone = gv.roc_band([1, 1], [0.1, 0.2], replicates=5)
    assert np.isnan(alone.low).all()


def test_consistency_bars_hold_calibrated_bins():
    shares = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        p = rng.random(500)
        table = gv.reliability_bins(rng.random(500) < p, p)
        low, high = gv.consistency_bars(table)
        shares.append(np.mean((low <= table.frequency + 1e-12) & (table.frequency <= high + 1e-12)))
    assert 0.94 <= np.mean(shares) <= 0.98  # counts are whole numbers: a little more than asked
