"""A study of heads on a frozen backbone against one plain `fit` of the whole model, side by side in one process.

`python benchmarks/frozen.py` takes EfficientNetB0 at 96 x 96 with random weights (none can be downloaded here), 400
handwritten digits blown up to that size, 5 folds x 10 seeds x 6 heads, and writes `benchmarks/results/frozen.json`;
`--quick` takes MobileNetV2 at 48 x 48 and a few runs, and writes nothing. Both compute on one core, and seconds are
the processor's, so that what else the machine does matters little; epochs of the plain `fit` are timed on JAX and
TensorFlow where `benchmarks/training/setup_rivals.sh` has made their environments (the first epoch, which compiles,
and a few more, which stand for the others), then on torch before the study and after it. How far the numbers agree is
measured beside.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import keras
import numpy as np

import gengap as gg

sys.path.append(str(Path(__file__).parents[1]))
from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "frozen.json"
RIVALS = {"jax": ROOT / ".venv-jax", "tensorflow": ROOT / ".venv-tf"}
HEADS = ("dropout(0.5)", "l2(0.001)", "width(0.5)", "weight_decay(0.01)", "dropout(0.5)+l2(0.001)")


def images(cases: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return handwritten digits as colour images of a size, in [0, 255], and what they are."""
    data = gg.datasets.digits()
    flat, y = np.asarray(data.train.x)[:cases], np.asarray(data.train.y)[:cases]
    grey = flat.reshape(len(flat), 8, 8, 1).astype("float32")
    large = keras.ops.image.resize(np.repeat(grey * (255 / grey.max()), 3, axis=3), (size, size))
    return keras.ops.convert_to_numpy(large), y


def backbone_with_head(size: int, x: np.ndarray, *, quick: bool) -> keras.Model:
    """Return a frozen backbone of random weights with a head of 32 units, its noise switched off.

    Its batch normalizations get the statistics of some images, as a trained one's have: else all it gives is nearly 0.
    """
    given = {"include_top": False, "weights": None, "input_shape": (size, size, 3), "pooling": "avg"}
    keras.utils.set_random_seed(0)
    base = keras.applications.MobileNetV2(alpha=0.35, **given) if quick else keras.applications.EfficientNetB0(**given)
    normalizations = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalizations:
        layer.momentum = 0.0
    base(x[:32], training=True)
    for layer in normalizations:
        layer.momentum = 0.99
    base.trainable = False
    head = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((size, size, 3)), base, *head])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return gg.Freeze(base.name)(model)


def plain_epoch(model: keras.Model, x: np.ndarray, y: np.ndarray, *, first: bool) -> float:
    """Return the seconds of one epoch of `fit` with its validation, on four fifths and one fifth of the cases."""
    cut = len(x) * 4 // 5
    started = time.process_time()
    model.fit(x[:cut], y[:cut], validation_data=(x[cut:], y[cut:]), batch_size=32, epochs=1, verbose=0)
    return float("nan") if first else time.process_time() - started  # the first one builds what the others use


def agreement(model: keras.Model, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return how far the part computed once is from the whole model, and from Keras' own loop."""
    cut = len(x) * 4 // 5
    data = {"validation_data": (x[cut:], y[cut:]), "epochs": 2, "batch_size": 32, "progress": False}
    once = gg.Study(model, remedies=["dropout(0.5)"], seeds=1).run(x[:cut], y[:cut], **data)
    loop = gg.Study({"dropout(0.5)": gg.Dropout(0.5)(model)}, seeds=1, engine="keras").run(x[:cut], y[:cut], **data)
    whole = once.model("dropout(0.5)", seed=0, epoch="last").predict(x[cut:], verbose=0)
    kept, theirs = (r.validation.prediction_last.sel(variant="dropout(0.5)", seed=0).to_numpy() for r in (once, loop))
    return {"whole_model": float(np.abs(whole - kept).max()), "keras_loop": float(np.abs(theirs - kept).max())}


def rival_epochs(backend: str, model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int) -> dict[str, Any] | None:
    """Return what epochs of the plain `fit` take on another backend; None where it has no environment here."""
    python = RIVALS[backend] / "bin" / "python"
    if not python.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        np.savez(Path(folder) / "cases.npz", x=x, y=y)
        command = [python, ROOT / "benchmarks" / "frozen_rival.py", backend, "model.keras", "cases.npz", str(epochs)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"The rival on {backend} ended with:\n{run.stderr[-2000:]}")
    return dict(json.loads(run.stdout.splitlines()[-1]))


def one_fit_on(told: dict[str, Any], epochs: int) -> float:
    """Return what all epochs take, extrapolated from a few after the first, which compiles."""
    return float(told["first"] + (epochs - 1) * np.median(told["later"]))


def measure(*, quick: bool) -> dict[str, Any]:
    """Time the study, with epochs of the plain `fit` before, in between and after."""
    size, cases, folds, seeds, epochs = (48, 60, 2, 2, 2) if quick else (96, 400, 5, 10, 20)
    heads = HEADS[:1] if quick else HEADS
    x, y = images(cases, size)
    model, plain = (backbone_with_head(size, x, quick=quick) for _ in range(2))
    told = machine("keras", "torch")
    others = {name: rival_epochs(name, plain, x, y, 1 if quick else 3) for name in RIVALS}
    seconds = [plain_epoch(plain, x, y, first=n == 0) for n in range(2 if quick else 4)][1:]
    started = time.process_time()
    study = gg.Study(model, remedies=list(heads), seeds=seeds)
    result = study.run(x, y, epochs=epochs, batch_size=32, cv=folds, progress=False)
    whole_study = time.process_time() - started
    seconds += [plain_epoch(plain, x, y, first=False) for _ in range(1 if quick else 3)]
    one_fit = float(np.median(seconds)) * epochs
    raced = {name: told for name, told in others.items() if told is not None}
    fits = {keras.config.backend(): one_fit, **{name: one_fit_on(told, epochs) for name, told in raced.items()}}
    return {
        "machine": told,
        "backend": keras.config.backend(),
        "model": model.layers[0].name,
        "cases": len(x),
        "size": size,
        "runs": folds * seeds * (1 + len(heads)),
        "epochs": epochs,
        "study_seconds": whole_study,
        "plain_epoch_seconds": sorted(seconds),
        "one_plain_fit_seconds": one_fit,
        "study_over_one_fit": whole_study / one_fit,
        "rivals": raced,
        "one_plain_fit_seconds_by_backend": fits,
        "study_over_fastest_fit": whole_study / min(fits.values()),
        "notes": list(result.manifest["plan"]["notes"]),
        "largest_difference": agreement(model, x, y),
    }


def main() -> None:
    """Measure, print, and write unless in haste."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few runs of a small backbone; nothing is written")
    quick = parser.parse_args().quick
    found = measure(quick=quick)
    print(json.dumps(found, indent=1))
    if not quick:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
