"""Named dims in, named dims out, for scores, intervals, tables and decompositions; and infinite forecasts."""

from dataclasses import fields

import numpy as np
import pytest
import xarray as xr

import gengap.verification as gv
from gengap.errors import DataError


@pytest.fixture
def runs():
    rng = np.random.default_rng(0)
    y = xr.DataArray((np.arange(24) % 3 == 0).astype(float), dims="sample")
    p = xr.DataArray(
        rng.uniform(0.05, 0.95, (2, 3, 24)),
        dims=["variant", "seed", "sample"],
        coords={"variant": ["a", "b"], "seed": [1, 2, 3]},
    )
    return y, p


RECORDS = {
    "score_interval": lambda y, p: gv.score_interval(y, p, score="roc_auc"),
    "score_interval, groups": lambda y, p: gv.score_interval(y, p, score="log_loss", groups=np.arange(24) // 4),
    "contingency": lambda y, p: gv.contingency(y, p, threshold=0.4),
    "best_threshold": gv.best_threshold,
    "murphy_decomposition": gv.murphy_decomposition,
    "corp_decomposition": gv.corp_decomposition,
}


def numbers(record):
    """Return the numbers of a record, also of the records inside."""
    for field in fields(record):
        value = getattr(record, field.name)
        if hasattr(value, "__dataclass_fields__"):
            yield from numbers(value)
        elif not isinstance(value, str):
            yield value


@pytest.mark.parametrize("name", list(RECORDS))
def test_every_number_of_a_record_keeps_the_dims(name, runs):
    y, p = runs
    found = RECORDS[name](y, p.transpose("sample", "seed", "variant"))
    alone = RECORDS[name](y.values, p.sel(variant="b", seed=2).values)
    for here, there in zip(numbers(found), numbers(alone), strict=True):
        assert set(here.dims) == {"variant", "seed"}
        assert float(here.sel(variant="b", seed=2)) == pytest.approx(there, nan_ok=True)


def test_scores_of_a_labelled_table_keep_the_dims_and_say_nothing_where_nothing_can_be_said(runs):
    y, p = runs
    table = gv.contingency(y, p.where(p.variant != "b", 0.1), threshold=0.4)
    assert table.success_ratio.dims == ("variant", "seed")
    assert np.isnan(table.success_ratio.sel(variant="b")).all()
    assert float(table.probability_of_detection.sel(variant="b", seed=1)) == 0
    with pytest.raises(DataError, match="ask for one threshold at a time"):
        gv.contingency(y, p, threshold=[0.4, 0.5])


def test_a_diverged_run_is_nan_in_every_number_and_all_diverged_is_an_error(runs):
    y, p = runs
    p[{"variant": 0, "seed": 1, "sample": 3}] = np.inf
    found = gv.score_interval(y, p, score="brier_score")
    for number in (found.value, found.low, found.high):
        assert np.isnan(number).values.tolist() == [[False, True, False], [False, False, False]]
    with pytest.raises(DataError, match="every slice of the forecasts holds a NaN"):
        gv.score_interval(y, p * np.nan, score="brier_score")


def test_a_paired_difference_follows_the_dims_that_both_forecasts_have(runs):
    y, p = runs
    reference = p.sel(variant="a", drop=True)
    found = gv.score_difference(y, p, reference, score="brier_score")
    assert found.value.dims == ("variant", "seed")
    assert (found.value.sel(variant="a") == 0).all()
    alone = gv.score_difference(y.values, p[1, 2].values, p[0, 2].values, score="brier_score")
    assert float(found.high.sel(variant="b", seed=3)) == pytest.approx(alone.high)
    moved = reference.assign_coords(seed=[1, 2, 4])
    with pytest.raises(DataError, match="differ in the coordinates of `seed`"):
        gv.score_difference(y, p, moved, score="brier_score")


def test_climatologies_and_spreads_may_differ_by_run(runs):
    y, p = runs
    climatology = xr.DataArray([0.2, 0.5], dims="variant")
    found = gv.brier_skill_score(y, p, climatology=climatology)
    alone = gv.brier_skill_score(y.values, p[1, 0].values, climatology=0.5)
    assert float(found.sel(variant="b", seed=1)) == pytest.approx(alone)
    spread = 0.1 + p / 2
    crps = gv.crps_normal(y, p, spread=spread)
    assert float(crps[1, 2]) == pytest.approx(gv.crps_normal(y.values, p[1, 2].values, spread=spread[1, 2].values))
    assert gv.spread_skill_ratio(y * 3.0, p, spread=spread).dims == ("variant", "seed")


def test_keywords_are_as_good_as_places(runs):
    y, p = runs
    assert gv.brier_score(y_true=y.values, y_prob=p[0, 0].values) == gv.brier_score(y.values, p[0, 0].values)
    assert gv.brier_score(y_prob=p, y_true=y).dims == ("variant", "seed")


INFINITE = {
    "squared_error": (gv.squared_error, [1.0, np.inf]),
    "squared_error_skill_score": (gv.squared_error_skill_score, [1.0, -np.inf]),
    "absolute_error": (gv.absolute_error, [1.0, np.inf]),
    "crps_ensemble": (gv.crps_ensemble, [[1.0, 2.0], [1.0, np.inf]]),
    "interval_score": (gv.interval_score, [[0.0, 1.0], [0.0, np.inf]]),
    "crps_normal": (lambda y, p: gv.crps_normal(y, p, spread=1.0), [1.0, np.inf]),
    "spread_skill_ratio": (gv.spread_skill_ratio, [[1.0, 2.0], [1.0, np.inf]]),
}


@pytest.mark.parametrize("name", list(INFINITE))
def test_an_infinite_forecast_has_no_score(name):
    score, forecast = INFINITE[name]
    with pytest.raises(DataError, match="the forecasts of 1 observed cases are infinite"):
        score([1.0, 2.0], forecast)
    assert np.isfinite(score([1.0, np.nan], forecast)) or name == "squared_error_skill_score"
    with pytest.raises(DataError, match="`y_true` must be finite, got inf; NaN marks what is missing"):
        score([1.0, np.inf], forecast)


def test_where_only_the_order_counts_infinity_is_a_forecast():
    assert gv.roc_auc([0, 1, 1], [-np.inf, 0.0, np.inf]) == 1
    assert gv.rank_histogram([1.0], [[-np.inf, np.inf]]).counts.tolist() == [0, 1, 0]
    assert gv.interval_coverage([1.0, 5.0], [[-np.inf, 2.0], [0.0, np.inf]]) == 1
    labelled = gv.roc_auc(xr.DataArray([0, 1], dims="i"), xr.DataArray([[0.0, np.inf]], dims=["k", "i"]))
    assert labelled.values.tolist() == [1.0]


def test_spreads_and_losses_of_the_wrong_shape_are_named():
    with pytest.raises(DataError, match=r"`spread` must be one number or have shape \(2,\) as `y_pred`, got \(3,\)"):
        gv.crps_normal([1.0, 2.0], [1.0, 2.0], spread=[1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="`spread` must not be negative"):
        gv.crps_normal([1.0, 2.0], [1.0, 2.0], spread=[1.0, -2.0])
    with pytest.raises(DataError, match=r"`losses` must have shape \(n,\)"):
        gv.discard_curve([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="`y_true` must hold real numbers"):
        gv.brier_score(["a", "b"], [0.1, 0.2])
    with pytest.raises(DataError, match="the forecasts must hold real numbers"):
        gv.log_loss([0, 1], [[0.1, 0.9], [0.2]])
