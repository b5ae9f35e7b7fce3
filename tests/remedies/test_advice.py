"""Advice follows the model and the amount of data, and every piece of it can be run."""

import keras
import numpy as np
import pytest

from gengap.datasets.split import Split
from gengap.remedies import SpatialDropout, Variant, Width, suggest

layers = keras.layers


def names(suggestions):
    return [type(s.remedy.parts()[0]).__name__ for s in suggestions]


def test_many_parameters_for_few_cases_ask_for_less(review_net):
    model = review_net(words=500)
    found = suggest(model, (np.zeros((100, 500)), np.zeros(100)))
    assert {"Dropout", "L2", "Width", "EarlyStopping", "Subsample"} <= set(names(found))
    assert Width(0.25) in [s.remedy for s in found]
    assert all(s.reason for s in found)


def test_few_parameters_for_many_cases_ask_for_more(review_net):
    found = suggest(review_net(words=4, units=(4, 4)), Split(np.zeros((5000, 4)), np.zeros(5000)))
    assert Width(2) in [s.remedy for s in found]
    assert "Dropout" not in names(found)


def test_maps_ask_for_spatial_dropout_flat_data_do_not(storm_net, review_net):
    y = np.zeros(100)
    assert suggest(storm_net(), (None, y))[0].remedy == SpatialDropout(0.2)
    assert "SpatialDropout" not in names(suggest(review_net(), (None, y)))


def test_what_is_impossible_is_not_suggested():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert names(suggest(model, (None, np.zeros(10)))) == ["EarlyStopping", "Subsample"]


@pytest.mark.parametrize("n", [50, 50_000])
def test_every_suggestion_runs(storm_net, n):
    model = storm_net(size=8)
    for suggestion in suggest(model, (None, np.zeros(n))):
        variant = suggestion.remedy.treat(Variant("baseline", model))
        variant.model.fit(np.zeros((4, 8, 8, 3)), np.zeros((4, 1)), verbose=0)
        assert variant.name == str(suggestion.remedy)
        assert str(suggestion).startswith(variant.name)
