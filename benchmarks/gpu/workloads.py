"""What is raced on a GPU. Imports nothing of gengap, since Keras on JAX runs it too."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from benchmarks.training.nets import KERAS


@dataclass(frozen=True)
class Workload:
    """One race.

    Attributes:
        title: What it is, for the table.
        shape: Shape of a case.
        build: Makes the compiled net, given the number of features.
        runs: How many nets gengap trains together.
        cases: Training cases; a fifth as many are held out.
        batch_size: Cases a step.
        epochs: Epochs that are measured; the first warms up and does not count.
        wanted: What the issue asks for, as a ratio to Keras on torch.
    """

    title: str
    shape: tuple[int, ...]
    build: Callable[[int], Any]
    runs: int
    cases: int
    batch_size: int
    epochs: int
    wanted: float

    def tiny(self) -> "Workload":
        """Return what any machine does in seconds."""
        return replace(self, runs=2, cases=32, batch_size=16, epochs=2)

    def data(self) -> tuple[Any, Any, Any, Any]:
        """Return x, y and the held-out x, y; noise with a signal, since only the shapes matter to the clock."""
        rng = np.random.default_rng(0)
        parts = []
        for size in (self.cases, max(16, self.cases // 5)):
            x = rng.standard_normal((size, *self.shape), dtype=np.float32)
            y = x.reshape(size, -1)[:, :8].sum(axis=1) + rng.standard_normal(size)
            parts += [x, (y > 0).astype(np.float32)]
        return parts[0], parts[1], parts[2], parts[3]


def lstm(_: int) -> Any:
    """Return a recurrent net."""
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((24, 8)), layers.LSTM(32), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def transformer(_: int) -> Any:
    """Return one block of attention over a sequence."""
    import keras

    layers = keras.layers
    x = inputs = keras.Input((32, 32))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8, dropout=0.1)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="relu")(x)))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(x)))
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def tabular(features: int) -> Any:
    """Return a small net on a table."""
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((features,))])
    for _ in range(2):
        model.add(layers.Dense(64, activation="relu", kernel_regularizer="l2"))
        model.add(layers.Dropout(0.2))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


WORKLOADS = {
    "storms-l2": Workload("storm CNN, T2.1", (32, 32, 3), KERAS["storm-l2"], 30, 12_800, 512, 4, 10),
    "storms-dropout": Workload("storm CNN, T2.2", (32, 32, 3), KERAS["storm-dropout"], 30, 12_800, 512, 4, 10),
    "tabular": Workload("tabular net", (20,), tabular, 100, 10_000, 128, 4, 30),
    "lstm": Workload("LSTM", (24, 8), lstm, 30, 6_400, 256, 3, 8),
    "transformer": Workload("transformer", (32, 32), transformer, 30, 6_400, 256, 4, 8),
}
