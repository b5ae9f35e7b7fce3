"""The models of Keras' examples, and studies of them that several laws look at."""

import sys
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.engine.measured_ways import remembered
from gengap.errors import GengapWarning
from gengap.keras_models.clone import clone_compiled

HERE = str(Path(__file__).parent)
BATCH, EPOCHS, SEEDS = 16, 2, (0, 1)
collect_ignore = ["keras_examples"]


@cache
def table():
    """Return the models by name."""
    sys.path.insert(0, HERE)
    try:
        return import_module("keras_examples").EXAMPLES
    finally:
        sys.path.remove(HERE)


def pytest_generate_tests(metafunc):
    """A law sees every model, or those whose turn it is while the others wait for time: laws of one model differ."""
    if "example" in metafunc.fixturenames:
        turn = getattr(metafunc.module, "TURNS", {}).get(metafunc.function.__name__)
        waits = [one.slow or turn not in {None, place % 2} for place, one in enumerate(table().values())]
        marked = [
            pytest.param(name, marks=pytest.mark.slow if w else ()) for name, w in zip(table(), waits, strict=True)
        ]
        metafunc.parametrize("example", marked)


class Bench:
    """Trains one model of the table; a study that was trained once serves every law."""

    def __init__(self, name):
        self.name, self.example = name, table()[name]
        rng = np.random.default_rng(5)
        self.x, self.y = self.example.cases(40, rng)
        self.held_out = self.example.cases(20, rng)
        self.models, self.ways = {}, {}

    def model(self, noise=1.0):
        """Return the user's own model."""
        noise = noise if self.example.noisy else 1.0
        if noise not in self.models:
            self.models[noise] = self._build(noise)
        return self.models[noise]

    def fresh(self, noise=1.0):
        """Return a model like the user's that a test may train."""
        if self.example.draws_in_constructor:
            return clone_compiled(self.model(noise))
        return self._build(noise)

    def _build(self, noise):
        keras.utils.set_random_seed(3)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*looks like it has unbuilt state")  # users see it too
            return self.example.build(noise)

    @cache  # noqa: B019  a bench lives as long as the session
    def studied(self, engine="auto", noise=1.0):
        """Return the result of a study, trained at the first call."""
        return self.study(engine, noise)

    def study(self, engine="auto", noise=1.0, seeds=SEEDS):
        """Train a study anew."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GengapWarning)  # what loops, what is evaluated in batches, what never rests
            study = gg.Study(self.model(noise), seeds=seeds, engine=engine, **self.example.study)
            given = {"validation_data": self.held_out, "epochs": EPOCHS, "batch_size": BATCH, "progress": False}
            with remembered(self.ways):
                return study.run(self.x, self.y, **given)


@cache
def bench_of(name):
    return Bench(name)


@pytest.fixture
def bench(example):
    """Return the model that the law looks at, with its cases."""
    return bench_of(example)
