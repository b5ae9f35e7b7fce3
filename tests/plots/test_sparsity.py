"""Sparsity counts kernels only; scatter draws the cases that are known on both sides."""

import numpy as np
import pytest
import xarray as xr

from gengap.errors import DataError
from gengap.plots import ScatterDisplay, SparsityDisplay
from gengap.results import Result


@pytest.fixture
def result():
    coords = {"variant": ["plain", "l1"], "seed": [0, 1], "epoch": [1]}
    history = xr.Dataset({"train_score": (tuple(coords), np.ones((2, 2, 1)))}, coords=coords)
    kernel = np.array([[1e-5, -2e-3], [0.5, -3.0]], dtype=np.float32)
    weights = {(name, seed, "last"): [kernel / (1 + 9 * (name == "l1")), np.zeros(50, dtype=np.float32)]
               for name in coords["variant"] for seed in (0, 1)}  # fmt: skip
    return Result(history, xr.Dataset(), xr.Dataset(), xr.Dataset(), {"task": "binary"}, weights)


def test_shares_by_hand(result):
    display = SparsityDisplay.from_result(result)
    at = {level: int(np.argmin(abs(np.log10(display.thresholds) - level))) for level in (-3, -2, 0)}
    assert display.data["plain"].shape == (2, 61)
    assert [display.data["plain"][0, at[level]] for level in (-3, -2, 0)] == [0.25, 0.5, 0.75]
    assert [display.data["l1"][1, at[level]] for level in (-3, -2, 0)] == [0.5, 0.5, 1.0]


def test_every_run_and_every_mean_is_drawn(result):
    display = SparsityDisplay.from_result(result, variants=["l1"], declared=0.01)
    ax = display.plot()
    declared, *runs, mean = ax.lines
    assert set(declared.get_xdata()) == {0.01}
    assert len(runs) == 2
    np.testing.assert_allclose(mean.get_ydata(), display.data["l1"].mean(0))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["l1"]
    assert ax.get_xscale() == "log"


def test_no_weights_no_figure(result):
    with pytest.raises(DataError, match="no weights"):
        SparsityDisplay.from_result(result, epoch="best")


def test_scatter_draws_known_cases_and_the_mean_outcome():
    ax = ScatterDisplay.from_predictions([1.0, 3.0, np.nan, 8.0], [2.0, 3.0, 4.0, 5.0], units="K").plot()
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[2, 1], [3, 3], [5, 8]])
    assert next(line for line in ax.lines if line.get_label() == "Mean outcome").get_ydata()[0] == 4
    assert ax.get_xlabel() == "Forecast (K)"
    assert ax.get_xlim() == ax.get_ylim()


def test_scatter_thins_out_many_cases_evenly():
    x = np.arange(10_000.0)
    display = ScatterDisplay.from_predictions(x, x + 1)
    assert len(display.data) == 3000
    assert (display.y_true[0], display.y_true[-1]) == (0, 9999)
    assert display.mean == x.mean()


@pytest.mark.parametrize(("y", "p", "text"), [([1, 2], [1], "shape"), ([np.nan], [1.0], "No case")])
def test_scatter_refuses(y, p, text):
    with pytest.raises(DataError, match=text):
        ScatterDisplay.from_predictions(y, p)
