"""What both engines write down about a run, epoch by epoch, until it is a record."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Array, Predictions, Run, RunRecord, TrainingSettings
from gengap.engine.scoring import mean_score
from gengap.keras_models.frozen import frozen_places

_SCALARS = ("best_score", "reference_score", "best_epoch", "waited", "status")


class RunLog:
    """The growing log of one run.

    Args:
        run: The run.
        kind: How its output is read.
        data: The study's data; the log scores held-out predictions against it.
        settings: The study's settings.
        training_cases: Which training cases (of its fold) the run learns from, a mask of shape `(n,)`; None for all.
        parameters: Number of trainable parameters.
    """

    def __init__(
        self,
        run: Run,
        kind: OutputKind,
        data: TrainingData,
        settings: TrainingSettings,
        *,
        training_cases: NDArray[np.bool_] | None,
        parameters: int,
    ) -> None:
        self.run = run
        self._kind, self._settings, self._parameters = kind, settings, parameters
        own = data.of(run.fold, inputs=False)
        self._held_out = own.held_out()
        everything = slice(None) if training_cases is None else training_cases
        self._y_train = np.asarray(scored_answers(own.train.y, kind))[everything]
        weight = own.train.sample_weight
        self._train_weight = None if weight is None else np.asarray(weight)[everything]
        self._history: dict[str, list[float]] = {}
        self._epochs: dict[str, list[Array]] = {name: [] for name in self._held_out}
        self._last: Mapping[str, Array] = {}
        self._best: Mapping[str, Array] = {}
        self._best_weights: Sequence[Array] = ()
        self._best_score = self._reference_score = np.inf
        self._best_epoch = self._waited = 0
        self._status = "completed"
        self._started = time.perf_counter()

    @property
    def epoch(self) -> int:
        """The last finished epoch; 0 before the first."""
        return len(next(iter(self._history.values()), []))

    def latest(self) -> dict[str, float]:
        """Return the logs of the last finished epoch."""
        return {name: values[-1] for name, values in self._history.items()}

    def validation(self) -> Array:
        """Return the validation scores of all epochs so far, shape `(epochs,)`; empty without a validation split."""
        return np.array(self._history.get("val_score", ()))

    def halt(self) -> None:
        """Note that somebody ended the run: others that train with it were more promising."""
        self._status = f"halted at epoch {self.epoch}: others were better"

    def end_epoch(
        self,
        logs: Mapping[str, float],
        train_prediction: Array | None,
        held_out_predictions: Mapping[str, Array],
        weights: Callable[[], Sequence[Array]],
    ) -> bool:
        """Take in a finished epoch and say whether the run goes on.

        Args:
            logs: `loss`, `penalty`, `val_loss` and metrics, as `RunRecord.history` defines them.
            train_prediction: Predictions for the run's training cases in their original order, inference mode; None
                where the settings want no training score.
            held_out_predictions: Predictions by split name.
            weights: Gives copies of the model's weights; called only when the epoch is the best so far.

        Returns:
            False when the run diverged or its stopping rule ends it.
        """
        scores = {}
        if train_prediction is not None:
            score = mean_score(self._settings.score, self._y_train, train_prediction, self._train_weight)
            scores["train_score"] = score
        if "validation" in self._held_out:
            scores["val_score"] = self._score("validation", held_out_predictions["validation"])
        for name, value in {**logs, **scores}.items():
            self._history.setdefault(name, []).append(float(value))
        self._last = held_out_predictions
        if self._settings.keep_every_epoch:
            for name, prediction in held_out_predictions.items():
                self._epochs[name].append(np.array(prediction, dtype=np.float32))
        if not np.isfinite([logs["loss"], *scores.values()]).all():
            self._status = f"diverged at epoch {self.epoch}: the loss is no longer finite"
            return False
        score = scores.get("val_score", -float(self.epoch))  # without a validation split the last epoch is the best
        if score < self._best_score:
            self._best_score, self._best_epoch = score, self.epoch
            self._best, self._best_weights = held_out_predictions, weights()
        return not self._stops(score)

    def record(self, weights_last: Sequence[Array], *, seconds: float | None = None) -> RunRecord:
        """Return the record of the finished run.

        Args:
            weights_last: All weights after the last epoch.
            seconds: Wall time of the run; None measures from the log's creation.
        """
        keep = self._settings.keep_every_epoch
        return RunRecord(
            variant=self.run.variant,
            seed=self.run.seed,
            history={name: np.array(values) for name, values in self._history.items()},
            predictions={
                name: Predictions(
                    last=self._last[name],
                    best=self._best.get(name, np.full_like(self._last[name], np.nan)),
                    epochs=np.stack(self._epochs[name]) if keep else None,
                )
                for name in self._held_out
            },
            weights_last=weights_last,
            weights_best=self._best_weights or weights_last,
            best_epoch=self._best_epoch,
            parameters=self._parameters,
            seconds=time.perf_counter() - self._started if seconds is None else seconds,
            status=self._status,
            frozen=frozen_places(self.run.model),
        )

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return what the log needs to go on after a restart, as arrays and as JSON-able scalars."""
        arrays = {f"history/{name}": np.array(values) for name, values in self._history.items()}
        for name in self._last:
            arrays[f"last/{name}"] = self._last[name]
            if name in self._best:
                arrays[f"best/{name}"] = self._best[name]
            if self._epochs[name]:
                arrays[f"epochs/{name}"] = np.stack(self._epochs[name])
        arrays |= {f"best_weights/{position:05d}": value for position, value in enumerate(self._best_weights)}
        scalars = {name: getattr(self, f"_{name}") for name in _SCALARS}
        return arrays, scalars

    def restore(self, arrays: Mapping[str, Array], scalars: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        parts: dict[str, dict[str, Array]] = {}
        for path, value in arrays.items():
            what, name = path.split("/", 1)
            parts.setdefault(what, {})[name] = value
        self._history = {name: list(map(float, values)) for name, values in parts.get("history", {}).items()}
        self._last, self._best = parts.get("last", {}), parts.get("best", {})
        self._epochs = {name: list(parts.get("epochs", {}).get(name, ())) for name in self._held_out}
        self._best_weights = [value for _, value in sorted(parts.get("best_weights", {}).items())]
        for name in _SCALARS:
            setattr(self, f"_{name}", scalars[name])

    def _score(self, name: str, prediction: Array) -> float:
        split = self._held_out[name]
        y_true = np.asarray(scored_answers(split.y, self._kind))
        return mean_score(self._settings.score, y_true, prediction, split.sample_weight)

    def _stops(self, score: float) -> bool:
        """Apply the stopping rule as Keras' EarlyStopping does, on the common score."""
        rule = self.run.stopping
        if rule is None:
            return False
        if score < self._reference_score - rule.min_delta:
            self._reference_score, self._waited = score, 0
            return False
        self._waited += 1
        if self._waited < rule.patience:
            return False
        if self.epoch < self._settings.epochs:
            self._status = f"stopped at epoch {self.epoch}: no better for {rule.patience} epochs"
        return True
