"""Settings that every test shares: the torch backend, drawing without a screen, one thread per worker."""

import importlib.util
import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def environments():
    """The module beside this one: environments with fewer packages and nothing set."""
    spec = importlib.util.spec_from_file_location("environments", Path(__file__).with_name("environments.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    """Fresh draws, the same in every run."""
    import numpy as np  # only now: it counts the threads allowed above when it is first imported

    return np.random.default_rng(20261122)
