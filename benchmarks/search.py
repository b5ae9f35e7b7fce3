"""The same space, trials, epochs and seeds: gengap's search against KerasTuner and Optuna with Keras' own loop.

    GENGAP_IMDB=imdb.npz python -m benchmarks.search [--quick] [--only reviews soundings digits lstm]

Rivals train trial after trial, each trial with every seed; a trial's worth is the mean of its best validation losses,
penalties left out. Each rival has two ratios: of whole searches, and of the time to the same held-out loss, the
higher of the two that they end at. The search is run before its rivals and after them, and the slower counts; its time
holds the judging of its finalists, which rivals do not do. What each search chose is then trained anew, with seeds that
none has seen, and judged on the test split, case by case: a choice is not worse where the interval of its difference in
test loss ends below the margin.

`--quick` gives rivals two trials and multiplies; without, they run all. Times are of the processor, which other work on
the machine hardly lengthens; by the wall, and the load, stand beside. KerasTuner is raced where it is installed
(`keras-tuner`, `six`, `grpcio`). What was raced takes the place of its rows in the results.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import optuna
from benchmarks.machine import machine
from benchmarks.sections import put_section
from numpy.typing import NDArray
from scipy.stats import loguniform

import gengap as gg
from gengap import search  # what is loaded at first use is not part of the race

RESULTS = Path(__file__).parent / "results" / "search.json"
PAGE = Path(__file__).parents[1] / "docs" / "search.md"
TRIALS, SEEDS, RATE = 24, 3, 1e-3
JUDGES = range(100, 110)
MARGIN = 0.05
"""Nats of test loss by which a choice may be worse."""
SPACE = {"dropout": (0.05, 0.7), "l2": (1e-5, 1e-1), "learning_rate": (1e-4, 1e-2)}
"""Dropout uniform, the others on a logarithmic scale; dropout and L2 are off in half of the draws."""

Strengths = tuple[float, float, float]


@dataclass(frozen=True)
class Task:
    """One race.

    Attributes:
        data: Training, validation and test split.
        build: A compiled model of dropout, L2 and learning rate; its one metric is its loss without penalties.
        epochs: Epochs of a run.
        batch_size: Cases a step.
        bar: How many times faster than the fastest rival the search has to be.
        monitor: Keras' name of the validation loss without penalties, which every search goes by.
    """

    data: tuple[gg.Split, gg.Split, gg.Split]
    build: Callable[[float, float, float], Any]
    epochs: int
    batch_size: int
    bar: float
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
    return Task((data.train, *halves), build, 4, 512, 20)


def soundings() -> Task:
    data = gg.datasets.soundings()
    return Task((data.train, data.validation, data.test), convolutional, 20, 32, 8)


def digits() -> Task:
    data = gg.datasets.digits()
    end = (10, "softmax", "sparse_categorical_crossentropy")
    return Task(
        (data.train, data.validation, data.test), dense(32, data.train.x.shape[1:], end), 20, 32, 8, f"val_{end[2]}"
    )


def lstm() -> Task:
    """Synthetic sentences of 40 words: the label is whether more words of one kind than of the other are in them."""
    random = np.random.default_rng(0)
    x = random.integers(0, 1000, (3000, 40)).astype("int32")
    y = ((x < 100).sum(1) + random.normal(0, 1, 3000) > (x >= 900).sum(1)).astype("float32")
    parts = tuple(gg.Split(x[rows], y[rows]) for rows in (slice(1500), slice(1500, 2250), slice(2250, 3000)))
    return Task(parts, recurrent, 5, 64, 3)


TASKS = {one.__name__: one for one in (reviews, soundings, digits, lstm)}


@dataclass(frozen=True)
class Searched:
    """What a search took and found.

    Attributes:
        seconds: By the wall.
        processor: Of all its threads.
        ends: Seconds by the wall and mean best validation loss of every trial, as they ended.
        chosen: Dropout, L2 and learning rate of the best trial; 0 is off.
    """

    seconds: float
    processor: float
    ends: list[tuple[float, float]]
    chosen: Strengths

    @property
    def loss(self) -> float:
        """Lowest validation loss of all trials."""
        return min(loss for _, loss in self.ends)

    def reached(self, loss: float) -> float:
        """Seconds of the processor until a trial was as good, at the search's mean pace."""
        return min(at for at, one in self.ends if one <= loss) * self.processor / self.seconds


class Watch:
    """Two clocks, and the trials that have ended."""

    def __init__(self) -> None:
        self._wall, self._processor, self.ends = time.perf_counter(), time.process_time(), list[tuple[float, float]]()

    def ended(self, loss: float) -> None:
        """Take down the loss of a trial that ends now."""
        self.ends.append((time.perf_counter() - self._wall, loss))

    def found(self, chosen: Strengths) -> Searched:
        """Stop the clocks."""
        taken = time.perf_counter() - self._wall, time.process_time() - self._processor
        return Searched(*taken, self.ends, chosen)


def ours(task: Task, trials: int, pruning: int | None = None) -> Searched:
    train, validation, test = task.data
    space = {
        gg.Dropout: [None, SPACE["dropout"]],
        gg.L2: [None, loguniform(*SPACE["l2"])],
        "learning_rate": loguniform(*(rate / RATE for rate in SPACE["learning_rate"])),
    }
    watch, began = Watch(), datetime.now()  # noqa: DTZ005  Optuna's times have no zone
    data = {"validation_data": validation, "test_data": test}
    given = {"epochs": task.epochs, "batch_size": task.batch_size, "n_trials": trials, "seeds": SEEDS}
    given |= {"pruning": pruning, "judge_seeds": SEEDS, "progress": False}
    found = search(task.build(0.0, 0.0, RATE), space, train, **data, **given)
    told = {one.number: (one.datetime_complete - began).total_seconds() for one in found.study.trials}
    watch.ends += [(told[one.number], one.score) for one in found.trials if one.state != "halted"]
    best = found.best.strengths
    return watch.found((best["dropout"] or 0.0, best["l2"] or 0.0, best["learning_rate"] * RATE))


def as_arrays(split: gg.Split) -> tuple[Any, Any]:
    # Keras' metrics want answers of the output's rank.
    return (split.x.toarray() if hasattr(split.x, "toarray") else split.x), split.y[:, None]


def objective(task: Task, arrays: list[tuple[Any, Any]], strengths: tuple[float, float, float]) -> float:
    """Train one trial with every seed by Keras' own loop."""
    losses = []
    for seed in range(SEEDS):
        keras.utils.set_random_seed(seed)
        model = task.build(*strengths)
        fit = {"epochs": task.epochs, "batch_size": task.batch_size, "verbose": 0}
        history = model.fit(*arrays[0], validation_data=arrays[1], **fit)
        losses.append(min(history.history[task.monitor]))
        keras.backend.clear_session()
    return float(np.mean(losses))


def drawn(trial: Any) -> Strengths:
    dropout = trial.suggest_float("dropout", *SPACE["dropout"]) if trial.suggest_categorical("d", [0, 1]) else 0.0
    l2 = trial.suggest_float("l2", *SPACE["l2"], log=True) if trial.suggest_categorical("l", [0, 1]) else 0.0
    return dropout, l2, trial.suggest_float("rate", *SPACE["learning_rate"], log=True)


def by_optuna(task: Task, trials: int) -> Searched:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    arrays = [as_arrays(split) for split in task.data[:2]]
    watch = Watch()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    ended = [lambda _, trial: watch.ended(trial.value)]
    study.optimize(lambda trial: objective(task, arrays, drawn(trial)), n_trials=trials, callbacks=ended)
    best = study.best_params
    return watch.found((best.get("dropout", 0.0), best.get("l2", 0.0), best["rate"]))


def by_keras_tuner(task: Task, trials: int, kind: str) -> Searched:
    import keras_tuner

    arrays = [as_arrays(split) for split in task.data[:2]]

    def strengths(hp: Any) -> Strengths:
        dropout = hp.Float("dropout", *SPACE["dropout"]) if hp.Boolean("d") else 0.0
        l2 = hp.Float("l2", *SPACE["l2"], sampling="log") if hp.Boolean("l") else 0.0
        return dropout, l2, hp.Float("rate", *SPACE["learning_rate"], sampling="log")

    tuners = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}
    base = tuners.get(kind, keras_tuner.Hyperband)

    class Watched(base):  # type: ignore[misc, valid-type]
        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            watch.ended(float(self.oracle.get_trial(trial.trial_id).score))

    fit = {"validation_data": arrays[1], "batch_size": task.batch_size, "verbose": 0}
    with tempfile.TemporaryDirectory() as folder:
        own: dict[str, Any] = {
            "objective": keras_tuner.Objective(task.monitor, "min"),
            "seed": 0,
            "directory": folder,
            "executions_per_trial": SEEDS,
        }
        watch = Watch()
        if kind == "hyperband":
            own |= {"max_epochs": task.epochs, "factor": 3}
        else:
            own["max_trials"], fit["epochs"] = trials, task.epochs
        tuner = Watched(lambda hp: task.build(*strengths(hp)), **own)
        tuner.oracle.max_trials = trials
        tuner.search(*arrays[0], **fit)
        return watch.found(strengths(tuner.get_best_hyperparameters(1)[0]))


def test_losses(task: Task, chosen: Strengths) -> NDArray[np.float64]:
    """Return the log loss of every test case, in the mean over new seeds, each read at its best epoch."""
    train, validation, test = task.data
    models = [task.build(*chosen) for _ in JUDGES]
    fit = {"epochs": task.epochs, "batch_size": task.batch_size, "seeds": JUDGES, "restore_best_weights": True}
    gg.fit_many(models, train.x, train.y, validation_data=(validation.x, validation.y), **fit)
    x, y = as_arrays(test)[0], test.y
    losses = []
    for model in models:
        p = model.predict(x, verbose=0).astype(float)
        right = p[np.arange(len(y)), y] if p.shape[1] > 1 else np.where(y == 1, p[:, 0], 1 - p[:, 0])
        losses.append(-np.log(np.maximum(right, 1e-7)))
    return np.mean(losses, axis=0)


@dataclass(frozen=True)
class Rival:
    """A search that others offer.

    Attributes:
        run: Searches with so many trials.
        pruning: How gengap halts trials beside it; None trains all to the end.
    """

    run: Callable[[Task, int], Searched]
    pruning: int | None = None


def tuner(kind: str) -> Callable[[Task, int], Searched]:
    return lambda task, trials: by_keras_tuner(task, trials, kind)


RIVALS = {
    "optuna, TPE": Rival(by_optuna),
    **{f"keras-tuner, {kind}": Rival(tuner(kind)) for kind in ("random", "bayesian", "hyperband")},
    "keras-tuner, hyperband, both halting": Rival(tuner("hyperband"), pruning=3),
}
OWN = {None: "gengap", 3: "gengap, pruning=3"}


def race(name: str, *, quick: bool, rivals: list[str]) -> dict[str, Any]:
    task, found = TASKS[name](), dict[str, Searched]()
    trials, kinds = 2 if quick else TRIALS, list(dict.fromkeys(RIVALS[rival].pruning for rival in rivals))
    before = {kind: ours(task, TRIALS, kind) for kind in kinds}
    for rival in rivals:
        try:
            found[rival] = RIVALS[rival].run(task, trials)
        except ImportError as error:
            print(f"{name}: {rival} is not raced: {error}")
    owns = {kind: max(before[kind], ours(task, TRIALS, kind), key=lambda one: one.processor) for kind in kinds}
    losses = {kind: test_losses(task, own.chosen) for kind, own in owns.items()}
    rows: dict[str, Any] = {}
    for kind, own in owns.items():
        rows[OWN[kind]] = row(own) | {"beside": OWN[kind], "test_loss": float(losses[kind].mean())}
    for rival, one in found.items():
        kind = RIVALS[rival].pruning
        own, apart = owns[kind], losses[kind] - test_losses(task, one.chosen)
        half = 1.96 * float(apart.std(ddof=1)) / len(apart) ** 0.5
        same = max(one.loss, own.loss)
        rows[rival] = row(one) | {
            "beside": OWN[kind],
            "ratio": one.processor * TRIALS / trials / own.processor,
            "ratio_to_same_loss": one.reached(same) / own.reached(same),
            "test_loss": float((losses[kind] - apart).mean()),
            "gengap_minus_it": [float(apart.mean()), half],
        }
    for contestant, one in rows.items():
        print(f"{name:10} {contestant:37} {told(one)}", flush=True)
    print(f"{name:10} asked for: {task.bar:g}; load {os.getloadavg()[0]:.1f}")
    return {"rows": rows, "bar": task.bar, "load": os.getloadavg()[0]}


def joined(known: dict[str, Any], raced: dict[str, Any]) -> dict[str, Any]:
    """Return a race with the rows of before that were not held against what ran anew."""
    own = set(raced["rows"]) & set(OWN.values())
    stay = {who: one for who, one in known.get("rows", {}).items() if not {who, one.get("beside", "gengap")} & own}
    return raced | {"rows": stay | raced["rows"]}


def row(found: Searched) -> dict[str, Any]:
    times = {"seconds": found.seconds, "processor": found.processor, "to_best": found.reached(found.loss)}
    return {**times, "best_validation_loss": found.loss, "trials": len(found.ends), "chosen": found.chosen}


def told(one: dict[str, Any]) -> str:
    said = f"{one['processor']:7.1f} s of processor ({one['seconds']:.1f} by the wall, {one['trials']} trials"
    said += f", its best after {one['to_best']:.1f}), validation loss {one['best_validation_loss']:.4f}"
    said += f", test {one['test_loss']:.4f}"
    if "ratio" not in one:
        return said
    mean, half = one["gengap_minus_it"]
    verdict = "not worse" if mean + half <= MARGIN else "not shown to be not worse"
    ratios = f"gengap {one['ratio']:.1f} times as fast, {one['ratio_to_same_loss']:.1f} to the same loss"
    return f"{said}; {ratios}, on test {mean:+.4f} +- {half:.4f}: {verdict} (margin {MARGIN:g})"


READING = f"""Seconds are of the processor, one thread, {TRIALS} trials of {SEEDS} seeds. Hyperband stops most of its
trials early and may end with fewer; "both halting" is gengap with `pruning=3` beside it. "Whole" divides the rival's
seconds for its whole search by gengap's, judging of the finalists included; "same loss" divides the times until a
trial was as good as the worse of the two best ones: of one draw of each search, so that where a first trial happens
to be good it is the time of that trial. KerasTuner draws new seeds for every trial, so that its lowest loss is luck
of seeds in part; gengap and Optuna hold all trials against the same three. Test losses are of what each chose,
trained anew with {len(JUDGES)} seeds: gengap's minus the rival's, with its 95 % interval over cases; not worse is
what ends below {MARGIN:g}."""
HEADINGS = ("data", "rival", "its seconds", "gengap's", "whole", "same loss", "validation losses, its and gengap's",
            "difference on test")  # fmt: skip


def section(races: dict[str, Any]) -> str:
    """Return what was found as a table in Markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS)]
    for name, one in races.items():
        for rival, row in one["rows"].items():
            if rival in RIVALS:
                own = one["rows"][row.get("beside", "gengap")]
                mean, half = row["gengap_minus_it"]
                worse = "not worse" if mean + half <= MARGIN else "not shown to be not worse"
                lines.append((
                    name, rival, f"{row['processor']:.0f}", f"{own['processor']:.0f}", f"{row['ratio']:.1f}",
                    f"{row['ratio_to_same_loss']:.1f}",
                    f"{row['best_validation_loss']:.4f}, {own['best_validation_loss']:.4f}",
                    f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}]: {worse}",
                ))  # fmt: skip
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in lines), "", READING])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two trials of each rival; nothing is written")
    parser.add_argument(
        "--only", nargs="*", default=[n for n in TASKS if n != "reviews" or "GENGAP_IMDB" in os.environ]
    )
    parser.add_argument("--rivals", nargs="*", default=list(RIVALS), choices=list(RIVALS))
    options = parser.parse_args()
    races = {name: race(name, quick=options.quick, rivals=options.rivals) for name in options.only}
    if not options.quick:
        before = json.loads(RESULTS.read_text(encoding="utf-8"))["races"] if RESULTS.exists() else {}
        races = before | {name: joined(before.get(name, {}), one) for name, one in races.items()}
        kept = {"machine": machine("keras", "torch", "optuna"), "margin": MARGIN, "races": races}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        put_section(PAGE, "search.py", section(kept["races"]))


if __name__ == "__main__":
    main()
