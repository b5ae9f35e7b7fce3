"""A predictive distribution of a model of Keras' examples changes no variable of it, and all noise is on."""

import warnings

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.errors import ModelError, NoiseWarning


def first_cases(x):
    return keras.tree.map_structure(lambda part: part[:3], x)


def state(model):
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in model.variables]


def test_no_variable_changes(bench):
    model, cases = bench.fresh(), first_cases(bench.held_out[0])
    if not bench.example.never_rests:
        forecast = model.predict(cases, verbose=0)
    before, known = state(model), {k: bench.example.study[k] for k in ("task", "output") if k in bench.example.study}
    if bench.example.noisy:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoiseWarning)  # augmentation is left off, or noise never rests
            drawn = gg.predict_distribution(model, cases, num_members=4, progress=False, **known)
        assert drawn.members.values.std(axis=0).max() > 0
    else:
        with pytest.raises(ModelError, match="noise"):
            gg.predict_distribution(model, cases, num_members=4, progress=False, **known)
    for now, was in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(now, was)
    if not bench.example.never_rests:
        keras.tree.map_structure(np.testing.assert_array_equal, model.predict(cases, verbose=0), forecast)
