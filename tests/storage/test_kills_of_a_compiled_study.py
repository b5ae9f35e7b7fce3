"""A study whose steps are compiled is killed between checkpoints and goes on to the bits of an undisturbed one."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from gengap.engine.recording import why_not_compiled
from gengap.study.loading import load

STUDY = """
import sys
import warnings

import gengap as gg
import keras
import numpy as np

from gengap.engine import recording
from gengap.runners.local import LocalRunner
from gengap.storage import Store

warnings.filterwarnings("error", module="gengap")
put, made = Store.put_checkpoint, recording.CompiledStep._compile


def put_and_tell(store, chunk, state):
    put(store, chunk, state)
    print("checkpoint", state.scalars["epoch"], state.scalars["step"], flush=True)


def make_and_tell(step, tape, *arguments):
    compiled = made(step, tape, *arguments)
    print("compiled" if compiled is not tape else "as recorded", flush=True)
    return compiled


class Often(LocalRunner):
    def execute(self, engine, *arguments, **more):
        engine(*arguments, **more, checkpoint_seconds=0.02)


Store.put_checkpoint, recording.CompiledStep._compile = put_and_tell, make_and_tell
rng = np.random.default_rng(0)
x = rng.normal(size=(96, 6)).astype("float32")
y = (x[:, 0] * x[:, 1] > 0).astype("float32")
layers = keras.layers
model = keras.Sequential(
    [keras.Input((6,)), layers.Dense(8, "relu"), layers.Dropout(0.3), layers.Dense(1, "sigmoid")]
)
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
how = gg.Computation(compile=True)
study = gg.Study(model, seeds=3, computation=how, engine="fused", storage=sys.argv[1], runner=Often())
print("start", flush=True)
study.run(x[:64], y[:64], validation_data=(x[64:], y[64:]), epochs=60, batch_size=16, progress=False)
print("end", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kills with SIGKILL")
def test_a_killed_compiled_study_ends_with_the_bits_of_an_undisturbed_one(tmp_path):
    if against := why_not_compiled():
        pytest.skip(f"not compiled here: {against}")
    (tmp_path / "study.py").write_text(STUDY)

    def start(folder):
        command = [sys.executable, tmp_path / "study.py", tmp_path / folder]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    whole = start("whole")
    said, error = whole.communicate(timeout=300)
    assert whole.returncode == 0, error
    assert "compiled" in said.splitlines()
    assert "as recorded" not in said
    killed = 0
    for after in (1, 4, 2):
        child, seen = start("killed"), 0
        for line in child.stdout:
            seen += line.startswith("checkpoint")
            if seen == after:
                child.send_signal(signal.SIGKILL)
                break
        killed += child.wait() == -signal.SIGKILL
        child.communicate()
    assert killed == 3
    last = start("killed")
    said, error = last.communicate(timeout=300)
    assert last.returncode == 0, error
    assert "compiled" in said.splitlines()
    one, other = load(tmp_path / "whole"), load(tmp_path / "killed")
    assert all(chunk["compiled_steps"] for result in (one, other) for chunk in result.manifest["plan"]["chunks"])
    assert one.history.identical(other.history)
    assert one.validation.identical(other.validation)
    for key in one.weights:
        for a, b in zip(one.weights[key], other.weights[key], strict=True):
            np.testing.assert_array_equal(a, b)
