"""A search that is killed in the middle goes on to the same trials and numbers."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import json, sys
import keras, numpy as np
from scipy import stats
import gengap as gg

random = np.random.default_rng(0)
x = random.normal(size=(400, 6)).astype("float32")
y = (np.square(x[:, :2]).sum(axis=1) < 1.4).astype("float32")
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy")
space = {gg.L2: stats.loguniform(1e-4, 1e-1), "learning_rate": stats.loguniform(0.3, 10)}
found = gg.search(model, space, x[:200], y[:200], validation_data=(x[200:], y[200:]), n_trials=20, epochs=40, seeds=2,
                  judge_seeds=2, storage=sys.argv[1], progress=False)
print(json.dumps({"trials": [one.to_dict() for one in found.trials], "sentence": found.sentence}))
"""


@pytest.mark.slow
def test_a_killed_search_goes_on_to_the_same_trials_and_numbers(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(SCRIPT)

    def start(folder):
        return subprocess.Popen([sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, env={**os.environ})

    whole = json.loads(start(tmp_path / "whole").communicate(timeout=300)[0])
    killed, trained = start(tmp_path / "killed"), tmp_path / "killed" / "trials" / "arrays"
    while killed.poll() is None and not (trained.is_dir() and len(list(trained.iterdir())) > 4):
        time.sleep(0.02)
    assert killed.poll() is None, "it was to be killed while it trained"
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert json.loads(start(tmp_path / "killed").communicate(timeout=300)[0]) == whole
