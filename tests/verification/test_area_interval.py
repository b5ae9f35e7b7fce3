"""Intervals of ROC areas and of their differences where events are few."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import gengap.verification as gv

few = settings(max_examples=25, deadline=None)


@st.composite
def cases(draw):
    n = draw(st.integers(3, 40))
    y = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    p = draw(st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.75, 0.9, 1.0]), min_size=n, max_size=n))
    return np.array(y), np.array(p)


@given(drawn=cases(), grouped=st.booleans())
@few
def test_ends_lie_in_the_range_around_the_area_and_swapping_the_labels_changes_nothing(drawn, grouped):
    y, p = drawn
    groups = np.arange(len(y)) // 3 if grouped else None
    found = gv.score_interval(y, p, score="roc_auc", groups=groups)
    if np.isnan(found.low):
        assert len(set(y)) == 1 or (groups is not None and len(set(groups)) == 1)
        return
    assert 0 <= found.low <= found.value <= found.high <= 1
    swapped = gv.score_interval(1 - y, 1 - p, score="roc_auc", groups=groups)
    assert (swapped.low, swapped.high) == pytest.approx((found.low, found.high), abs=1e-9)
    mirrored = gv.score_interval(y, 1 - p, score="roc_auc", groups=groups)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)


def test_groups_of_one_label_each_say_nothing_of_their_spread_and_the_model_does():
    """The influences of a label's cases add up to nothing, but for rounding that differs with the order of sums."""
    y, p = np.repeat([0, 1], 3), np.array([0, 0, 0.1, 0, 0, 0.3])
    found = gv.score_interval(y, p, score="roc_auc", groups=y)
    mirrored = gv.score_interval(y, 1 - p, score="roc_auc", groups=y)
    assert found.standard_error == mirrored.standard_error == 0
    assert found.high - found.low > 0.5
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_with_many_events_it_is_delongs_interval():
    rng = np.random.default_rng(0)
    y = np.arange(20_000) % 2
    p = y + rng.normal(size=20_000)
    found = gv.score_interval(y, p, score="roc_auc")
    half = 1.96 * found.standard_error
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.02 * half)
    other = p + rng.normal(size=20_000)
    difference = gv.score_difference(y, p, other, score="roc_auc")
    half = 1.96 * difference.standard_error
    assert difference.low == pytest.approx(difference.value - half, abs=0.02 * half)


def test_weights_count_as_so_many_cases_at_most():
    rng = np.random.default_rng(1)
    y, p = (np.arange(60) % 3 == 0).astype(int), rng.random(60)
    even = gv.score_interval(y, p, score="roc_auc")
    scaled = gv.score_interval(y, p, score="roc_auc", sample_weight=np.full(60, 7.0))
    assert (scaled.low, scaled.high) == pytest.approx((even.low, even.high))
    uneven = gv.score_interval(y, p, score="roc_auc", sample_weight=np.where(np.arange(60) < 12, 30.0, 1.0))
    assert uneven.high - uneven.low > 1.2 * (even.high - even.low)


@pytest.mark.parametrize(
    ("shift", "grouped"),
    [
        *((0.5, True), (1.2, False), (2.5, True)),
        *(pytest.param(*given, marks=pytest.mark.slow) for given in ((0.5, False), (1.2, True), (2.5, False))),
    ],
)
def test_they_cover_with_two_or_three_events(shift, grouped):
    # the interval from influences alone covered .89 to .95 of such areas and .75 to .9 of such differences
    truth, worse = norm.cdf(shift / np.sqrt(2)), norm.cdf(shift / np.sqrt(3))
    hits, differences = [], []
    for seed in range(400):
        rng = np.random.default_rng([seed, 3])
        y = (rng.random(50) < 0.05).astype(int)
        if not 0 < y.sum() < 50:
            continue
        p = shift * y + rng.normal(size=50)
        other = p + rng.normal(size=50)
        groups = np.arange(50) // 5 if grouped else None
        found = gv.score_interval(y, p, score="roc_auc", groups=groups)
        hits.append(found.low <= truth <= found.high)
        found = gv.score_difference(y, p, other, score="roc_auc", groups=groups)
        if not np.isnan(found.low):
            differences.append(found.low <= truth - worse <= found.high)
    assert np.mean(hits) >= 0.93
    assert np.mean(differences) >= 0.92
    assert len(hits) > 350


@pytest.mark.parametrize("groups", [None, np.arange(60) // 3])
def test_a_perfect_area_of_cases_of_unequal_weight_has_an_interval_whatever_their_sums_round_to(groups):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y, weight = np.arange(60) % 3 // 2, rng.uniform(0.5, 2, 60)
        p = 0.5 * y + 0.4 * rng.random(60)
        perfect, worst = (
            gv.score_interval(y, sign * p, score="roc_auc", sample_weight=weight, groups=groups) for sign in (1, -1)
        )
        assert (perfect.value, perfect.high, worst.value, worst.low) == (1.0, 1.0, 0.0, 0.0)
        assert perfect.low < 0.85
        assert worst.high > 0.15


def test_caution_names_what_is_too_few():
    y, p = np.array([1, 1, *[0] * 48]), np.random.default_rng(2).random(50)
    assert gv.score_interval(y, p, score="roc_auc").caution == "only 2 events: may cover less than it claims"
    day = np.arange(50) // 10
    assert gv.score_interval(1 - y, p, score="brier_score", groups=day).caution == (
        "only 2 non-events and 5 groups: may cover less than it claims"
    )
    once = (np.arange(200) // 10 == 3).astype(int)  # ten events of one day of twenty are one chance to err
    found = gv.score_interval(once, np.linspace(0, 1, 200), score="roc_auc", groups=np.arange(200) // 10)
    assert found.caution == "only 1 group with events: may cover less than it claims"
    assert gv.score_interval([1.0, 2.0], [1.0, 3.0], score="squared_error").caution.startswith("only 2 cases")
    assert gv.score_interval(np.arange(50) % 2, p, score="log_loss").caution == ""
    dear = np.where(np.arange(50) == 3, 50.0, np.sin(np.arange(50)))  # one case makes the whole variance
    assert gv.score_interval(dear, np.zeros(50), score="squared_error").caution == (
        "few cases carry the variance: may cover less than it claims"
    )
    assert "only 2 events" in str(gv.score_difference(y, p, p[::-1], score="brier_score"))
    assert "Caution, only 2 events" in str(gv.scores_block(y, p))


def test_a_perfect_area_counts_groups_that_hold_events():
    y, p, day = np.array([1, 1, 1, 0, 0, 0, 0, 0]), np.array([0.9] * 3 + [0.1] * 5), [0, 0, 1, 2, 3, 4, 5, 6]
    found = gv.score_interval(y, p, score="roc_auc", groups=day)
    assert found.low == pytest.approx(0.025 ** (1 / 2))  # three events on two days


def test_a_perfect_brier_score_is_no_proof_and_one_label_has_no_heidke_interval():
    found = gv.score_interval([0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0], score="brier_score")
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 4))
    for score in ("heidke_skill_score", "gilbert_skill_score"):
        alone = gv.score_interval([0] * 20, np.linspace(0, 1, 20), score=score)
        assert alone.value == 0
        assert np.isnan([alone.low, alone.high]).all()
