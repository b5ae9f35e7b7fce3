"""RunCurves that grow in a notebook: what is drawn is what was told, seldom enough, and nothing is drawn elsewhere."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from gengap.engine.runs import Collector, Run
from gengap.plots.live_curves import LiveCurvesDisplay, RunCurves
from gengap.study.live_curves import LiveCurves, live_curves
from gengap.study.notebook import notebook_display
from gengap.study.progress import shown

HOSTILE = "<script>alert(1)</script>"


class Page:
    """A stand-in for a notebook's output; `opened` and `updates` are what it was given to show."""

    def __init__(self):
        self.opened, self.updates = [], []

    def open(self, bundle):
        self.opened.append(bundle)
        return self

    def update(self, obj, *, raw):
        assert raw
        self.updates.append(obj)


class Clock:
    """Time that moves when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def runs_of(*variants, seeds=2):
    return [Run(variant, seed, None) for seed in range(seeds) for variant in variants]


def listening(page, runs, clock, *, epochs=4):
    return LiveCurves(Collector(), page.open, runs=runs, num_epochs=epochs, score="log_loss", clock=clock)


def test_it_draws_when_time_has_passed_and_not_before():
    page, clock, runs = Page(), Clock(), runs_of("a", "b")
    listener = listening(page, runs, clock)
    for epoch in range(1, 4):
        clock.now += 0.2
        listener.on_epoch(runs[0], epoch, {"val_score": 1 / epoch, "train_score": 0.5 / epoch})
    assert len(page.opened) == 1
    assert len(page.updates) == 1  # after 0.6 of 0.5 seconds
    assert "0 of 4 runs finished" in page.updates[0]["text/plain"]


def test_dear_drawing_is_done_less_often():
    clock, runs = Clock(), runs_of("a")

    class Slow(Page):
        def update(self, obj, *, raw):
            super().update(obj, raw=raw)
            clock.now += 1.0

    page = Slow()
    listener = listening(page, runs, clock)
    for epoch in range(1, 60):
        clock.now += 1.0
        listener.on_epoch(runs[0], epoch, {"val_score": 1.0, "train_score": 1.0})
    assert len(page.updates) == 2  # one second of drawing allows the next after fifty


def test_what_is_told_is_passed_on_and_counted():
    page, clock, runs = Page(), Clock(), runs_of("a", seeds=1)
    listener = listening(page, runs, clock)
    record = SimpleNamespace(variant="a", seed=0)
    listener.on_record(record)
    listener.draw()
    assert listener._inner.records == [record]
    assert "1 of 1 runs finished" in page.updates[-1]["text/plain"]
    assert "left" not in page.updates[-1]["text/plain"]


def test_time_left_is_what_the_epochs_so_far_took():
    page, clock, runs = Page(), Clock(), runs_of("a", seeds=1)
    listener = listening(page, runs, clock, epochs=4)
    clock.now = 60.0
    listener.on_epoch(runs[0], 1, {"train_score": 1.0})
    assert page.updates[-1]["text/plain"] == "0 of 1 runs finished, 1:00 gone, at most 3:00 left"


def test_the_last_state_is_drawn_however_training_ends():
    page, runs = Page(), runs_of("a")

    def interrupted():
        with live_curves(Collector(), page.open, runs=runs, num_epochs=4, score="log_loss") as listener:
            listener.on_epoch(runs[0], 1, {"val_score": 0.7, "train_score": 0.6})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ">0.7000<" in page.updates[-1]["text/html"]


def filled(variants=("baseline", "l2(0.01)"), *, seeds=3, epochs=5):
    curves = RunCurves(list(variants), dict.fromkeys(variants, seeds), epochs, "log_loss")
    rng = np.random.default_rng(0)
    for variant in variants:
        for seed in range(seeds):
            for epoch in range(1, epochs + 1 - seed):  # later seeds have not come so far
                logs = {"val_score": 1 / epoch + 0.1 * rng.random(), "train_score": 1 / epoch}
                curves.add(variant, seed, epoch, logs)
    return curves


def test_means_are_over_the_runs_that_have_come_so_far():
    curves = filled()
    values = [dict(points) for points in curves.of("baseline", "val_score")]
    assert [len(one) for one in values] == [5, 4, 3]
    for epoch, mean in curves.mean("baseline", "val_score"):
        assert mean == pytest.approx(np.mean([one[epoch] for one in values if epoch in one]))


def test_the_figure_holds_every_run_and_both_means():
    svg = LiveCurvesDisplay(filled()).to_svg()
    assert len(re.findall("<path", svg)) == 2 * (3 + 2)
    numbers = [float(one) for one in re.findall(r"[\d.]+,([\d.]+)(?=[L\"])", svg)]
    assert min(numbers) >= 12
    assert max(numbers) <= 300 - 34


def test_scores_that_are_missing_or_infinite_are_left_out():
    curves = RunCurves(["a"], {"a": 1}, 3, "log_loss")
    curves.add("a", 0, 1, {"train_score": 0.5})
    curves.add("a", 0, 2, {"train_score": float("nan")})
    page = LiveCurvesDisplay(curves).to_html("")
    assert "nan" not in page
    assert "inf" not in page.replace("infinite", "")
    assert curves.mean("a", "train_score") == [(1, 0.5)]
    assert "<svg" in LiveCurvesDisplay(RunCurves(["a"], {"a": 1}, 1, "log_loss")).to_html("")  # nothing known yet


def test_names_are_text():
    page = LiveCurvesDisplay(filled((HOSTILE,))).to_html(HOSTILE)
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_there_is_no_notebook_here(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert notebook_display() is None
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(config={})))
    assert notebook_display() is None  # IPython in a terminal
    monkeypatch.delitem(sys.modules, "IPython")
    assert notebook_display() is None


def test_silence_is_silence_in_a_notebook_too(monkeypatch):
    page, inner = Page(), Collector()
    monkeypatch.setattr("gengap.study.progress.notebook_display", lambda: page.open)
    with shown(inner, runs=runs_of("a"), num_epochs=3, score="log_loss", show=False) as listener:
        assert listener is inner
    assert page.opened == []
    with shown(inner, runs=runs_of("a"), num_epochs=3, score="log_loss", show=True) as listener:
        assert isinstance(listener, LiveCurves)
    assert len(page.opened) == 1


STUDY = """
import keras
import gengap as gg

model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
study = gg.Study(model, remedies=["l2(0.01)"], seeds=2)
result = study.run(gg.datasets.diabetes(), epochs=3)
"""


@pytest.mark.slow
def test_a_real_notebook_shows_the_curves_of_its_study():
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    v4 = nbformat.v4
    cells = [v4.new_code_cell(source) for source in (STUDY, "study", "result", "gg.compare(result)")]
    notebook = v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs  # one, drawn again and again, and nothing else
    shown = output["data"]
    assert shown["text/plain"].startswith("4 of 4 runs finished")
    assert shown["text/html"].count("<path") == 2 * (2 + 2)
    assert "l2(0.01)" in shown["text/html"]
    for cell in notebook.cells[1:]:
        (output,) = cell.outputs
        assert "<table" in output["data"]["text/html"]
        assert "l2(0.01)" in output["data"]["text/html"]
        assert "l2(0.01)" in output["data"]["text/plain"]
