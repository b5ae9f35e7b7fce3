"""Intervals of the Brier skill score where events are rare: they cover, or they say that they may not."""

import numpy as np
import pytest
from scipy.special import expit

import gengap.verification as gv

# centre of the log-odds, and factors of the signal in truth and forecast
CALIBRATED = {0.01: (-5.2, 1.2, 1.2), 0.003: (-6.45, 1.2, 1.2)}
UNDERCONFIDENT = {0.01: (-5.9, 1.8, 0.9), 0.003: (-7.25, 1.8, 0.9)}


def draw(world, shape, rng):
    centre, truth, forecast = world
    signal = rng.normal(size=shape)
    return (rng.random(shape) < expit(centre + truth * signal)).astype(float), expit(centre + forecast * signal)


def true_skill(world):
    y, p = draw(world, 2_000_000, np.random.default_rng(0))
    return gv.brier_skill_score(y, p)


@pytest.mark.parametrize(
    ("world", "cases"),
    [(CALIBRATED[0.01], 500), (UNDERCONFIDENT[0.01], 500), (CALIBRATED[0.003], 2000), (CALIBRATED[0.01], 2000)],
)
def test_they_cover_or_carry_a_caution(world, cases):
    """Calibrated forecasts of 5 events had 92 % in all, 69 % where nothing was said."""
    truth, rng = true_skill(world), np.random.default_rng(1)
    inside, calm = [], []
    for y, p in zip(*draw(world, (300, cases), rng), strict=True):
        if not y.any():
            continue
        found = gv.score_interval(y, p, score="brier_skill_score")
        inside.append(found.low <= truth <= found.high)
        calm.append(not found.caution)
    assert np.mean(inside) > 0.91  # nominal .95, 300 studies
    assert not any(calm) or np.mean(np.array(inside)[calm]) > 0.93


def test_the_caution_says_how_few_and_common_events_need_less():
    rng = np.random.default_rng(2)
    y = np.zeros(2000)
    y[:20] = 1
    p = np.clip(0.01 + 0.02 * rng.random(2000) + 0.1 * y * rng.random(2000), 0, 1)
    assert gv.score_interval(y, p, score="brier_skill_score").caution.startswith("only 20 events")
    assert gv.score_interval(1 - y, 1 - p, score="brier_skill_score").caution.startswith("only 20 non-events")
    assert gv.score_interval(y, p, score="brier_score").caution == ""
    assert gv.score_interval(y[:200], p[:200], score="brier_skill_score").caution == ""  # one in ten


def test_with_many_events_it_is_the_interval_from_influences():
    rng = np.random.default_rng(3)
    y, p = draw((0.0, 1.2, 1.8), 20_000, rng)
    found = gv.score_interval(y, p, score="brier_skill_score")
    remains = 1 - found.value
    half = 1.96 * found.standard_error
    assert found.low == pytest.approx(1 - remains * np.exp(half / remains), abs=0.01 * half)
    assert found.high == pytest.approx(1 - remains * np.exp(-half / remains), abs=0.01 * half)


def test_groups_are_never_taken_for_independent_cases():
    """The model knows nothing of groups: it may lengthen an interval, but not shorten it."""
    rng = np.random.default_rng(4)
    y, p = (np.repeat(one, 10) for one in draw(CALIBRATED[0.01], 300, rng))
    y[:50] = 1
    groups = np.arange(len(y)) // 10
    grouped = gv.score_interval(y, p, score="brier_skill_score", groups=groups)
    alone = gv.score_interval(y, p, score="brier_skill_score")
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("weights", [None, np.r_[np.full(100, 0.5), np.full(100, 3.0)]])
def test_weights_and_a_given_climatology(weights):
    rng = np.random.default_rng(5)
    y, p = draw((-1.0, 1.2, 1.8), 200, rng)
    for climatology in (None, 0.3):
        found = gv.score_interval(y, p, score="brier_skill_score", sample_weight=weights, climatology=climatology)
        assert found.low < found.value < found.high <= 1
        swapped = gv.score_interval(
            1 - y,
            1 - p,
            score="brier_skill_score",
            sample_weight=weights,
            climatology=None if climatology is None else 1 - climatology,
        )
        assert (swapped.low, swapped.high) == pytest.approx((found.low, found.high), rel=1e-6)
    if weights is not None:
        scaled = gv.score_interval(y, p, score="brier_skill_score", sample_weight=7 * weights)
        plain = gv.score_interval(y, p, score="brier_skill_score", sample_weight=weights)
        assert (scaled.low, scaled.high) == pytest.approx((plain.low, plain.high))


def test_forecasts_of_nothing_but_0_and_1_and_cases_of_one_label():
    y = np.array([0.0] * 30 + [1.0] * 5)
    certain = np.where(np.arange(35) < 28, 0.0, 1.0)
    found = gv.score_interval(y, certain, score="brier_skill_score")
    assert np.isfinite([found.low, found.high]).all()
    none = gv.score_interval(np.zeros(30), np.linspace(0, 0.2, 30), score="brier_skill_score", climatology=0.1)
    assert np.isfinite([none.low, none.high]).all()
    assert none.low < none.value < none.high
