"""Data sets by name."""

import inspect
import subprocess
import sys

import pytest

import gengap_examples
from gengap import datasets
from gengap.errors import UnknownNameError


@pytest.mark.parametrize("name", datasets.available())
def test_every_name_is_a_public_function_that_says_what_it_returns(name):
    function = getattr(datasets, name)
    assert inspect.isfunction(function)
    assert inspect.signature(function).return_annotation is datasets.Dataset


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("soundings", {}),
        ("digits", {}),
        ("diabetes", {}),
    ],
)
def test_a_data_set_says_what_it_is(name, options):
    says_what_it_is(datasets.load(name, **options), name)


@pytest.mark.parametrize("name", ["reviews", "synthetic_storms"])
def test_the_generators_say_what_they_are_and_where_they_have_moved(name):
    with pytest.warns(DeprecationWarning, match=f"is now `gengap_examples.{name}`"):
        data = datasets.load(name, n_train=10, n_validation=5, n_test=5)
    says_what_it_is(data, name)
    with pytest.warns(DeprecationWarning, match="is now `gengap_examples"):
        assert getattr(datasets, name) is getattr(gengap_examples, name)


def says_what_it_is(data, name):
    assert data.name == name
    assert data.synthetic == bool(data.truth)
    assert all((data.description, data.licence, data.citation, data.feature_names))
    assert ("ynthetic" in data.description) == data.synthetic
    assert len(data.label_names) == {"binary": 2, "multiclass": 10, "regression": 0}[data.task]
    assert bool(data.target_units) == (data.task == "regression")
    assert len(data.feature_names) == data.train.x.shape[-1]
    for split in (data.train, data.validation, data.test):
        assert split.x.shape[0] == len(split.y) == len(split)
        assert split.x.dtype == "float32"


def test_an_unknown_name_lists_the_names():
    with pytest.raises(UnknownNameError, match=r"'sounding' .*; there are diabetes, digits, imdb"):
        datasets.load("sounding")


def test_the_import_is_light():
    heavy = "{'keras', 'torch', 'sklearn', 'xarray', 'pandas', 'matplotlib', 'scipy.stats'}"
    code = (
        f"import sys, gengap.datasets as d; d.load, d.soundings(), d.imdb, d.storms; print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
