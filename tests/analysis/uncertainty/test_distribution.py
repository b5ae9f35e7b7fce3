import numpy as np
import pytest
import xarray as xr
from scipy import stats

from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.errors import DataError, StoreError


def distribution(values, *, task="binary", seeds=None):
    values = np.asarray(values, dtype="float32")
    dims = ("member", "sample", "label")[: values.ndim]
    coords = {
        "member": np.arange(len(values)),
        "sample": np.arange(values.shape[1]),
        "seed": ("member", np.zeros(len(values), int) if seeds is None else np.asarray(seeds)),
    }
    members = xr.DataArray(values, dims=dims, coords=coords)
    return PredictiveDistribution(members, members.mean("member"), task, {"method": "dropout", "rates": {"a": 0.5}})


def test_mean_median_quantiles_and_intervals_by_hand():
    forecast = distribution(np.array([[0.1], [0.2], [0.6]]))
    assert float(forecast.mean[0]) == pytest.approx(0.3)
    assert float(forecast.median[0]) == pytest.approx(0.2)
    assert float(forecast.spread[0]) == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1))
    np.testing.assert_allclose(forecast.interval(0.5).values[0], np.quantile([0.1, 0.2, 0.6], [0.25, 0.75]), rtol=1e-6)
    with pytest.raises(ValueError, match="`level`"):
        forecast.interval(1.0)


def test_entropy_splits_into_what_remains_and_what_knowing_the_network_removes(random):
    probability = random.dirichlet([1, 2, 3], size=(30, 4))
    forecast = distribution(probability, task="multiclass")
    total = stats.entropy(probability.mean(0), axis=1)
    np.testing.assert_allclose(forecast.entropy(), total, rtol=1e-5)
    np.testing.assert_allclose(forecast.expected_entropy(), stats.entropy(probability, axis=2).mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        forecast.mutual_information(), total - stats.entropy(probability, axis=2).mean(0), rtol=1e-4
    )


def test_certain_members_have_no_entropy_and_split_ones_are_all_epistemic():
    certain = distribution([[1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(certain.entropy(), [0, np.log(2)], atol=1e-6)
    np.testing.assert_allclose(certain.mutual_information(), [0, np.log(2)], atol=1e-6)
    with pytest.raises(DataError, match="regression"):
        distribution([[1.0], [2.0]], task="regression").entropy()


def test_variance_components_are_recovered_and_sum_to_the_total(random):
    networks, each, cases = 40, 50, 200
    centres = random.normal(0, 2.0, size=(networks, 1, cases))
    values = (centres + random.normal(0, 1.0, size=(networks, each, cases))).reshape(-1, cases)
    split = distribution(values, task="regression", seeds=np.repeat(np.arange(networks), each)).variance()
    assert float(split["between"].mean()) == pytest.approx(4.0, rel=0.1)
    assert float(split["within"].mean()) == pytest.approx(1.0, rel=0.05)
    np.testing.assert_allclose(split["total"], split["within"] + split["between"])


def test_one_member_per_network_is_all_between():
    split = distribution([[0.1], [0.5]], seeds=[3, 4]).variance()
    assert float(split["within"][0]) == 0
    assert float(split["between"][0]) == pytest.approx(0.08)


def test_the_table_is_sorted_by_uncertainty_and_carries_the_answers():
    table = distribution([[0.01, 0.5, 0.9], [0.03, 0.6, 0.7]]).table(y_true=[0, 1, 1])
    assert list(table.index) == [1, 2, 0]
    assert list(table["y_true"]) == [1, 1, 0]
    assert (table["lower"] <= table["mean"]).all()
    several = distribution([[[0.1, 0.9]], [[0.2, 0.8]]], task="multiclass").table()
    assert "label" in several.columns or several["mean"].iloc[0] == pytest.approx(0.85)


def test_convergence_is_the_standard_error_of_the_mean(random):
    forecast = distribution(random.normal(size=(400, 3)), task="regression")
    table = forecast.convergence()
    assert list(table.index) == [12, 25, 50, 100, 200, 400]
    assert table.loc[400, "largest"] == pytest.approx(float(forecast.spread.max()) / 20)


def test_it_survives_a_file(tmp_path, random):
    forecast = distribution(random.random((5, 2)))
    forecast.to_netcdf(tmp_path / "forecast.nc")
    again = PredictiveDistribution.from_netcdf(tmp_path / "forecast.nc")
    xr.testing.assert_identical(again.members, forecast.members)
    xr.testing.assert_identical(again.deterministic, forecast.deterministic)
    assert (again.task, again.settings) == (forecast.task, forecast.settings)
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(StoreError, match="not a predictive distribution"):
        PredictiveDistribution.from_netcdf(tmp_path / "other.nc")


def test_a_selection_and_a_page(random):
    forecast = distribution(random.random((5, 20)))
    assert forecast.select(3).members.sizes["sample"] == 1
    assert "and 10 cases" in forecast._repr_html_()
    assert "member: 5" in repr(forecast)
