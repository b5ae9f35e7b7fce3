"""The same space, trials, epochs and seeds: gengap's search against KerasTuner and Optuna with Keras' own loop.

    GENGAP_IMDB=imdb.npz python benchmarks/search.py [--quick] [--only reviews soundings digits lstm]

Rivals train trial after trial, each trial with every seed; a trial's worth is the mean of its best validation losses.
`--quick` gives rivals two trials and multiplies; without, they run all. Whatever else the machine does lengthens both,
and the load is written down. KerasTuner is raced where it is installed (`keras-tuner`, `six`, `grpcio`). The search's
seconds hold the judging of the finalists, which rivals do not do.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import optuna
from scipy.stats import loguniform

import gengap as gg
from machine import machine

RESULTS = Path(__file__).parent / "results" / "search.json"
TRIALS, SEEDS = 24, 3
SPACE = {"dropout": (0.05, 0.7), "l2": (1e-5, 1e-1), "learning_rate": (1e-4, 1e-2)}
"""Dropout uniform, the others on a logarithmic scale; dropout and L2 are off in half of the draws."""


@dataclass(frozen=True)
class Task:
    """One race.

    Attributes:
        data: Training, validation and test split.
        build: A compiled model of dropout, L2 and learning rate.
        loss: What Keras calls its loss.
        epochs: Epochs of a run.
        batch_size: Cases a step.
        bar: How many times faster than the fastest rival the search has to be.
    """

    data: tuple[gg.Split, gg.Split, gg.Split]
    build: Callable[[float, float, float], Any]
    epochs: int
    batch_size: int
    bar: float


def dense(units: int, shape: tuple[int, ...], end: tuple[int, str, str]) -> Callable[[float, float, float], Any]:
    def build(dropout: float, l2: float, rate: float) -> Any:
        model = keras.Sequential([keras.Input(shape), *([keras.layers.Flatten()] if len(shape) > 1 else [])])
        for _ in range(2):
            penalty = keras.regularizers.L2(l2) if l2 else None
            model.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty))
            if dropout:
                model.add(keras.layers.Dropout(dropout))
        model.add(keras.layers.Dense(end[0], activation=end[1]))
        model.compile(keras.optimizers.Adam(rate), end[2])
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
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


def recurrent(dropout: float, l2: float, rate: float) -> Any:
    layers, penalty = keras.layers, keras.regularizers.L2(l2) if l2 else None
    model = keras.Sequential([keras.Input((40,), dtype="int32"), layers.Embedding(1000, 16)])
    model.add(layers.LSTM(32, kernel_regularizer=penalty))
    if dropout:
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


def reviews() -> Task:
    data = gg.datasets.imdb(os.environ["GENGAP_IMDB"], split="tutorial")
    held = data.validation
    halves = tuple(gg.Split(held.x[rows], held.y[rows]) for rows in (slice(12_500), slice(12_500, None)))
    build = dense(16, (10_000,), (1, "sigmoid", "binary_crossentropy"))
    return Task((data.train, *halves), build, 4, 512, 20)


def soundings() -> Task:
    data = gg.datasets.soundings()
    return Task((data.train, data.validation, data.test), convolutional, 20, 32, 8)


def digits() -> Task:
    data = gg.datasets.digits()
    end = (10, "softmax", "sparse_categorical_crossentropy")
    return Task((data.train, data.validation, data.test), dense(32, data.train.x.shape[1:], end), 20, 32, 8)


def lstm() -> Task:
    """Synthetic sentences of 40 words: the label is whether more words of one kind than of the other are in them."""
    random = np.random.default_rng(0)
    x = random.integers(0, 1000, (3000, 40)).astype("int32")
    y = ((x < 100).sum(1) + random.normal(0, 1, 3000) > (x >= 900).sum(1)).astype("float32")
    parts = tuple(gg.Split(x[rows], y[rows]) for rows in (slice(1500), slice(1500, 2250), slice(2250, 3000)))
    return Task(parts, recurrent, 5, 64, 3)


TASKS = {one.__name__: one for one in (reviews, soundings, digits, lstm)}


def ours(task: Task) -> Iterator[tuple[float, float, float]]:
    """Yield seconds, best validation loss and test loss of the one chosen, once."""
    train, validation, test = task.data
    space = {
        gg.Dropout: [None, SPACE["dropout"]],
        gg.L2: [None, loguniform(*SPACE["l2"])],
        "learning_rate": loguniform(*SPACE["learning_rate"]),
    }
    began = time.perf_counter()
    data = {"validation_data": validation, "test_data": test}
    given = {"epochs": task.epochs, "batch_size": task.batch_size, "n_trials": TRIALS, "seeds": SEEDS}
    found = gg.search(task.build(0.0, 0.0, 1e-3), space, train, **data, **given, judge_seeds=SEEDS, progress=False)
    seconds = time.perf_counter() - began
    name = found.remedy or "baseline"
    losses = gg.summarize(found.result).to_dataframe()
    row = losses[(losses["variant"] == name) & (losses["rule"] == "best")].iloc[0]
    yield seconds, found.best.score, float(row[next(name for name in losses.columns if name.startswith("test"))])


def as_arrays(split: gg.Split) -> tuple[Any, Any]:
    return (split.x.toarray() if hasattr(split.x, "toarray") else split.x), split.y


def objective(task: Task, arrays: list[tuple[Any, Any]], strengths: tuple[float, float, float]) -> float:
    """Train one trial with every seed by Keras' own loop."""
    losses = []
    for seed in range(SEEDS):
        keras.utils.set_random_seed(seed)
        model = task.build(*strengths)
        fit = {"epochs": task.epochs, "batch_size": task.batch_size, "verbose": 0}
        history = model.fit(*arrays[0], validation_data=arrays[1], **fit)
        losses.append(min(history.history["val_loss"]))
        keras.backend.clear_session()
    return float(np.mean(losses))


def drawn(trial: Any) -> tuple[float, float, float]:
    dropout = trial.suggest_float("dropout", *SPACE["dropout"]) if trial.suggest_categorical("d", [0, 1]) else 0.0
    l2 = trial.suggest_float("l2", *SPACE["l2"], log=True) if trial.suggest_categorical("l", [0, 1]) else 0.0
    return dropout, l2, trial.suggest_float("rate", *SPACE["learning_rate"], log=True)


def by_optuna(task: Task, trials: int) -> tuple[float, float]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    arrays = [as_arrays(split) for split in task.data[:2]]
    began = time.perf_counter()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(lambda trial: objective(task, arrays, drawn(trial)), n_trials=trials)
    return time.perf_counter() - began, study.best_value


def by_keras_tuner(task: Task, trials: int, kind: str) -> tuple[float, float]:
    import keras_tuner

    arrays = [as_arrays(split) for split in task.data[:2]]

    class Repeated(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            dropout = hp.Float("dropout", *SPACE["dropout"]) if hp.Boolean("d") else 0.0
            l2 = hp.Float("l2", *SPACE["l2"], sampling="log") if hp.Boolean("l") else 0.0
            return task.build(dropout, l2, hp.Float("rate", *SPACE["learning_rate"], sampling="log"))

    tuners = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}
    fit = {"validation_data": arrays[1], "batch_size": task.batch_size, "verbose": 0}
    with tempfile.TemporaryDirectory() as folder:
        own: dict[str, Any] = {"objective": "val_loss", "seed": 0, "directory": folder, "executions_per_trial": SEEDS}
        began = time.perf_counter()
        if kind == "hyperband":
            tuner = keras_tuner.Hyperband(Repeated(), max_epochs=task.epochs, factor=3, **own)
            tuner.oracle.max_trials = trials
        else:
            tuner = tuners[kind](Repeated(), max_trials=trials, **own)
            fit["epochs"] = task.epochs
        tuner.search(*arrays[0], **fit)
        best = tuner.oracle.get_best_trials(1)[0].score
        return time.perf_counter() - began, float(best)


RIVALS: dict[str, Callable[[Task, int], tuple[float, float]]] = {
    "optuna, TPE": by_optuna,
    **{f"keras-tuner, {kind}": lambda task, trials, kind=kind: by_keras_tuner(task, trials, kind)
       for kind in ("random", "bayesian", "hyperband")},
}  # fmt: skip


def race(name: str, *, quick: bool) -> dict[str, Any]:
    task = TASKS[name]()
    trials = 2 if quick else TRIALS
    rows: dict[str, Any] = {}
    for rival, run in RIVALS.items():
        try:
            seconds, best = run(task, trials)
        except ImportError as error:
            print(f"{name}: {rival} is not raced: {error}")
            continue
        rows[rival] = {"seconds": seconds * TRIALS / trials, "best_validation_loss": best, "trials": trials}
    (own,) = ours(task)
    rows["gengap"] = dict(zip(("seconds", "best_validation_loss", "test_loss"), own, strict=True)) | {"trials": TRIALS}
    fastest = min(one["seconds"] for rival, one in rows.items() if rival != "gengap")
    ratio = fastest / rows["gengap"]["seconds"]
    for rival, one in rows.items():
        told = "" if one["trials"] == TRIALS else f" (from {one['trials']} trials)"
        best = one["best_validation_loss"]
        print(f"{name:10} {rival:24} {one['seconds']:8.1f} s{told}  best validation loss {best:.4f}", flush=True)
    print(f"{name:10} {ratio:.1f} times the fastest rival; asked for: {task.bar:g}; load {os.getloadavg()[0]:.1f}")
    return {"rows": rows, "ratio": ratio, "bar": task.bar, "load": os.getloadavg()[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two trials of each rival; nothing is written")
    parser.add_argument(
        "--only", nargs="*", default=[n for n in TASKS if n != "reviews" or "GENGAP_IMDB" in os.environ]
    )
    options = parser.parse_args()
    told = {"machine": machine("keras", "torch", "optuna"), "quick": options.quick}
    told["races"] = {name: race(name, quick=options.quick) for name in options.only}
    if not options.quick:
        RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
