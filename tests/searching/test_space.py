"""What users write as a space, and the remedies that draws from it become."""

import keras
import numpy as np
import optuna
import pytest
from scipy import stats

import gengap as gg
from gengap.errors import RemedyError, UnknownNameError
from gengap.searching.ranges import Choice, Range
from gengap.searching.space import read_space

distributions = optuna.distributions


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ((0.1, 0.5), Range(0.1, 0.5)),
        (stats.loguniform(1e-5, 1e-1), Range(1e-5, 1e-1, log=True)),
        (stats.uniform(0.1, 0.4), Range(0.1, 0.5)),
        (distributions.FloatDistribution(1e-4, 1e-2, log=True), Range(1e-4, 1e-2, log=True)),
        (distributions.FloatDistribution(0.1, 0.5, step=0.1), Range(0.1, 0.5, step=0.1)),
        (distributions.CategoricalDistribution([None, 0.2, 0.4]), Choice((None, 0.2, 0.4))),
        ([0.4, None, 0.2], Choice((None, 0.2, 0.4))),
        ([0, 0.2], Choice((None, 0.2))),
        (np.array([0.0, 0.2]), Choice((None, 0.2))),
        ([None, *np.linspace(0.1, 0.5, 3)], Choice((None, 0.1, 0.3, 0.5))),
        (np.array([0.0, 0.2], np.float32), Choice((None, 0.2))),
        ([None, stats.loguniform(1e-3, 0.1)], Range(1e-3, 0.1, log=True, may_be_off=True)),
        ([0, (0.1, 0.5)], Range(0.1, 0.5, may_be_off=True)),
    ],
)
def test_values_are_read_alike_in_whichever_form(given, values):
    assert read_space({gg.Dropout: given}).dimensions[0].values == values


def test_whole_numbers_where_the_remedy_counts():
    space = read_space({gg.EarlyStopping: stats.randint(2, 6), "depth": (0, 2)})
    assert [one.values for one in space.dimensions] == [Range(2, 5, whole=True), Range(0, 2, whole=True)]


def test_keys_are_classes_names_or_instances_whose_options_stay():
    space = read_space({gg.Dropout(0.5, on="kernels"): (0.1, 0.5), "l2(on=kernels)": [1e-3], gg.L1: [1e-4]})
    drawn = {"dropout(on=kernels)": 0.2, "l2(on=kernels)": 1e-3, "l1": None}
    assert str(space.remedy(drawn)) == "dropout(0.2, on=kernels)+l2(0.001, on=kernels)"
    assert gg.remedy(str(space.remedy(drawn))) == space.remedy(drawn)


def test_everything_off_is_the_model_as_it_is():
    space = read_space({gg.Dropout: [None, 0.5], gg.L2: (0, 1.0), gg.Width: [0.5, 1, 2]})
    assert space.remedy({"dropout": None, "l2": 0.0, "width": 1.0}) is None


def test_a_choice_among_remedies():
    space = read_space({"penalty": [None, gg.L1(1e-4), gg.L2(1e-3)]})
    assert space.dimensions[0].values == Choice((None, "l1(0.0001)", "l2(0.001)"))
    assert space.remedy({"penalty": "l2(0.001)"}) == gg.L2(1e-3)


def test_strength_is_the_place_within_the_values_and_off_is_below_all():
    space = read_space({gg.L2: [None, stats.loguniform(1e-4, 1e-2)], gg.Width: (0.25, 1.0), "learning_rate": (0.1, 1)})
    assert space.strength({"l2": 1e-2, "width": 0.25, "learning_rate": 1.0}) == 1
    assert space.strength({"l2": None, "width": 1.0, "learning_rate": 1.0}) < 0.03
    weak, strong = ({"l2": value, "width": 1.0, "learning_rate": 0.5} for value in (1e-4, 1e-3))
    assert 0 < space.strength(weak) < space.strength(strong)


def test_edges_are_where_better_strengths_may_lie_beyond():
    space = read_space({gg.Dropout: (0, 0.5), gg.L2: stats.loguniform(1e-4, 1e-2), gg.L1: [None, 0.1, 0.2, 0.3]})
    assert space.edges({"dropout": 0.0, "l2": 1e-4, "l1": 0.3}) == {"l2": "lower", "l1": "upper"}
    assert space.edges({"dropout": 0.499, "l2": 1e-3, "l1": 0.1}) == {"dropout": "upper"}, "off lies beyond 0.1"


@pytest.mark.parametrize(
    ("space", "error", "sentence"),
    [
        ([gg.Dropout(0.5)], TypeError, "must be a mapping from remedies to values"),
        ({}, ValueError, "`space` is empty"),
        ({"droput": (0, 0.5)}, UnknownNameError, "no remedy named 'droput' .did you mean 'dropout'"),
        ({keras.layers.Dropout: (0, 0.5)}, TypeError, "keys of `space` are remedies"),
        ({gg.Dropout: 0.5}, TypeError, "must be a pair"),
        ({gg.Dropout: (0.5, 0.1)}, ValueError, "must ascend"),
        ({gg.Dropout: (0, 1.0)}, ValueError, r"rate in \[0, 1\)"),
        ({gg.Dropout: stats.norm(0, 1)}, ValueError, "norm, which has no counterpart"),
        ({gg.L2: stats.loguniform(1e-3, 1), "l2": (0, 1)}, ValueError, "more than once"),
        ({gg.EarlyStopping: (1.5, 4)}, ValueError, "takes whole numbers"),
        ({gg.L1L2: (0, 1)}, ValueError, "no single strength"),
        ({gg.Dropout: []}, ValueError, "empty list"),
        ({gg.Dropout: [None, "much"]}, TypeError, "received str 'much'"),
        ({gg.Dropout: [None]}, ValueError, "off alone"),
        ({gg.Dropout: [(0, 0.1), (0.2, 0.3)]}, TypeError, "give numbers, None for off"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_trains(space, error, sentence):
    with pytest.raises(error, match=sentence):
        read_space(space)


def test_a_remedy_that_does_not_fit_the_model_is_said_before_anything_trains():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(RemedyError, match="spatial_dropout"):
        read_space({gg.SpatialDropout: [None, 0.3]}).check(model)
