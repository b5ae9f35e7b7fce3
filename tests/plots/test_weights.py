"""Norms and sparsity are those of the kernels alone, and the figure draws them."""

import keras
import numpy as np
import pytest

from gengap.plots.weights import WeightsDisplay
from gengap.remedies.weights import weight_summary


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    model.add(keras.layers.Dense(1))
    model.layers[0].kernel.assign([[3.0, -4.0], [0.0, 1e-4]])
    model.layers[-1].kernel.assign([[0.0], [0.0]])
    model.layers[0].bias.assign([100.0, 100.0])
    return model


def test_norms_and_sparsity_by_hand(model):
    summary = weight_summary(model, thresholds=[1e-5, 1e-3, 3.5, 10])
    assert summary.count == 6
    assert summary.l2 == pytest.approx(5)
    assert summary.l1 == pytest.approx(7.0001)
    np.testing.assert_allclose(summary.sparsity, [3 / 6, 4 / 6, 5 / 6, 1])


def test_the_figure_draws_every_seed_and_the_sensitivity_curve(model):
    display = WeightsDisplay.from_models({"baseline": model, "l2(0.001)": [model, model]}, threshold=0.01)
    figure = display.plot()
    left, right = figure.axes
    assert [len(line.get_xdata()) for line in left.lines] == [1, 1, 2, 1]
    assert left.lines[0].get_xdata()[0] == pytest.approx(5)
    curve = right.lines[0].get_ydata()
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == pytest.approx(4 / 6)
