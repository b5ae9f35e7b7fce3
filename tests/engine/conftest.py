"""Small data, models and weights that the tests of the engine share."""

import numpy as np
import pytest

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Collector, TrainingSettings
from gengap.engine.state import ChunkState


@pytest.fixture
def make_data():
    """Return a function that makes training data of any input shape and kind of answer."""

    def make(shape=(6,), *, task="binary", labels=3, n=(53, 20, 12), integers=None, seed=0):
        rng = np.random.default_rng(seed)

        def split(size):
            x = rng.normal(size=(size, *shape)).astype(np.float32)
            score = x.reshape(size, -1)[:, :3].sum(axis=1) + rng.normal(size=size)
            if integers:
                x = rng.integers(0, integers, (size, *shape)).astype(np.int32)
                score = x.reshape(size, -1)[:, :3].sum(axis=1) - 1.5 * integers + rng.normal(size=size)
            y = {
                "binary": (score > 0).astype(np.float32),
                "multiclass": np.digitize(score, [-0.7, 0.7][: labels - 1]),
                "regression": score.astype(np.float32),
            }[task]
            return Split(x, y)

        return TrainingData(*(split(size) if size else None for size in n))

    return make


@pytest.fixture
def settings():
    """Return a function that makes settings of a short training."""

    def make(**given):
        task = given.get("task", "binary")
        score = "squared_error" if task == "regression" else "log_loss"
        return TrainingSettings(**{"epochs": 2, "batch_size": 16, "task": task, "score": score, **given})

    return make


@pytest.fixture
def collect():
    """Return a function that trains runs with an engine and gives the records by (variant, seed)."""

    def train(engine, runs, data, settings, **given):
        collector = Collector()
        engine(runs, data, settings, collector, **given)
        return {(record.variant, record.seed): record for record in collector.records}

    return train


class Keeper(Collector):
    """Collects records and every checkpoint: its chunk, a copy of its state, and how many records there were."""

    def __init__(self):
        super().__init__()
        self.states = []

    def on_checkpoint(self, chunk_id, state):
        arrays = {path: np.array(value) for path, value in state.arrays.items()}
        self.states.append((chunk_id, ChunkState(arrays, state.scalars), len(self.records)))


@pytest.fixture
def make_keeper():
    """Return what makes a listener that keeps records and every checkpoint."""
    return Keeper


@pytest.fixture(autouse=True)
def weights_drawn_alike():
    """Every test's models start from the same weights, in whatever company it runs.

    Two orders of one sum differ by 1e-7, and where a gradient is near 0 Adam makes up to 1e-4 of that: with weights
    drawn anew at each run 1 in 500 comparisons of two engines goes over 2e-5 (with `epsilon=1e-3` none does).
    """
    import keras  # only now: the environment of tests/conftest.py is read when it is first imported

    keras.utils.set_random_seed(0)
