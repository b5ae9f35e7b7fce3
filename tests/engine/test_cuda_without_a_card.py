"""What would break or wait on a GPU, seen on a device that is none (`pretended_card.py`).

Trainings on it use the branches that a GPU takes. They must give the CPU's numbers, leave no tensor behind on the CPU,
and once they run, take a step without waiting for the device.
"""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from keras import layers
from scipy import sparse

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.fused import prepare_runs
from gengap.engine.runs import Collector, Run, TrainingSettings
from gengap.engine.trainer import Trainer
from gengap.keras_models.devices import computing_on
from gengap.kernels.transfer import upload

SETTINGS = TrainingSettings(epochs=2, batch_size=8, task="binary", score="log_loss")


def compiled(shape, *inner, optimizer="adam"):
    model = keras.Sequential([keras.Input(shape), *inner, layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def scheduled():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    return keras.optimizers.SGD(schedule, momentum=0.9, global_clipnorm=0.1)


def penalised():
    return layers.Dense(4, activation="relu", kernel_regularizer="l1l2", bias_constraint="non_neg")


CASES = {
    "dense": ((6,), lambda: compiled((6,), penalised(), layers.Dropout(0.3), optimizer=scheduled())),
    "convolution": (
        (8, 8, 3),
        lambda: compiled(
            (8, 8, 3),
            layers.Conv2D(8, 5, padding="same", activation="relu"),
            layers.SpatialDropout2D(0.3),
            layers.AveragePooling2D(2),
            layers.BatchNormalization(),
            optimizer=keras.optimizers.AdamW(0.01, use_ema=True),
        ),
    ),
    "words": (
        (5,),
        lambda: compiled((5,), layers.Embedding(9, 4), layers.LayerNormalization(), layers.GaussianNoise(0.1)),
    ),
    "run by run": ((5, 3), lambda: compiled((5, 3), layers.LSTM(3), optimizer="lion")),
    "sparse rows": ((20,), lambda: compiled((20,), layers.Dense(4, kernel_regularizer="l2"), optimizer="rmsprop")),
}


def data_for(name, shape):
    rng = np.random.default_rng(0)

    def split(size):
        x = rng.normal(size=(size, *shape)).astype(np.float32)
        x = rng.integers(0, 9, x.shape) if name == "words" else x
        x = sparse.csr_matrix(x * (x > 1)) if name == "sparse rows" else x
        return Split(x, (rng.random(size) > 0.5).astype(np.float32), sample_weight=rng.random(size) + 0.5)

    return TrainingData(split(20), split(12))


def train(members, data, device):
    collector = Collector()
    trainer = Trainer("chunk", members, data, SETTINGS, device=device)
    trainer.train(collector)
    return [record.weights_last for record in collector.records]


def resume(members, data, device):
    """Train half, and the rest from the state in which that left it."""
    first = Trainer("chunk", members, data, SETTINGS, device=device)
    first.advance()
    first.advance()
    second, collector = Trainer("chunk", members, data, SETTINGS, device=device), Collector()
    second.restore(first.state())
    second.train(collector)
    return [record.weights_last for record in collector.records]


def waits_of_a_step(members, data, card):
    trainer = Trainer("chunk", members, data, SETTINGS, device="card")
    trainer.advance()  # the first step probes, and may ask
    card.waits.clear()
    trainer.advance()
    return dict(card.waits)


def report() -> dict:
    import pretended_card

    pretended_card.install()
    with pretended_card.Card() as card:
        found = {"detected": detected(card)}
    for name, (shape, make) in CASES.items():
        data = data_for(name, shape)
        model = make()
        runs = [Run("a", seed, model) for seed in (0, 1)]
        on_cpu, members = train(prepare_runs(runs, data, SETTINGS), data, "cpu"), prepare_runs(runs, data, SETTINGS)
        with pretended_card.Card() as card, keras.device("card:0"):
            there = train(members, data, "card")
            resumed = resume(members, data, "card")
            waits = waits_of_a_step(members, data, card)
        found[name] = {"worst": worst(on_cpu, there), "resumed": worst(there, resumed), "waits": waits}
    return found


def worst(one, other):
    pairs = [(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)]
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def detected(card) -> dict:
    """Do what a program must not do, and see whether it is noticed."""
    there = torch.zeros(3, device="card")
    torch.ones(3).to("card")
    there.cpu()
    bool(there.any())
    try:
        there + torch.ones(3)
    except AssertionError as noticed:
        return {"waits": dict(card.waits), "mixed": str(noticed)}
    return {"waits": dict(card.waits), "mixed": ""}


@pytest.fixture(scope="module")
def found():
    """Train in a process of its own, since a process keeps a device that it was given."""
    if torch.cuda.is_available():
        pytest.skip("there is a card: tests/engine/test_on_cuda.py asks more")
    pytest.importorskip("torch", minversion="2.10", reason="devices written in Python came with torch 2.10")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_are_the_cpus_and_nothing_is_left_there(found, name):
    assert found[name]["worst"] < 1e-6


@pytest.mark.parametrize("name", CASES)
def test_training_goes_on_from_a_state_to_the_same_bits(found, name):
    assert found[name]["resumed"] == 0


@pytest.mark.parametrize("name", sorted(set(CASES) - {"run by run"}))
def test_a_step_does_not_wait_for_the_device(found, name):
    assert found[name]["waits"] == {}


def test_a_copy_that_waits_and_a_tensor_left_behind_are_noticed(found):
    assert set(found["detected"]["waits"]) == {
        "copy from the CPU", "copy to the CPU", "aten._local_scalar_dense.default",
    }  # fmt: skip
    assert "left on the CPU" in found["detected"]["mixed"]


def test_what_lies_on_the_cpu_is_handed_on_there_uncopied():
    values = torch.arange(3)
    assert upload(values, "cpu").data_ptr() == values.data_ptr()


def test_on_cuda_convolutions_are_float32_and_the_same_every_time():
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    with computing_on("cuda"):
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32) == before


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.stdout.write(json.dumps(report()) + "\n")
