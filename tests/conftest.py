"""Settings that every test shares: the torch backend, drawing without a screen, one thread per worker."""

import importlib.util
import os
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")


TOGETHER = ("tests/laws/", "tests/reporting/")
"""Folders whose files look at the same studies and pages, which are made once in a worker."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out files as `--dist loadfile` does, and the files of these folders together."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LoadFolders(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return LoadFolders(config, log)


def pytest_collection_finish(session):
    """Let the planner time two steps in the place of seven: how well it measures is not what studies of tests ask.

    A study of a test often has fewer steps than a measurement; `tests/engine/test_planner.py` brings its own times.
    """
    if session.config.option.collectonly or "keras" not in sys.modules:
        return
    engine = import_module("gengap.engine.fused")
    timed = engine.timed

    def timed_briefly(steps, **given):
        return timed(steps[:2], **given)

    engine.timed = timed_briefly


THINNED = (
    "engine/test_attention.py",
    "engine/test_every_layer_predicts_as_keras.py",
    "engine/test_fused.py",
    "engine/test_metrics_as_in_fit.py",
    "engine/test_noise_without_a_seed.py",
    "engine/test_recurrent.py",
    "plots/test_legible.py",
    "reporting/test_browser.py",
    "sampling/test_laws_of_noise.py",
    "test_result_files.py",
)
"""Files whose cases cross many layers, losses or pages with one law each: every second case of a test waits for
`make test-all`, so that `make test` stays below ten minutes; every test keeps its first case, its third ..."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Let every second case of the tests of some files wait for time."""
    folder, met = Path(__file__).parent, Counter()
    for item in items:
        if item.path.is_relative_to(folder) and item.path.relative_to(folder).as_posix() in THINNED:
            test = item.nodeid.partition("[")[0]
            if met[test] % 2:
                item.add_marker("slow")
            met[test] += 1


@pytest.fixture(autouse=True)
def _close_figures():
    """Close what a test drew with pyplot, which holds every figure and warns from the twenty-first on."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


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
def draw_only(monkeypatch):
    """Return a function that leaves figures out of the report's sections, but for those that it is told.

    Drawing takes most of a page's time, and many tests read words and tables alone. That everything is drawn, for every
    task and in both languages, is asked in `tests/reporting/test_writing.py`.
    """
    from markupsafe import Markup

    import gengap.reporting.writing  # noqa: F401  loads the sections

    def leave_out(_plot, *, name, label, **_):
        return Markup('<svg id="{}" role="img" aria-label="{}"></svg>').format(name, label)

    def choose(*drawn):
        sections = {name.rpartition(".")[2]: module for name, module in sys.modules.items() if ".sections." in name}
        drawing = {name for name, module in sections.items() if hasattr(module, "inline_svg")}
        assert len(drawing) > 4
        assert drawing >= set(drawn)
        for name in drawing - set(drawn):
            monkeypatch.setattr(sections[name], "inline_svg", leave_out)

    return choose


@pytest.fixture
def undrawn(draw_only):
    """Leave the figures out of every report of a test."""
    draw_only()


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
