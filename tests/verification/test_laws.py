"""One table of laws for all scores: what must hold whatever the forecasts are."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gengap.verification as gv
from gengap.errors import DataError, UnknownNameError
from gengap.verification import SCORES, influence, score_difference, score_interval

BINARY = ["brier_score", "log_loss", "brier_skill_score", "roc_auc"]
TABLE = [name for name in SCORES if hasattr(gv.Contingency, name)]
REAL = ["squared_error", "absolute_error", "squared_error_skill_score"]
OPTIONS = {"quantile_score": {"quantile": 0.3}, "interval_score": {"coverage": 0.8}} | {
    n: {"threshold": 0.5} for n in TABLE
}
FUNCTIONS = [name for name in SCORES if name not in TABLE]


def value(name, y, p, **more):
    """Score through the public function where there is one, else through the table."""
    if name in TABLE:
        return gv.contingency(y, p, threshold=0.5, **more).score(name)
    return getattr(gv, name)(y, p, **OPTIONS.get(name, {}), **more)


def draw_cases(name, seed, n=40):
    """Random cases of the form that the score takes, with ties and both labels."""
    rng = np.random.default_rng(seed)
    if name in BINARY + TABLE:
        p = np.round(rng.uniform(0.02, 0.98, n), 2)
        return (np.arange(n) % 3 == 0).astype(float), rng.permutation(p)
    if name == "ranked_probability_score":
        return rng.integers(0, 4, n).astype(float), rng.dirichlet(np.ones(4), n)
    y = rng.normal(size=n)
    if name == "interval_score":
        return y, np.sort(rng.normal(size=(n, 2)), axis=1)
    return y, y[:, None] + rng.normal(size=(n, 5)) if name == "crps_ensemble" else y + rng.normal(size=n)


def perfect_forecast(name, y):
    if name == "ranked_probability_score":
        return np.eye(4)[y.astype(int)]
    if name == "interval_score":
        return np.column_stack([y, y])
    return np.repeat(y[:, None], 5, axis=1) if name == "crps_ensemble" else y


SEEDS = st.integers(0, 2**32 - 1)
every_score = pytest.mark.parametrize("name", list(SCORES))
few = settings(max_examples=10, deadline=None)


@every_score
@given(seed=SEEDS)
@few
def test_order_of_the_cases_does_not_matter(name, seed):
    y, p = draw_cases(name, seed)
    order = np.random.default_rng(seed).permutation(len(y))
    groups = np.arange(len(y)) // 4
    assert value(name, y[order], p[order]) == pytest.approx(value(name, y, p), abs=1e-12)
    here = score_interval(y, p, score=name, groups=groups, **OPTIONS.get(name, {}))
    there = score_interval(y[order], p[order], score=name, groups=groups[order], **OPTIONS.get(name, {}))
    assert (there.low, there.high) == pytest.approx((here.low, here.high), abs=1e-9)


@every_score
@given(seed=SEEDS)
@few
def test_a_weight_of_k_is_k_cases(name, seed):
    y, p = draw_cases(name, seed)
    times = np.random.default_rng(seed).integers(0, 4, len(y))
    times[:3] = 1
    weighted = value(name, y, p, sample_weight=times)
    assert weighted == pytest.approx(value(name, np.repeat(y, times), np.repeat(p, times, axis=0)), abs=1e-12)
    assert value(name, y, p, sample_weight=7.5 * times) == pytest.approx(weighted, abs=1e-12)


@every_score
@given(seed=SEEDS)
@few
def test_a_case_without_observation_or_weight_is_absent(name, seed):
    y, p = draw_cases(name, seed)
    gone = np.random.default_rng(seed).random(len(y)) < 0.2
    gone[:3] = False
    hidden = np.where(gone, np.nan, y)
    unknown = np.where(gone.reshape(-1, *[1] * (p.ndim - 1)), np.nan, p)
    kept = value(name, y[~gone], p[~gone])
    assert value(name, hidden, unknown) == pytest.approx(kept, abs=1e-12)
    assert value(name, y, p, sample_weight=~gone) == pytest.approx(kept, abs=1e-12)
    values = influence(hidden, p, score=name, **OPTIONS.get(name, {}))
    assert np.array_equal(np.isnan(values), gone)
    few_cases = score_interval(y[~gone], p[~gone], score=name, **OPTIONS.get(name, {}))
    assert score_interval(hidden, p, score=name, **OPTIONS.get(name, {})) == few_cases


@every_score
@given(seed=SEEDS)
@few
def test_perfect_forecasts_get_the_perfect_value(name, seed):
    y, p = draw_cases(name, seed)
    assert value(name, y, perfect_forecast(name, y)) == pytest.approx(SCORES[name].perfect, abs=1e-12)
    if SCORES[name].orientation == "smaller":
        assert value(name, y, p) >= SCORES[name].perfect
    elif SCORES[name].orientation == "larger":
        assert value(name, y, p) <= SCORES[name].perfect


@every_score
@given(seed=SEEDS)
@few
def test_influence_is_the_derivative_by_the_weight_of_a_case(name, seed):
    y, p = draw_cases(name, seed)
    found = influence(y, p, score=name, **OPTIONS.get(name, {}))
    assert found.mean() == pytest.approx(0, abs=1e-10)
    step, i = 1e-6, seed % len(y)
    weight = np.ones(len(y))
    weight[i] += step
    slope = len(y) * (value(name, y, p, sample_weight=weight) - value(name, y, p)) / step
    # AUC carries DeLong's (m - 1)-denominators, within 1 / m of the plain derivative
    assert found[i] == pytest.approx(slope, rel=0.06 if name == "roc_auc" else 1e-3, abs=1e-4)


@every_score
def test_the_interval_contains_the_value_and_widens_with_the_level(name):
    y, p = draw_cases(name, 5)
    narrow, wide = (score_interval(y, p, score=name, level=level, **OPTIONS.get(name, {})) for level in (0.5, 0.99))
    assert narrow.value == pytest.approx(value(name, y, p))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


@every_score
def test_a_forecast_does_not_differ_from_itself(name):
    y, p = draw_cases(name, 6)
    same = score_difference(y, p, p, score=name, **OPTIONS.get(name, {}))
    assert (same.value, same.standard_error, same.low, same.high) == (0, 0, 0, 0)
    other = draw_cases(name, 7)[1]
    there = score_difference(y, p, other, score=name, **OPTIONS.get(name, {}))
    back = score_difference(y, other, p, score=name, **OPTIONS.get(name, {}))
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.value == pytest.approx(value(name, y, p) - value(name, y, other))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_labelled_arrays_keep_their_other_dims(name):
    y, p = draw_cases(name, 8)
    consumed = {"ranked_probability_score": "label", "interval_score": "bound", "crps_ensemble": "member"}.get(name)
    inner = [consumed] if consumed else []
    runs = np.stack([[p, p[::-1]], [p, p]])
    forecasts = xr.DataArray(
        runs, dims=["variant", "seed", "sample", *inner], coords={"variant": ["a", "b"], "seed": [3, 4]}
    ).transpose(*inner, "sample", "seed", "variant")
    found = getattr(gv, name)(xr.DataArray(y, dims="sample"), forecasts, **OPTIONS.get(name, {}))
    assert set(found.dims) == {"variant", "seed"}
    assert list(found["variant"].values) == ["a", "b"]
    assert float(found.sel(variant="a", seed=4)) == pytest.approx(value(name, y, p[::-1]))
    forecasts[{"variant": 0, "seed": 0, "sample": 1}] = np.nan
    diverged = getattr(gv, name)(xr.DataArray(y, dims="sample"), forecasts, **OPTIONS.get(name, {}))
    assert np.isnan(diverged.sel(variant="a", seed=3))
    assert int(np.isnan(diverged).sum()) == 1


@every_score
def test_a_missing_forecast_of_an_observed_case_is_an_error(name):
    y, p = draw_cases(name, 9)
    p = p.copy()
    p[2] = np.nan
    with pytest.raises(DataError, match="1 observed cases are NaN"):
        value(name, y, p)


@every_score
def test_nothing_to_score_is_an_error(name):
    y, p = draw_cases(name, 10)
    with pytest.raises(DataError, match="no case is left"):
        value(name, np.full(len(y), np.nan), p)
    with pytest.raises(DataError, match="no case is left"):
        value(name, y, p, sample_weight=np.zeros(len(y)))


@every_score
def test_one_case_has_no_interval(name):
    y, p = draw_cases(name, 11)
    alone = score_interval(y[:1], p[:1], score=name, **OPTIONS.get(name, {}))
    if not np.isnan(alone.value):
        assert np.isnan([alone.low, alone.high]).all() or alone.low <= alone.value <= alone.high
    else:
        assert np.isnan([alone.standard_error, alone.low, alone.high]).all()


PROBABILITIES = hnp.arrays(np.float64, 2, elements=st.floats(0.001, 0.999))


@pytest.mark.parametrize("name", ["brier_score", "log_loss"])
@given(both=PROBABILITIES)
@few
def test_binary_scores_are_proper(name, both):
    truth, forecast = both
    expected = [value(name, [1, 0], [q, q], sample_weight=[truth, 1 - truth]) for q in (truth, forecast)]
    assert expected[0] <= expected[1] + 1e-12


@given(seed=SEEDS)
@few
def test_the_ranked_probability_score_is_proper(seed):
    truth, forecast = np.random.default_rng(seed).dirichlet(np.ones(4), 2)
    expected = [
        gv.ranked_probability_score(np.arange(4), np.tile(q, (4, 1)), sample_weight=truth) for q in (truth, forecast)
    ]
    assert expected[0] <= expected[1] + 1e-12


@pytest.mark.parametrize("name", ["quantile_score", "interval_score"])
@given(seed=SEEDS)
@few
def test_scores_of_quantiles_are_proper(name, seed):
    rng = np.random.default_rng(seed)
    outcomes = rng.gamma(2.0, size=101)  # the distribution itself: 101 equally likely outcomes
    levels = [0.3] if name == "quantile_score" else [0.1, 0.9]
    honest = np.quantile(outcomes, levels, method="inverted_cdf")
    shifted = honest + rng.normal(size=len(levels)) * [[1.0]]
    scores = []
    for forecast in (honest, np.sort(shifted[0])):
        p = np.full(101, forecast[0]) if name == "quantile_score" else np.tile(forecast, (101, 1))
        scores.append(value(name, outcomes, p))
    assert scores[0] <= scores[1] + 1e-12


@given(seed=SEEDS)
@few
def test_rising_functions_keep_the_area(seed):
    y, p = draw_cases("roc_auc", seed)
    assert gv.roc_auc(y, np.log(p) * 3 - 1) == pytest.approx(gv.roc_auc(y, p), abs=1e-12)
    assert gv.roc_auc(1 - y, -p) == pytest.approx(gv.roc_auc(y, p), abs=1e-12)


def test_unknown_names_and_bad_options_are_refused():
    with pytest.raises(
        UnknownNameError, match="`score` must be one of brier_score.*, got 'auc'; it is called 'roc_auc' here"
    ):
        score_interval([0, 1], [0.1, 0.9], score="auc")
    with pytest.raises(ValueError, match="`level` must lie between 0 and 1"):
        score_interval([0, 1], [0.1, 0.9], score="brier_score", level=1.0)
    with pytest.raises(DataError, match="both forecasts must have the same shape"):
        score_difference([0, 1], [0.1, 0.9], [0.1], score="brier_score")
    with pytest.raises(DataError, match=r"`groups` must have shape \(2,\)"):
        score_interval([0, 1], [0.1, 0.9], score="brier_score", groups=[1])


@pytest.mark.parametrize(
    ("y", "p", "weight", "message"),
    [
        ([0, 2], [0.1, 0.9], None, "`y_true` must hold 0 and 1"),
        ([0, 1], [0.1, 1.9], None, "apply a sigmoid to logits first"),
        ([0, 1], [0.1], None, "with the same n"),
        ([0, 1], [0.1, 0.9], [1.0], r"`sample_weight` must have shape \(2,\)"),
        ([0, 1], [0.1, 0.9], [1.0, -1.0], "finite and not negative"),
        (["no", "yes"], [0.1, 0.9], None, "`y_true` must hold real numbers"),
        ([0, 3], [[0.1, 0.9, 0.0], [0.5, 0.5, 0.0]], None, "codes 0 to 2"),
        ([0, 1], [[0.1, 2.9, 0.0], [0.5, 0.5, 0.0]], None, "apply a softmax to logits first"),
    ],
)
def test_invalid_probabilities_are_refused(y, p, weight, message):
    with pytest.raises(DataError, match=message):
        gv.brier_score(y, p, sample_weight=weight)


def test_labelled_arrays_must_fit():
    y = xr.DataArray([0.0, 1.0], dims="sample", coords={"sample": [1, 2]})
    with pytest.raises(DataError, match="must have named dims"):
        gv.brier_score([0, 1], xr.DataArray([0.1, 0.9], dims="sample"))
    with pytest.raises(DataError, match=r"lack the dims \['sample'\]"):
        gv.brier_score(y, xr.DataArray([0.1, 0.9], dims="case"))
    with pytest.raises(DataError, match="differ in the coordinates of `sample`"):
        gv.brier_score(y, xr.DataArray([0.1, 0.9], dims="sample", coords={"sample": [2, 1]}))


def test_labelled_weights_and_climatologies_are_welcome():
    rng = np.random.default_rng(0)
    y, p, weight = rng.integers(0, 3, (4, 5)), rng.dirichlet(np.ones(3), (2, 4, 5)), rng.random((5, 4))
    found = gv.brier_skill_score(
        xr.DataArray(y, dims=["day", "station"]),
        xr.DataArray(p, dims=["seed", "day", "station", "label"]),
        climatology=xr.DataArray([0.2, 0.3, 0.5], dims="label"),
        sample_weight=xr.DataArray(weight, dims=["station", "day"]),
    )
    expected = gv.brier_skill_score(
        y.ravel(), p[1].reshape(-1, 3), climatology=[0.2, 0.3, 0.5], sample_weight=weight.T.ravel()
    )
    assert found.dims == ("seed",)
    assert float(found[1]) == pytest.approx(expected)


def test_columns_from_keras_are_welcome():
    assert gv.brier_score(np.array([[0], [1]]), np.array([[0.1], [0.8]], dtype=np.float32)) == pytest.approx(0.025)
