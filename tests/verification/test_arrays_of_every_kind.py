"""One table of laws for all scores: what an array is made of changes no score, or it is refused in a sentence."""

import keras
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import gengap.verification as gv
from gengap.errors import DataError

N, MEMBERS, LABELS = 24, 5, 4
BINARY = ("brier_score", "log_loss", "brier_skill_score", "roc_auc", "contingency", "murphy_decomposition",
          "corp_decomposition", "expected_calibration_error", "verify_binary", "best_threshold")  # fmt: skip
REAL = ("squared_error", "absolute_error", "squared_error_skill_score", "quantile_score")
KINDS = {
    **dict.fromkeys(BINARY, "binary"),
    **dict.fromkeys(REAL, "real"),
    "brier_score of labels": "labels",
    "log_loss of labels": "labels",
    "brier_skill_score of labels": "labels",
    "ranked_probability_score": "labels",
    "squared_error of targets": "targets",
    "absolute_error of targets": "targets",
    "squared_error_skill_score of targets": "targets",
    "interval_score": "interval",
    "interval_coverage": "interval",
    "crps_ensemble": "members",
    "spread_skill_ratio": "members",
    "crps_normal": "normal",
}
OPTIONS = {"quantile_score": {"quantile": 0.3}, "contingency": {"threshold": 0.5}}
PICK = {
    "contingency": lambda found: found.critical_success_index,
    "murphy_decomposition": lambda found: found.reliability,
    "corp_decomposition": lambda found: found.miscalibration,
    "verify_binary": lambda found: found.brier_skill_score,
    "best_threshold": lambda found: found.value if hasattr(found, "value") else found.threshold,
}
every_score = pytest.mark.parametrize("name", list(KINDS))


def score(name, y, p, weight=None, **more):
    function = name.removesuffix(" of labels").removesuffix(" of targets")
    options = {**OPTIONS.get(name, {}), **more}
    if name == "crps_normal":
        options["spread"] = np.linspace(0.5, 1.5, N) if not hasattr(y, "dims") else 0.7
    if weight is not None:
        options["sample_weight"] = weight
    return PICK.get(name, lambda found: found)(getattr(gv, function)(y, p, **options))


def draw(name, seed=0):
    """Cases of the form that the score takes, whose numbers bfloat16 holds exactly (eighths)."""
    rng = np.random.default_rng(seed)
    kind = KINDS[name]
    if kind == "binary":
        return (np.arange(N) % 3 == 0).astype(float), rng.integers(1, 8, N) / 8
    if kind == "labels":
        return rng.integers(0, LABELS, N).astype(float), (1 + rng.multinomial(4, np.ones(LABELS) / LABELS, N)) / 8
    y = rng.integers(-16, 16, N) / 8
    if kind == "targets":
        y = rng.integers(-16, 16, (N, 3)) / 8
        return y, y + rng.integers(-8, 8, (N, 3)) / 8
    if kind == "interval":
        return y, np.sort(rng.integers(-16, 16, (N, 2)) / 8, axis=1)
    if kind == "members":
        return y, y[:, None] + rng.integers(-8, 8, (N, MEMBERS)) / 8
    return y, y + rng.integers(-8, 8, N) / 8


def without(missing, *arrays):
    return [array[~missing] for array in arrays]


@every_score
def test_what_a_mask_hides_is_left_out_whatever_lies_below(name):
    y, p = draw(name)
    hidden = np.zeros(N, dtype=bool)
    hidden[[2, 11]] = True
    rows = hidden if y.ndim == 1 else np.column_stack([hidden, hidden & False, hidden & False])
    masked = np.ma.masked_array(np.where(rows, -999.0, y), mask=rows)
    weight = 1.0 + np.arange(N) % 4
    expected = score(name, np.where(rows, np.nan, y), p, weight)
    assert score(name, masked, p, weight) == expected
    assert score(name, masked, np.ma.masked_array(p), np.ma.masked_array(weight)) == expected
    if KINDS[name] in {"binary", "labels"}:
        codes = np.ma.masked_array(np.where(hidden, -999, y.astype(int)), mask=hidden)
        assert score(name, codes, p, weight) == expected


@every_score
def test_a_masked_forecast_of_an_observed_case_is_an_error_as_nan_is(name):
    y, p = draw(name)
    mask = np.zeros(p.shape, dtype=bool)
    mask[3] = True
    with pytest.raises(DataError, match="the forecasts of 1 observed cases are NaN"):
        score(name, y, np.ma.masked_array(p, mask))
    with pytest.raises(DataError, match="the forecasts of 1 observed cases are NaN"):
        score(name, y, np.where(mask, np.nan, p))
    weight = np.ma.masked_array(np.ones(N), np.arange(N) == 1)
    with pytest.raises(DataError, match="`sample_weight` must be finite and not negative"):
        score(name, y, p, weight)


@every_score
def test_a_missing_observation_is_a_case_less(name):
    y, p = draw(name)
    gone = np.arange(N) % 7 == 3
    y_missing = y.copy()
    y_missing[gone] = np.nan
    if name == "crps_normal":
        pytest.skip("its spread is given for each case, too")
    assert score(name, y_missing, p) == pytest.approx(score(name, *without(gone, y, p)), abs=1e-12)


CONTAINERS = {
    "bfloat16": lambda values: torch.tensor(values, dtype=torch.bfloat16),
    "requires grad": lambda values: torch.tensor(values, requires_grad=True),
    "bfloat16 with grad": lambda values: torch.tensor(values, dtype=torch.bfloat16, requires_grad=True),
    "half": lambda values: torch.tensor(values, dtype=torch.float16),
    "sparse": lambda values: torch.tensor(values).to_sparse(),
    "keras": keras.ops.convert_to_tensor,
    "variable": keras.Variable,
    "numpy half": lambda values: values.astype(np.float16),
    "list": lambda values: values.tolist(),
    "masked rows": lambda values: [np.ma.masked_array(row) for row in values] if values.ndim > 1 else list(values),
    "table": lambda values: (pd.DataFrame if values.ndim > 1 else pd.Series)(values),
    "nullable table": lambda values: (pd.DataFrame if values.ndim > 1 else pd.Series)(values).convert_dtypes(),
    "column": lambda values: values[..., None] if values.ndim == 1 else values,
}


@every_score
@pytest.mark.parametrize("container", list(CONTAINERS))
def test_tensors_and_tables_score_as_their_numbers_do(name, container):
    y, p = draw(name)
    made = CONTAINERS[container]
    weight = 1.0 + np.arange(N) % 4
    found = score(name, made(y), made(p), made(weight))
    assert found == pytest.approx(score(name, y, p, weight), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["brier_score", "log_loss", "squared_error", "crps_ensemble", "roc_auc"])
def test_intervals_and_influences_take_them_too(name):
    y, p = draw(name)
    hidden = np.arange(N) == 5
    masked = np.ma.masked_array(np.where(hidden, 999, y), hidden)
    tensor = torch.tensor(p, requires_grad=True)
    known = np.where(hidden, np.nan, y)
    groups = np.arange(N) // 3
    assert gv.score_interval(masked, tensor, score=name, groups=torch.tensor(groups)) == gv.score_interval(
        known, p, score=name, groups=groups
    )
    np.testing.assert_array_equal(gv.influence(masked, tensor, score=name), gv.influence(known, p, score=name))
    reference = np.roll(p, 1, axis=0)
    assert gv.score_difference(masked, tensor, torch.tensor(reference), score=name) == gv.score_difference(
        known, p, reference, score=name
    )


@pytest.mark.parametrize("name", [one for one in KINDS if one not in {"verify_binary", "best_threshold"}])
def test_a_weight_for_each_latitude_is_that_weight_at_every_place_there(name):
    """Weights over one of the cases' dims hold along the others, as cos(latitude) does."""
    y, p = draw(name)
    last = {"labels": "label", "targets": "label", "interval": "bound", "members": "member"}.get(KINDS[name])
    grid = lambda values, dims: xr.DataArray(values.reshape(4, 6, *values.shape[1:]), dims=["lat", "lon", *dims])  # noqa: E731
    y_grid = grid(y, ["label"] if y.ndim > 1 else [])
    p_grid = grid(p, [last] if last else [])
    cosine = np.array([0.2, 0.9, 1.0, 0.5])
    each = xr.DataArray(np.repeat(cosine, 6).reshape(4, 6), dims=["lat", "lon"])
    found = score(name, y_grid, p_grid, xr.DataArray(cosine, dims="lat"))
    assert float(found) == float(score(name, y_grid, p_grid, each))
    if name != "crps_normal":
        assert float(found) == pytest.approx(score(name, y, p, np.repeat(cosine, 6)), abs=1e-12)
    along_lon = score(name, y_grid.transpose("lon", ...), p_grid, xr.DataArray(cosine, dims="lat"))
    assert float(along_lon) == pytest.approx(float(found), abs=1e-12)


class TestRounding:
    """Probabilities that left 0 to 1 by rounding alone are probabilities."""

    @pytest.mark.parametrize("high", [1.0000001, np.float32(1) + np.finfo(np.float32).eps, 1 + 1e-9])
    @pytest.mark.parametrize("name", ["brier_score", "log_loss", "brier_skill_score", "roc_auc", "corp_decomposition"])
    def test_a_rounding_beyond_the_end_is_the_end(self, name, high):
        y = [0, 1, 1, 0]
        rounded = score(name, y, [0.3, high, 0.4, -1e-8])
        assert rounded == pytest.approx(score(name, y, [0.3, 1.0, 0.4, 0.0]), abs=1e-6)

    def test_what_half_precision_rounds_is_no_logit(self):
        p = torch.tensor([0.0, 1.0078125, 0.25], dtype=torch.bfloat16)
        assert gv.brier_score([0, 1, 1], p) == pytest.approx(0.75**2 / 3)
        logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
        rows = torch.softmax(logits, dim=-1)
        y = np.arange(200) % 10
        assert gv.brier_score(y, rows) == pytest.approx(gv.brier_score(y, rows.double().numpy()), rel=1e-6)
        assert gv.log_loss(y, rows) == pytest.approx(
            gv.log_loss(y, torch.softmax(logits.double(), dim=-1).numpy()), rel=1e-2
        )

    @pytest.mark.parametrize("p", [[0.2, 1.01], [0.2, -0.01], [0.1, 1.00002], [0.0, 2.0], [-3.0, 1.0]])
    def test_more_than_that_is_refused(self, p):
        with pytest.raises(DataError, match="apply a sigmoid to logits first"):
            gv.brier_score([0, 1], p)

    def test_percentages_are_recognized(self):
        with pytest.raises(DataError, match="from 5 to 80; divide percentages by 100"):
            gv.brier_score([0, 1], [5.0, 80.0])


class TestGroups:
    """A label of a group that is missing is no group, and one group is no evidence about others."""

    y, p = draw("roc_auc")

    @pytest.mark.parametrize(
        "groups",
        [
            np.where(np.arange(N) == 4, np.nan, np.arange(N) // 3),
            np.array([None if at == 4 else f"day {at // 3}" for at in range(N)], dtype=object),
            [None if at == 4 else at // 3 for at in range(N)],
            pd.Series([pd.NA if at == 4 else f"day {at // 3}" for at in range(N)], dtype="string"),
            np.array(["NaT" if at == 4 else "2026-01-01" for at in range(N)], dtype="datetime64[D]"),
            np.ma.masked_array(np.arange(N) // 3, np.arange(N) == 4),
            np.ma.masked_array([f"{at // 3}" for at in range(N)], np.arange(N) == 4),
        ],
        ids=["NaN", "None", "None in a list", "NA", "NaT", "masked", "masked text"],
    )
    @pytest.mark.parametrize("name", ["roc_auc", "brier_score", "peirce_skill_score"])
    def test_a_missing_label_is_named(self, groups, name):
        with pytest.raises(DataError, match="`groups` lack the label of 1 case "):
            gv.score_interval(self.y, self.p, score=name, groups=groups)
        with pytest.raises(DataError, match="`groups` lack the label of 1 case "):
            gv.bootstrap_scores(self.y, self.p, scores=[name], groups=groups, replicates=3)
        left_out = np.where(np.arange(N) == 4, np.nan, self.y)
        there = gv.score_interval(left_out, self.p, score=name, groups=groups)
        assert there.groups == gv.score_interval(left_out, self.p, score=name, groups=np.arange(N) // 3).groups or (
            there.groups == 1
        )

    def test_text_beside_numbers_names_groups_as_well_as_either(self):
        mixed = [at // 3 if at % 2 else str(at // 3) for at in range(N)]
        plain = [at // 3 + 100 * (at % 2) for at in range(N)]
        for name in ("roc_auc", "brier_score"):
            a, b = (gv.score_interval(self.y, self.p, score=name, groups=one) for one in (mixed, plain))
            assert (a.low, a.high, a.groups) == pytest.approx((b.low, b.high, b.groups))

    @pytest.mark.parametrize("name", [*gv.SCORES])
    def test_one_group_has_no_interval(self, name):
        kinds = {"ranked_probability_score": "ranked_probability_score", "interval_score": "interval_score"}
        y, p = draw(name if name in KINDS else kinds.get(name, "roc_auc"))
        options = {"quantile_score": {"quantile": 0.3}}.get(name, {})
        found = gv.score_interval(y, p, score=name, groups=np.zeros(N), **options)
        assert np.isfinite(found.value)
        assert np.isnan([found.low, found.high]).all()
        assert "1 group" in found.caution
        apart = gv.score_difference(y, p, np.roll(p, 1, axis=0), score=name, groups=np.zeros(N), **options)
        assert np.isnan([apart.low, apart.high]).all()

    def test_a_bootstrap_of_one_group_is_refused(self):
        with pytest.raises(DataError, match="all cases belong to one group"):
            gv.bootstrap_scores(self.y, self.p, scores=["roc_auc"], groups=np.zeros(N), replicates=3)


class TestSentences:
    """What was received stands in the error as one would type it."""

    @pytest.mark.parametrize(
        ("y", "p", "sentence"),
        [
            (np.array(["no", "yes"]), [0.1, 0.9], "`y_true` must hold real numbers in an array of one shape; got 'no'"),
            (np.array(["no", 1], dtype=object), [0.1, 0.9], "`y_true` must hold real numbers.*; got 'no'"),
            ([0, 1], [0.1, "often"], "the forecasts must hold real numbers.*; got 'often'"),
            ([0, 1], [0.1 + 1j, 0.9], "the forecasts must hold real numbers.*; got complex ones"),
            ([0, 1], [[0.1, 0.9], [0.2]], "the forecasts must hold real numbers in an array of one shape"),
            ([0, np.float32(3)], [0.1, 0.9], r"`y_true` must hold 0 and 1 \(1: the event happened\), got 3"),
        ],
    )
    def test_nothing_of_numpy_shows(self, y, p, sentence):
        with pytest.raises(DataError, match=sentence) as caught:
            gv.roc_auc(y, p)
        assert "np." not in str(caught.value)

    def test_losses_of_cases_do_not_broadcast(self):
        with pytest.raises(DataError, match=r"must have the same shape, got \(3,\) and \(3, 3\)"):
            gv.case_squared_errors([1.0, 2.0, 3.0], np.zeros((3, 3)))


class TestSeveralTargets:
    """Each target has a climatology of its own, as scikit-learn's `variance_weighted` has it."""

    def test_skill_is_r_squared_weighted_by_variance(self):
        from sklearn.metrics import r2_score

        rng = np.random.default_rng(0)
        y = rng.normal(size=(50, 3)) * [1.0, 5.0, 0.2] + [0.0, 100.0, -3.0]
        p = y + rng.normal(size=(50, 3))
        weight = rng.uniform(0.1, 2, 50)
        for options in ({}, {"sample_weight": weight}):
            expected = r2_score(y, p, multioutput="variance_weighted", **options)
            assert gv.squared_error_skill_score(y, p, **options) == pytest.approx(expected)
        named = [xr.DataArray(a, dims=["sample", "label"]) for a in (y, p)]
        assert float(gv.squared_error_skill_score(*named)) == pytest.approx(
            r2_score(y, p, multioutput="variance_weighted")
        )
        climatology = [0.5, 90.0, -2.0]
        reference = ((y - climatology) ** 2).mean()
        assert gv.squared_error_skill_score(y, p, climatology=climatology) == pytest.approx(
            1 - ((y - p) ** 2).mean() / reference
        )

    def test_a_climatology_of_another_shape_is_named(self):
        with pytest.raises(
            DataError, match=r"`climatology` must be one number or have shape \(2,\) or \(4, 2\), got \(3,\)"
        ):
            gv.squared_error_skill_score(np.zeros((4, 2)), np.ones((4, 2)), climatology=[1.0, 2.0, 3.0])

    def test_a_climatology_of_each_case_follows_the_cases_that_are_left(self):
        y, p = draw("squared_error")
        climatology = np.linspace(-1, 1, N)
        gone = np.arange(N) % 5 == 0
        found = gv.squared_error_skill_score(np.where(gone, np.nan, y), p, climatology=climatology)
        assert found == pytest.approx(
            gv.squared_error_skill_score(*without(gone, y, p), climatology=climatology[~gone])
        )
