"""A shipped file loads where gengap is not installed, and forecasts the same on torch, JAX and TensorFlow.

Needs a Python with Keras and these backends and without gengap, named by `GENGAP_BACKENDS` (CONTRIBUTING: `python -m
venv backends; backends/bin/pip install keras torch jax tensorflow-cpu`).
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gengap as gg

PYTHON = os.environ.get("GENGAP_BACKENDS", "")
BACKENDS = ("torch", "jax", "tensorflow")
CODE = """
import importlib.util, sys
assert importlib.util.find_spec("gengap") is None, "gengap is there"
import keras, numpy as np
assert keras.config.backend() == sys.argv[1]
model = keras.saving.load_model(sys.argv[2], safe_mode=True)
x = np.load(sys.argv[3])
np.save(sys.argv[4], model.predict(x, verbose=0))
draws = np.stack([np.asarray(keras.ops.convert_to_numpy(model(x[:20]))) for _ in range(3)])
assert (np.ptp(draws, axis=0).max() > 1e-4) == (sys.argv[5] == "noisy"), "noise"
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON, reason="GENGAP_BACKENDS names no Python with Keras, torch, JAX and TensorFlow, and without gengap"
    ),
]


def forecast(path, x, backend, tmp_path, *, noisy=False):
    out = tmp_path / f"{path.stem}.{backend}.npy"
    np.save(tmp_path / "x.npy", x)
    settings = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    settings |= {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    arguments = [backend, path, tmp_path / "x.npy", out, "noisy" if noisy else "quiet"]
    ended = subprocess.run(
        [PYTHON, "-I", "-c", CODE, *map(str, arguments)], env=settings, cwd=tmp_path, check=False, capture_output=True,
        text=True, timeout=600,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    return np.load(out)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_forecasts(backend, result, data, of_labels, labels, tmp_path):
    assert Path(PYTHON).exists(), f"GENGAP_BACKENDS names {PYTHON}, which does not exist"
    of = result.test["prediction_best"].sel(variant="baseline").to_numpy().astype(np.float64)
    for name, seeds, wanted in (
        ("one", "median", of[result.seeds.index(result.median_seed("baseline"))]),
        ("all", "all", of.mean(axis=0)),
    ):
        path = gg.ship(result, "baseline", seeds=seeds).save(tmp_path / f"{name}.keras")[0]
        np.testing.assert_allclose(forecast(path, data.test.x, backend, tmp_path)[:, 0], wanted, atol=1e-6)
    shipped = gg.ship(of_labels, "baseline", seeds="all", temperature=True)
    path = shipped.save(tmp_path / "warm.keras")[0]
    here = shipped.model.predict(labels.test.x, verbose=0)
    np.testing.assert_allclose(forecast(path, labels.test.x, backend, tmp_path), here, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_encoder_of_a_table_is_layers(backend, tmp_path):
    """Scale, words, times and blanks; the model takes a number a column, and forecasts what was trained."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "pressure": rng.normal(101_300, 900, 90).round(), "cape": rng.gamma(2, 400, 90).round(1),
        "sky": rng.choice(["clear", "cloudy", ""], 90), "time": pd.date_range("2021-01-01", periods=90, freq="31h"),
    })  # fmt: skip
    table.loc[::9, "cape"] = np.nan
    table["storm"] = np.where(table["pressure"] < 101_300, "yes", "no")
    data = gg.datasets.from_table(table, target="storm")
    result = gg.Study(gg.table_model(data), seeds=2).run(data, epochs=1, progress=False)
    shipped = gg.ship(result, "baseline", epoch="last", seeds="all")
    rows = table.drop(columns="storm").assign(sky=["moon", *table["sky"][1:]])
    found = forecast(shipped.save(tmp_path / "raw.keras")[0], data.table.read_numbers(rows), backend, tmp_path)
    models = [result.model("baseline", seed=seed, epoch="last") for seed in result.seeds]
    wanted = np.mean([one.predict(data.table.read_inputs(rows), verbose=0) for one in models], axis=0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_is_on_when_it_is_called(backend, result, data, tmp_path):
    path = gg.ship(result, "baseline", noise=True).save(tmp_path / "noisy.keras")[0]
    found = forecast(path, data.test.x, backend, tmp_path, noisy=True)
    quiet = gg.ship(result, "baseline").model.predict(data.test.x, verbose=0)
    np.testing.assert_allclose(found, quiet, atol=1e-6)  # and off in Keras' own predict
