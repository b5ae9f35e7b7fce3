"""What the dropout figures draw is what Keras' own layers do, and both right ways of scaling agree in expectation."""

import keras
import numpy as np
import pytest

from gengap.plots.dropout_masks import DropoutMasksDisplay, DropoutScalingDisplay
from gengap.remedies.masks import drop_out


@pytest.mark.parametrize("rate", [0.5, 0.2])
def test_both_ways_of_scaling_agree_with_inference_and_dividing_by_the_rate_does_not(rate):
    display = DropoutScalingDisplay.from_rates((rate,), num_masks=800)
    up, down, wrong = display.means.values()
    assert up == pytest.approx(1, abs=0.03)
    assert down == pytest.approx(1, abs=0.03)
    assert wrong == pytest.approx((1 - rate) / rate, rel=0.03), "at .5 the mistake hides, at .2 it shows"
    assert all(error < 0.02 for error in display.errors["scaled up in training"])


def test_scaled_up_values_are_those_of_keras():
    keras.utils.set_random_seed(3)
    ones = np.ones((1, 10, 10, 3), "float32")
    for spatial, layer in ((False, keras.layers.Dropout(0.2)), (True, keras.layers.SpatialDropout2D(0.2))):
        theirs = np.asarray(layer(ones, training=True))
        ours = drop_out(ones[0], 0.2, spatial=spatial, seed=5).training
        assert set(np.unique(ours).round(6)) <= {0.0, 1.25}
        assert set(np.unique(theirs).round(6)) <= {0.0, 1.25}
        per_map = ours.reshape(-1, 3)
        assert (per_map.min(0) == per_map.max(0)).all() == spatial


def test_masks_do_not_depend_on_the_way_of_scaling():
    x = np.random.default_rng(0).random((3, 4))
    up, down = (drop_out(x, 0.3, scaling=s, seed=9) for s in ("training", "inference"))
    np.testing.assert_array_equal(up.mask, down.mask)
    np.testing.assert_allclose(up.training * 0.7, down.training)
    np.testing.assert_allclose(down.inference, 0.7 * x)


def test_no_dropout_is_the_identity_and_rate_one_is_refused():
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(drop_out(x, 0).training, x)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        drop_out(x, 1)


def test_the_panels_carry_maximum_and_count_of_non_zeros():
    display = DropoutMasksDisplay.from_rate(0.5, seed=1)
    figure = display.plot()
    assert len(figure.axes) == 6
    first = display.dropout[..., 0]
    assert figure.axes[0].get_xlabel() == f"max {first.max():g}, non-zero {np.count_nonzero(first)} of 100"
    assert {np.count_nonzero(display.spatial[..., i]) for i in range(3)} <= {0, 100}
    drawn = np.asarray(figure.axes[0].collections[0].get_array()).reshape(10, 10)
    np.testing.assert_array_equal(drawn, first)


def test_the_scaling_figure_draws_the_means():
    display = DropoutScalingDisplay.from_rates(num_masks=20)
    ax = display.plot()
    heights = [bar.get_height() for container in ax.containers if hasattr(container, "patches") for bar in container]
    np.testing.assert_allclose(sorted(heights), sorted(np.concatenate(list(display.means.values()))))
