"""Epochs of plain `fit` on another Keras backend, timed in its own process for `benchmarks/frozen.py`; no gengap here.

`python benchmarks/frozen_rival.py jax model.keras cases.npz 4` prints processor seconds of an epoch, which
compiles, and of four more, as a line of JSON.
"""

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = sys.argv[1]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if hasattr(os, "sched_setaffinity"):  # XLA takes all cores that it finds
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import keras
import numpy as np


def main() -> None:
    """Fit epoch after epoch, and print what each took."""
    model, cases = keras.saving.load_model(sys.argv[2], compile=False), np.load(sys.argv[3])
    # compiled anew: on torch, `Adam` is saved under the name of a module that other backends do not have (Keras 3.15)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y, cut = cases["x"], cases["y"], len(cases["x"]) * 4 // 5
    seconds = []
    for _ in range(1 + int(sys.argv[4])):
        started = time.process_time()
        model.fit(x[:cut], y[:cut], validation_data=(x[cut:], y[cut:]), batch_size=32, epochs=1, verbose=0)
        seconds.append(time.process_time() - started)
    sys.stdout.write("\n" + json.dumps({"first": seconds[0], "later": sorted(seconds[1:]), "keras": keras.version()}))


if __name__ == "__main__":
    main()
