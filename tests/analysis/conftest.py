"""The simulator of benchmarks/, shared so that tests and published tables draw the same studies."""

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "simulated_results", Path(__file__).parents[2] / "benchmarks" / "simulated_results.py"
)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)


@pytest.fixture(scope="session")
def simulate():
    return _MODULE
