"""Tasks on which searches are raced: data, nets of three strengths, and the space in which all of them search."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

import gengap as gg

RATE = 1e-3
SPACE = {"dropout": (0.05, 0.7), "l2": (1e-5, 1e-1), "learning_rate": (1e-4, 1e-2)}
"""Dropout uniform, the others on a logarithmic scale; dropout and L2 are off in half of the draws."""


@dataclass(frozen=True)
class Task:
    """One race.

    Attributes:
        data: Training, validation and test split.
        build: A compiled model of dropout, L2 and learning rate; its one metric is its loss without penalties.
        epochs: Epochs of a run.
        batch_size: Cases a step.
        monitor: Keras' name of the validation loss without penalties, which every search goes by.
    """

    data: tuple[gg.Split, gg.Split, gg.Split]
    build: Callable[[float, float, float], Any]
    epochs: int
    batch_size: int
    monitor: str = "val_binary_crossentropy"


def dense(units: int, shape: tuple[int, ...], end: tuple[int, str, str]) -> Callable[[float, float, float], Any]:
    def build(dropout: float, l2: float, rate: float) -> Any:
        model = keras.Sequential([keras.Input(shape), *([keras.layers.Flatten()] if len(shape) > 1 else [])])
        for _ in range(2):
            penalty = keras.regularizers.L2(l2) if l2 else None
            model.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty))
            if dropout:
                model.add(keras.layers.Dropout(dropout))
        model.add(keras.layers.Dense(end[0], activation=end[1]))
        model.compile(keras.optimizers.Adam(rate), end[2], metrics=[end[2]])
        return model

    return build


def convolutional(dropout: float, l2: float, rate: float) -> Any:
    layers, model = keras.layers, keras.Sequential([keras.Input((32, 5))])
    for count in (16, 32):
        penalty = keras.regularizers.L2(l2) if l2 else None
        model.add(layers.Conv1D(count, 5, padding="same", activation="relu", kernel_regularizer=penalty))
        if dropout:
            model.add(layers.Dropout(dropout))
        model.add(layers.MaxPooling1D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["binary_crossentropy"])
    return model


def recurrent(dropout: float, l2: float, rate: float) -> Any:
    layers, penalty = keras.layers, keras.regularizers.L2(l2) if l2 else None
    model = keras.Sequential([keras.Input((40,), dtype="int32"), layers.Embedding(1000, 16)])
    model.add(layers.LSTM(32, kernel_regularizer=penalty))
    if dropout:
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["binary_crossentropy"])
    return model


def reviews() -> Task:
    data = gg.datasets.imdb(os.environ["GENGAP_IMDB"], split="tutorial")
    held = data.validation
    halves = tuple(gg.Split(held.x[rows], held.y[rows]) for rows in (slice(12_500), slice(12_500, None)))
    build = dense(16, (10_000,), (1, "sigmoid", "binary_crossentropy"))
    return Task((data.train, *halves), build, 4, 512)


def soundings() -> Task:
    data = gg.datasets.soundings()
    return Task((data.train, data.validation, data.test), convolutional, 20, 32)


def digits() -> Task:
    data = gg.datasets.digits()
    end = (10, "softmax", "sparse_categorical_crossentropy")
    return Task(
        (data.train, data.validation, data.test), dense(32, data.train.x.shape[1:], end), 20, 32, f"val_{end[2]}"
    )


def lstm() -> Task:
    """Synthetic sentences of 40 words: the label is whether more words of one kind than of the other are in them."""
    random = np.random.default_rng(0)
    x = random.integers(0, 1000, (3000, 40)).astype("int32")
    y = ((x < 100).sum(1) + random.normal(0, 1, 3000) > (x >= 900).sum(1)).astype("float32")
    parts = tuple(gg.Split(x[rows], y[rows]) for rows in (slice(1500), slice(1500, 2250), slice(2250, 3000)))
    return Task(parts, recurrent, 5, 64)


TASKS = {one.__name__: one for one in (reviews, soundings, digits, lstm)}
