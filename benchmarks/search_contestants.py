"""Searches that are raced: gengap's two, and Keras' own loop under Optuna and KerasTuner.

Rivals train trial after trial, each trial with every seed; a trial's worth is the mean of its best validation losses,
penalties left out.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import keras
import numpy as np
import optuna
from benchmarks.search_tasks import RATE, SPACE, Task
from scipy.stats import loguniform

import gengap as gg
from gengap import search  # what is loaded at first use is not part of the race

SEEDS = 3
MOMENT = 0.2
"""Seconds within which trials count as ending together: a round of gengap's is told trial after trial."""

Strengths = tuple[float, float, float]
"""Dropout, L2 and learning rate; 0 is off."""


@dataclass(frozen=True)
class Searched:
    """What a search took and found.

    Attributes:
        seconds: By the wall.
        processor: Of all its threads.
        ends: For every trial the seconds of the processor at which it ended, its mean best validation loss, and its
            strengths, in the order in which they ended.
        chosen: Strengths of the best trial.
    """

    seconds: float
    processor: float
    ends: Sequence[tuple[float, float, Strengths]]
    chosen: Strengths

    @property
    def leaders(self) -> list[tuple[float, Strengths]]:
        """From when on which trial was the best so far; of trials that end in one moment, the best of them."""
        found: list[tuple[float, Strengths]] = []
        lowest = float("inf")
        for at, loss, strengths in self.ends:
            if loss < lowest:
                lowest = loss
                if found and at - found[-1][0] < MOMENT:
                    found.pop()
                found.append((at, strengths))
        return found


class Watch:
    """Two clocks, and the trials that have ended."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()
        self.ends: list[tuple[float, float, Strengths]] = []

    def ended(self, loss: float, strengths: Strengths) -> None:
        """Take down a trial that ends now."""
        self.ends.append((time.process_time() - self._processor, loss, strengths))

    def found(self, chosen: Strengths) -> Searched:
        """Stop the clocks."""
        taken = time.perf_counter() - self._wall, time.process_time() - self._processor
        return Searched(*taken, self.ends, chosen)


def seeds_of(repeat: int) -> list[int]:
    """Return the seeds that every trial of a repeat trains with."""
    return list(range(SEEDS * repeat, SEEDS * (repeat + 1)))


def ours(task: Task, trials: int, repeat: int, *, pruning: int | None = None) -> Searched:
    train, validation, test = task.data
    space = {
        gg.Dropout: [None, SPACE["dropout"]],
        gg.L2: [None, loguniform(*SPACE["l2"])],
        "learning_rate": loguniform(*(rate / RATE for rate in SPACE["learning_rate"])),
    }
    watch, began = Watch(), datetime.now()  # noqa: DTZ005  Optuna's times have no zone
    data = {"validation_data": validation, "test_data": test}
    given = {"epochs": task.epochs, "batch_size": task.batch_size, "n_trials": trials, "seeds": seeds_of(repeat)}
    given |= {"pruning": pruning, "judge_seeds": SEEDS, "seed": repeat, "progress": False}
    result = search(task.build(0.0, 0.0, RATE), space, train, **data, **given)
    found = watch.found(_strengths(result.best))
    pace = found.processor / found.seconds
    told = {one.number: (one.datetime_complete - began).total_seconds() * pace for one in result.study.trials}
    ends = [(told[one.number], one.score, _strengths(one)) for one in result.trials if one.state == "complete"]
    return Searched(found.seconds, found.processor, sorted(ends), found.chosen)


def _strengths(trial: Any) -> Strengths:
    drawn = trial.strengths
    return drawn["dropout"] or 0.0, drawn["l2"] or 0.0, drawn["learning_rate"] * RATE


def as_arrays(split: gg.Split) -> tuple[Any, Any]:
    # Keras' metrics want answers of the output's rank.
    return (split.x.toarray() if hasattr(split.x, "toarray") else split.x), split.y[:, None]


def objective(task: Task, arrays: list[tuple[Any, Any]], strengths: Strengths, seeds: Sequence[int]) -> float:
    """Train one trial with every seed by Keras' own loop."""
    losses = []
    for seed in seeds:
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


def by_optuna(task: Task, trials: int, repeat: int) -> Searched:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    arrays = [as_arrays(split) for split in task.data[:2]]

    def strengths(params: dict[str, Any]) -> Strengths:
        return params.get("dropout", 0.0), params.get("l2", 0.0), params["rate"]

    watch = Watch()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=repeat))
    ended = [lambda _, trial: watch.ended(trial.value, strengths(trial.params))]
    study.optimize(
        lambda trial: objective(task, arrays, drawn(trial), seeds_of(repeat)), n_trials=trials, callbacks=ended
    )
    return watch.found(strengths(study.best_params))


def by_keras_tuner(task: Task, trials: int, repeat: int, *, kind: str) -> Searched:
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
            watch.ended(float(self.oracle.get_trial(trial.trial_id).score), strengths(trial.hyperparameters))

    fit = {"validation_data": arrays[1], "batch_size": task.batch_size, "verbose": 0}
    keras.utils.set_random_seed(repeat)  # it draws a seed for each training of a trial
    with tempfile.TemporaryDirectory() as folder:
        own: dict[str, Any] = {
            "objective": keras_tuner.Objective(task.monitor, "min"),
            "seed": repeat,
            "directory": folder,
            "executions_per_trial": SEEDS,
        }
        watch = Watch()
        if kind == "hyperband":
            # by itself it ends after one round of its brackets: 10 trials of 4 epochs, 24 of 20 and no more
            own |= {"max_epochs": task.epochs, "factor": 3, "hyperband_iterations": trials}
        else:
            own["max_trials"], fit["epochs"] = trials, task.epochs
        tuner = Watched(lambda hp: task.build(*strengths(hp)), **own)
        tuner.oracle.max_trials = trials
        tuner.search(*arrays[0], **fit)
        return watch.found(strengths(tuner.get_best_hyperparameters(1)[0]))


OWN: dict[str, Callable[[Task, int, int], Searched]] = {
    "gengap": ours,
    "gengap, pruning=3": partial(ours, pruning=3),
}
RIVALS: dict[str, Callable[[Task, int, int], Searched]] = {
    "optuna, TPE": by_optuna,
    **{f"keras-tuner, {kind}": partial(by_keras_tuner, kind=kind) for kind in ("random", "bayesian", "hyperband")},
}
