"""The bounds on Keras and torch are read as they stand, and what is installed lies between them."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import try_versions


@pytest.mark.parametrize("package", ["keras", "torch"])
def test_each_end_of_the_bounds_is_asked_for(package):
    oldest, newest = (try_versions.requirement(package, which) for which in ("oldest", "newest"))
    assert oldest.startswith(f"{package}==")
    assert newest.startswith(f"{package}<")
    low, high = (tuple(map(int, one.lstrip(f"{package}=<").split(".")[:2])) for one in (oldest, newest))
    try:
        here = tuple(map(int, metadata.version(package).split(".")[:2]))
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is here under another name")
    assert low <= here < high


def test_what_it_runs_exists():
    assert all((try_versions.ROOT / one).exists() for one in try_versions.CORE)
