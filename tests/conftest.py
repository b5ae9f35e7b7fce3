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


@pytest.fixture
def resampled():
    """Make results whose predictions are `{variant: (passes, cases)}`, as a resampled study leaves them."""
    from dataclasses import replace

    import numpy as np

    from gengap.results import Result

    def make(values, y=None, *, kind="passes", task="regression", score="squared_error", folds=4, constant=10.0):
        seeds, n = next(iter(values.values())).shape
        bare = Result.from_predictions(np.zeros(n) if y is None else y, values, task=task, score=score)
        fold = np.stack([np.roll(np.arange(n) % folds, seed if kind == "passes" else 0) for seed in range(seeds)])
        dims = ("seed", "sample")
        test = bare.test.assign(climatology=(dims, np.full((seeds, n), constant))).assign_coords(fold=(dims, fold))
        told = {
            "kind": kind, "folds": folds, "cases": n, "grouped": False, "forward": False, "mixed_times": False,
            "splitter": "KFold", "training_cases": [30, 30],
        }  # fmt: skip
        return replace(bare, test=test, manifest={**bare.manifest, "resampling": told})

    return make
