"""What a public thing was called in the release before works for one more, with a warning that says the new name."""

import importlib
import inspect
import warnings

import numpy as np
import pytest
import xarray as xr

import gengap as gg
from gengap import plots
from gengap.analysis.tables import IntervalEstimate
from gengap.deprecated import ARGUMENTS, ATTRIBUTES, NAMES

OLD_NAMES = [(module, old, new) for module, names in NAMES.items() for old, new in names.items()]
OLD_ARGUMENTS = [(path, old, new) for path, names in ARGUMENTS.items() for old, new in names.items()]
OLD_ATTRIBUTES = [(path, old, new) for path, names in ATTRIBUTES.items() for old, new in names.items()]


def found(path):
    """The object at a public path, opened as a user would."""
    parts = path.split(".")
    value = importlib.import_module(parts[0])
    for part in parts[1:]:
        value = getattr(value, part)
    return value


def distribution():
    members = xr.DataArray(np.linspace(0.1, 0.9, 12).reshape(4, 3), dims=("member", "sample"))
    members = members.assign_coords(sample=range(3), seed=("member", [0, 0, 1, 1]))
    return gg.PredictiveDistribution(members, members.mean("member"), "binary", {})


OWNERS = {
    "gengap.PredictiveDistribution": distribution,
    "gengap.plots.CapacityDisplay": lambda: plots.CapacityDisplay(np.ones((2, 3)), ("1", "2"), (0, 1), 1, "log_loss"),
    "gengap.plots.DataValueDisplay": lambda: plots.DataValueDisplay(
        np.ones((2, 3)), np.array([1, 2]), lambda share: share, IntervalEstimate(1.0, 0.5, 1.5), "yes"
    ),
}


@pytest.mark.parametrize(("module", "old", "new"), OLD_NAMES)
def test_an_old_name_is_found_under_its_new_one(module, old, new):
    with pytest.warns(DeprecationWarning, match=f"`{module}.{old}` is now `{new}`"):
        value = getattr(importlib.import_module(module), old)
    assert value is found(new)
    assert old not in dir(importlib.import_module(module))


@pytest.mark.parametrize(("path", "old", "new"), OLD_ARGUMENTS)
def test_an_old_argument_says_its_new_name_and_goes_on(path, old, new):
    function = found(path)
    taken = new.partition(".")[0]
    assert taken in inspect.signature(function).parameters
    assert old not in inspect.signature(function).parameters
    with pytest.warns(DeprecationWarning, match=f"`{old}` of `{path}` is now `{new}`"), pytest.raises(Exception):  # noqa: B017, PT011  whatever the function says of None
        function(**{old: None})
    with pytest.raises(TypeError, match=f"`{old}` is the old name of `{new}`"):
        function(**{old: None, taken: None})


@pytest.mark.parametrize(("path", "old", "new"), OLD_ATTRIBUTES)
def test_an_old_attribute_is_the_new_one(path, old, new):
    owner = OWNERS[path]()
    with pytest.warns(DeprecationWarning, match=f"`{old}` of `{path}` is now `{new}`"):
        value = getattr(owner, old)
    assert value is getattr(owner, new)


def test_an_old_argument_does_what_the_new_one_does():
    made = distribution()
    with pytest.warns(DeprecationWarning, match="`samples`"):
        old = made.select(samples=[0, 2])
    xr.testing.assert_identical(old.members, made.select(cases=[0, 2]).members)


def test_the_warning_points_at_the_line_that_used_the_old_name():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gg.datasets.reviews  # noqa: B018  looked up for the warning
        distribution().select(samples=[0])
        distribution().num_samples  # noqa: B018
    assert [one.filename for one in caught] == [__file__] * 3
