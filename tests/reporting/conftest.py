"""Results drawn from named laws, a reader of the page's tables, and Debian's chromium."""

import json
import re
import shutil
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

from gengap.reporting import render_report, report
from gengap.results import Result

HOSTILE = "<script>alert(1)</script>&\"'{{ 7*7 }}</table>"


def make_result(
    task="binary",
    *,
    variants=("baseline", "l2(0.01)", "dropout(0.5)+l2(0.01)"),
    seeds=6,
    epochs=8,
    cases=150,
    test=True,
):
    """A result whose later variants are better by known amounts; curves, runs and predictions hang together."""
    rng = np.random.default_rng(0)
    shape = (len(variants), seeds, epochs)
    fall = 0.4 + 0.3 * np.exp(-np.arange(epochs) / 3) + 0.004 * np.arange(epochs)
    curve = fall - 0.03 * np.arange(len(variants))[:, None, None] + 0.01 * rng.standard_normal(shape)
    history = {"val_score": curve, "train_score": curve - 0.05, "loss": curve - 0.02, "val_loss": curve + 0.01,
               "penalty": 0.01 + 0 * curve, "accuracy": 1 - curve, "val_accuracy": 0.95 - curve}  # fmt: skip
    dims = ("variant", "seed", "epoch")
    coords = {"variant": list(variants), "seed": np.arange(seeds), "epoch": np.arange(1, epochs + 1)}
    best = curve.argmin(-1) + 1
    runs = {"parameters": np.full(best.shape, 13569), "best_epoch": best, "epochs": np.full(best.shape, epochs),
            "seconds": rng.uniform(1, 2, best.shape), "weight_norm": rng.uniform(3, 9, best.shape),
            "sparsity": rng.uniform(0, 0.2, best.shape), "status": np.full(best.shape, "completed")}  # fmt: skip
    parts = {name: held_out(rng, task, variants, seeds, cases) for name in ("validation", "test")}
    for part in parts.values():
        part["prediction_epochs"] = every_epoch(rng, part["prediction_last"], epochs, task)
    manifest = {
        "format": 1, "task": task, "score": "squared_error" if task == "regression" else "log_loss",
        "primary": {"epoch": "best"}, "seeds": list(range(seeds)), "looks": [{"seeds": seeds, "time": "2026-01-01"}],
        "created": "2026-01-01T00:00:00+00:00", "command": "gengap demo soundings --seeds 6", "engine": "keras",
        "settings": {"epochs": epochs, "batch_size": 32}, "versions": {"gengap": "0.1.0", "numpy": np.__version__},
        "variants": {name: {"remedy": name, "summary": f"Model of {name}"} for name in variants},
        "data": {"name": "made", "n_train": 419, "n_validation": cases, "n_test": cases, "synthetic": True,
                 "training_climatology": {"binary": 0.4, "multiclass": [0.5, 0.3, 0.2], "regression": 0.0}[task]},
    }  # fmt: skip
    manifest["primary"]["score"] = manifest["score"]
    return Result(
        xr.Dataset({name: (dims, values) for name, values in history.items()}, coords=coords),
        xr.Dataset({name: (dims[:2], values) for name, values in runs.items()},
                   coords={name: coords[name] for name in dims[:2]}),
        parts["validation"],
        parts["test"] if test else xr.Dataset(),
        manifest,
        {(v, s, rule): [rng.normal(scale=0.1, size=(20, 5)), np.zeros(5)]
         for v in variants for s in range(seeds) for rule in ("best", "last")},
    )  # fmt: skip


def held_out(rng, task, variants, seeds, cases):
    """Forecasts that know more of the truth the later the variant stands."""
    known = np.array([0.8 + 0.8 * at for at in range(len(variants))])[:, None, None]
    signal = rng.standard_normal(cases)
    noise = 0.4 * rng.standard_normal((len(variants), seeds, cases))
    dims = ["variant", "seed", "sample"]
    if task == "binary":
        y = (rng.random(cases) < 1 / (1 + np.exp(-2.4 * signal))).astype(int)
        forecast = 1 / (1 + np.exp(-(known * signal + noise)))
    elif task == "multiclass":
        y = np.digitize(signal, [0, 1])
        forecast = np.exp((known * (signal + noise))[..., None] * np.array([-1, 0, 1]))
        forecast, dims = forecast / forecast.sum(-1, keepdims=True), [*dims, "label"]
    else:
        y = signal
        forecast = signal * known / 3 + 0.2 * noise
    return xr.Dataset(
        {f"prediction_{rule}": (dims, (forecast * (1 if rule == "best" else 0.99 / 1)).astype(np.float32))
         if task != "multiclass" else (dims, forecast.astype(np.float32)) for rule in ("best", "last")}
        | {"y_true": ("sample", y)},
        coords={"variant": list(variants), "seed": np.arange(seeds)},
    )  # fmt: skip


def every_epoch(rng, last, epochs, task):
    """Forecasts of every epoch in half precision, as a study keeps them: those of the last, disturbed."""
    shape = (*last.shape[:2], epochs, *last.shape[2:])
    values = last.values[:, :, None] + 0.05 * rng.standard_normal(shape)
    if task != "regression":
        values = np.clip(values, 0.01, 0.99)
    if task == "multiclass":
        values = values / values.sum(-1, keepdims=True)
    return (*last.dims[:2], "epoch", *last.dims[2:]), values.astype(np.float16)


class Page(HTMLParser):
    """What a reader finds on a page: tables as rows of (text, sort value), texts of elements by class, data."""

    def __init__(self, source):
        super().__init__()
        self.source, self.tables, self.texts, self.tags = source, {}, [], []
        self._section, self._row, self._cell, self._depth = "", None, None, 0
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag == "section":
            self._section = attrs["id"]
            self.tables[self._section] = []
        elif tag == "tr":
            self._row = []
        elif tag in {"td", "th"}:
            self._cell = ["", attrs.get("data-value")]

    def handle_data(self, data):
        if self._cell is not None:
            self._cell[0] += data
        self.texts.append(data)

    def handle_endtag(self, tag):
        if tag in {"td", "th"} and self._cell is not None:
            self._row.append((" ".join(self._cell[0].split()), self._cell[1]))
            self._cell = None
        elif tag == "tr" and self._row is not None:
            self.tables[self._section].append(self._row)
            self._row = None

    @property
    def data(self):
        found = re.search(r'<script type="application/json" id="curves-data">(.*?)</script>', self.source, re.DOTALL)
        return json.loads(found[1])

    @property
    def sentences(self):
        found = re.findall(r'<span class="tone">.*?</span><span>(.*?)</span>', self.source)
        return [re.sub(r"<.*?>", "", text).replace("\u00a0", " ").strip() for text in found]


@pytest.fixture(scope="session")
def make():
    return make_result


@pytest.fixture(scope="session")
def hostile_name():
    return HOSTILE


@pytest.fixture(scope="session")
def result():
    return make_result()


@pytest.fixture(scope="session")
def source(result):
    return render_report(result)


@pytest.fixture(scope="session")
def source_of():
    """The pages of other tasks, drawn when they are first asked for."""
    return cache(lambda task: render_report(make_result(task)))


@pytest.fixture
def page(source):
    return Page(source)


@pytest.fixture(scope="session")
def read_page():
    return Page


@pytest.fixture(scope="session")
def files(tmp_path_factory, result):
    """The same page in both languages, and one whose variant has a hostile name."""
    folder = tmp_path_factory.mktemp("report")
    hostile = make_result(variants=("baseline", HOSTILE), seeds=3, epochs=4, cases=60)
    return {
        "en": report(result, folder / "en.html"),
        "zh": report(result, folder / "zh.html", lang="zh"),
        "hostile": report(hostile, folder / "hostile.html"),
    }


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Debian's chromium with the network off; skipped aloud where it or selenium is absent."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("chromium or chromedriver is absent: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    profile = tmp_path_factory.mktemp("profile")
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-dev-shm-usage", f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    found.execute_cdp_cmd("Network.enable", {})
    found.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield found
    found.quit()
