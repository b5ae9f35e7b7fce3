"""`tf.data.Dataset` itself, read by a whole study, on TensorFlow and on torch: the same numbers as from arrays.

Needs a Python with TensorFlow and torch, named by `GENGAP_BACKENDS` (see tests/shipping/test_on_every_backend.py), of
the version that runs the tests: what else gengap needs is taken from here. `test_loaders.py` has a stand-in.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PYTHON = os.environ.get("GENGAP_BACKENDS", "")
SOURCE = Path(__file__).parents[2] / "src"
CODE = """
import os, sys
sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
import numpy as np
import tensorflow as tf
import gengap as gg
import keras
from gengap.datasets.loaders import read_batches
from gengap.errors import DataError

assert keras.config.backend() == os.environ["KERAS_BACKEND"]
x = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
y, weight = (x[:, 0] > 0).astype("int64"), np.linspace(0.5, 1, 50).astype("float32")
cases = tf.data.Dataset.from_tensor_slices((x, y, weight))
for given in (
    cases.batch(16),
    cases.batch(16).prefetch(tf.data.AUTOTUNE),
    cases.filter(lambda *_: True).batch(16),  # which does not know its length
    cases.repeat().batch(10).take(5),
    cases.batch(16, drop_remainder=False).map(lambda a, b, c: ({"a": a}, b, c)),
):
    inputs, answers, weights = read_batches(given, "It")
    inputs = inputs["a"] if isinstance(inputs, dict) else inputs
    assert inputs.dtype == x.dtype and np.array_equal(inputs, x)
    assert np.array_equal(answers, y) and np.array_equal(weights, weight)


def refused(given):
    try:
        read_batches(given, "It")
    except DataError as error:
        return str(error)
    raise AssertionError("it was read")


assert "leave `.repeat()` out" in refused(cases.batch(16).repeat())
assert "takes numbers" in refused(tf.data.Dataset.from_tensor_slices((x.astype(str), y)).batch(16))
assert "where an axis of cases must be" in refused(cases)  # nobody said .batch
ragged = tf.data.Dataset.from_tensor_slices((tf.ragged.constant([[1.0], [2.0, 3.0]]), [0, 1])).batch(2)
assert "takes numbers" in refused(ragged) or "cannot be read as arrays" in refused(ragged)

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy")
held = tf.data.Dataset.from_tensor_slices((x[40:], y[40:])).batch(4)
study = gg.Study(model, remedies=["l2(0.01)"], seeds=2)
found = study.run(cases.take(40).batch(16), validation_data=held, epochs=2, progress=False)
wanted = study.run(
    x[:40], y[:40], sample_weight=weight[:40], validation_data=(x[40:], y[40:]), epochs=2, progress=False
)
for name in ("loss", "val_score"):
    assert np.isfinite(found.history[name]).all()
    assert np.array_equal(found.history[name], wanted.history[name]), name
print("read")
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="GENGAP_BACKENDS names no Python with TensorFlow and torch"),
]


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_tf_data_dataset_is_the_arrays_that_it_yields(backend, tmp_path):
    own = subprocess.run([PYTHON, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True,
                         check=True).stdout.strip()  # fmt: skip
    if own != str(sys.version_info[:2]):
        pytest.skip(f"GENGAP_BACKENDS is Python {own}, and the packages of this one do not fit it")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    settings = {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [PYTHON, "-c", CODE, str(SOURCE), sysconfig.get_path("purelib")], env=kept | settings, cwd=tmp_path,
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("read")
