"""Are the review nets of gengap those of plain Keras? The same nets, seeds and batches by Keras' own `fit`, paired.

    GENGAP_IMDB=imdb.npz python benchmarks/reproduction.py train [--nets original smaller] [--law keras2] [--minutes 4]
    GENGAP_IMDB=imdb.npz python benchmarks/reproduction.py train --nets bigger --nudge   # Keras against itself
    python benchmarks/reproduction.py compare --storage STORE    # STORE: where scripts/retell.py keeps its studies

Every run goes to `benchmarks/results/reproduction.json` as soon as it ends; what is there is not trained again.

Shared with gengap is the randomness (initial weights, batch orders, dropout masks) and nothing else: training,
optimizer, loss and validation loss are Keras'. `--law keras2` puts Keras 2's RMSprop, whose epsilon stands outside of
the root, in the place of Keras 3's.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from scipy import sparse

from gengap import datasets
from gengap.datasets import Split
from gengap.engine.batches import batches_of, epoch_order
from gengap.experiments.joining import joined
from gengap.keras_models.initial_weights import draw_initial_weights
from gengap.kernels.noise import draw_uniform
from gengap.randomness import key
from gengap.study import load
from gengap_examples.demos import review_models
from gengap_examples.side_by_side import against_itself, read_runs, side_by_side

RESULTS = Path(__file__).parent / "results" / "reproduction.json"
BATCH = 512
NUDGED = ", nudged"
EPOCHS = {"original": 10, "smaller": 20, "bigger": 4, "dropout": 10}
"""Epochs that plain Keras trains: beyond every seed's best epoch, and no more, since it is slow."""


class Keras2RMSprop(keras.optimizers.RMSprop):
    """RMSprop as Keras 2 had it: `w -= lr * g / (sqrt(v) + epsilon)`; Keras 3 divides by `sqrt(v + epsilon)`."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Apply the law to one variable."""
        ops, velocity = keras.ops, self._velocities[self._get_variable_index(variable)]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign(velocity, self.rho * velocity + (1 - self.rho) * ops.square(gradient))
        step = ops.cast(learning_rate, variable.dtype) * gradient / (ops.sqrt(velocity) + self.epsilon)
        self.assign_sub(variable, step)


class GivenMasks(keras.layers.Layer):
    """Dropout in training by a mask that it is given, so that two programs drop the same units."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate, self.kept = rate, np.ones((1, 1), np.float32)

    def call(self, x: Any, training: bool = False) -> Any:
        """Drop in training, nothing in inference."""
        return x * keras.ops.convert_to_tensor(self.kept / (1 - self.rate)) if training else x


class Batches(keras.utils.PyDataset):
    """Sparse rows as dense batches: training cases in the order of each epoch, held-out ones as they come."""

    def __init__(self, split: Split, *, seed: int | None = None) -> None:
        super().__init__()
        self._x, self._y = sparse.csr_matrix(split.x), np.asarray(split.y, np.float32)[:, None]
        self._seed = seed
        self.arrange(1)

    def arrange(self, epoch: int) -> None:
        """Order the cases as gengap does in this epoch of this seed."""
        count = self._x.shape[0]
        order = np.arange(count) if self._seed is None else epoch_order(self._seed, epoch, count)
        self._batches = list(batches_of(order, BATCH))

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        cases = self._batches[index]
        return self._x[cases].toarray(), self._y[cases]


class Clock(keras.callbacks.Callback):
    """Arranges the batches of every epoch, and hands each step its dropout masks."""

    def __init__(self, batches: Batches, masks: list[GivenMasks], seed: int, units: int) -> None:
        super().__init__()
        self._batches, self._masks, self._seed, self._units = batches, masks, seed, units
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras' signature
        """Order the batches anew."""
        self._epoch = epoch + 1
        self._batches.arrange(epoch + 1)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras' signature
        """Give each dropout layer the mask that gengap draws for this step."""
        cases = len(self._batches[batch][1]) if self._masks else 0
        for ordinal, layer in enumerate(self._masks):
            noise = key(self._seed, "noise", f"Dropout/{ordinal}/0", self._epoch, batch + 1)
            uniform = draw_uniform([noise], (cases, self._units))[0].numpy().astype(np.int32) + 32_768
            layer.kept = (uniform >= layer.rate * 65_536).astype(np.float32)


def plain_keras(
    net: str, seed: int, law: str, epochs: int, data: Any, *, nudge: bool = False
) -> dict[str, list[float]]:
    """Train one net by `fit` and return its curves as Keras reports them."""
    told = review_models()[net]
    model, masks = rebuilt(told)
    model.set_weights([nudged(w, seed) if nudge else w for w in draw_initial_weights(told, seed)])
    optimizer = Keras2RMSprop() if law == "keras2" else keras.optimizers.RMSprop()
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    batches = Batches(data.train, seed=seed)
    clock = Clock(batches, masks, seed, told.layers[0].units)
    history = model.fit(
        batches, epochs=epochs, shuffle=False, validation_data=Batches(data.validation), callbacks=[clock], verbose=0
    )
    return {name: [round(float(value), 7) for value in curve] for name, curve in history.history.items()}


def nudged(weights: Any, seed: int) -> Any:
    """Return weights moved to a neighbouring number, up or down at random."""
    up = np.random.default_rng(seed).random(weights.shape) < 0.5
    return np.nextafter(weights, np.where(up, np.inf, -np.inf).astype(weights.dtype))


def rebuilt(model: keras.Model) -> tuple[keras.Model, list[GivenMasks]]:
    """Build a net once more, with given masks where it drops units."""
    layers, masks = [keras.Input(model.input_shape[1:])], []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            masks.append(GivenMasks(layer.rate))
            layers.append(masks[-1])
        else:
            layers.append(type(layer).from_config(layer.get_config()))
    return keras.Sequential(layers), masks


def train(nets: list[str], seeds: int, law: str, *, nudge: bool, minutes: float, path: Path) -> None:
    began, data = time.monotonic(), datasets.imdb(os.environ.get("GENGAP_IMDB"), split="tutorial")
    for seed in range(seeds):
        for net in nets:
            runs = stored(path)
            name = f"{law}{NUDGED if nudge else ''}/{net}/{seed}"
            if name in runs:
                continue
            if time.monotonic() - began > 60 * minutes:
                print("Out of time; the same command goes on here.")
                raise SystemExit(3)
            start = time.monotonic()
            runs[name] = plain_keras(net, seed, law, EPOCHS[net], data, nudge=nudge)
            path.write_text(json.dumps(dict(sorted(runs.items())), indent=None).replace("}, ", "},\n") + "\n")
            print(f"{name}: best {min(runs[name]['val_loss']):.4f}, {time.monotonic() - start:.1f} s", flush=True)


def compare(nets: list[str], law: str, *, storage: Path, path: Path) -> None:
    folder = storage if law == "keras3" else storage / "keras2-epsilon"
    result = joined([load(folder / net) for net in nets])
    runs, again = read_runs(path, law), read_runs(path, f"{law}{NUDGED}")
    print(side_by_side(result, runs))
    if again:
        print(against_itself(runs, again))


def stored(path: Path) -> dict[str, dict[str, list[float]]]:
    return json.loads(path.read_text()) if path.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "compare"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--storage", type=Path, help="where scripts/retell.py keeps its studies")
    parser.add_argument("--nets", nargs="+", choices=list(EPOCHS), default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--law", choices=["keras3", "keras2"], default="keras3")
    parser.add_argument("--nudge", action="store_true", help="move initial weights by a unit in the last place")
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    if options.what == "train":
        how = {"nudge": options.nudge, "minutes": options.minutes}
        train(options.nets, options.seeds, options.law, **how, path=options.results)
    elif options.storage is None:
        parser.error("compare needs --storage")
    else:
        compare(options.nets, options.law, storage=options.storage, path=options.results)


if __name__ == "__main__":
    main()
