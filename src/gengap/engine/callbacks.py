"""Callbacks of Keras where runs train together: what each of them does, or what to take in its place."""

import csv
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import keras

from gengap.engine.events import Events, folder_of, require_tensorboard
from gengap.engine.rates import EpochSchedule, RateRule, ReduceOnPlateau
from gengap.engine.runs import Listener, Run, RunRecord
from gengap.errors import GengapError, GengapWarning
from gengap.remedies.base import Variant
from gengap.remedies.stopping import StoppingRule

_OF_A_RUN = ("on_epoch_end",)
_FALLING = ("val_loss", "loss", "val_score")
_REPLACED = {
    "SwapEMAWeights": "averaged weights are the remedy gg.EMA(momentum)",
    "History": "a result holds every curve (result.history, result.to_dataframe('history')), fit_many returns them",
    "ProgbarLogger": "Study.run(..., progress=True) shows how far it is",
    "RemoteMonitor": "send what you want to from a keras.callbacks.LambdaCallback(on_epoch_end=...)",
    "OrbaxCheckpoint": 'gg.Study(..., storage="folder") keeps every run',
}
_STORED = (
    "a result holds the weights of the best and the last epoch of every run (result.model(name, seed=3)), and "
    'gg.Study(..., storage="folder") keeps them on disk and goes on after a crash: give `storage=`'
)


Who = Mapping[str, str | int]
"""What tells runs apart: `variant` and `seed`, in a resampled study `fold` besides, as `Result.model` takes them; of
`fit_many`, `model`, the place in the list, and `seed`."""


def called(who: Who) -> str:
    """Return the variant's name; of `fit_many`, which has none, `model 0` and so on."""
    return str(who["variant"]) if "variant" in who else f"model {who['model']}"


class Hearer(Protocol):
    """What is told of every finished epoch of every run."""

    def on_epoch(self, who: Who, epoch: int, logs: Mapping[str, float]) -> None:
        """Take note of a finished epoch, from 1."""


class LiveRecord(ABC):
    """What stands among the callbacks of a study and records every run while it trains."""

    @abstractmethod
    def opened(self) -> Any:
        """Return the context manager of a `Hearer`, entered before the first run and left after the last."""


@dataclass(frozen=True, eq=False)
class Callbacks:
    """Callbacks as a study takes them.

    Attributes:
        stopping: The stopping rule of variants that have none of their own.
        hearers: What makes a hearer when training begins, as a context manager each.
        rates: What changes the learning rates of all runs between epochs.
        restores_best: Whether EarlyStopping asks for the weights of the best epoch, which a study keeps anyway.
    """

    stopping: StoppingRule | None = None
    hearers: tuple[Callable[[], Any], ...] = ()
    rates: tuple[RateRule, ...] = ()
    restores_best: bool = False

    def variants(self, given: Sequence[Variant]) -> tuple[Variant, ...]:
        """Return the variants with the stopping rule, where they have none of their own."""
        return tuple(one if one.stopping else replace(one, stopping=self.stopping) for one in given)

    @contextmanager
    def heard(self, inner: Listener, named: Callable[[Run], Who]) -> Iterator[Listener]:
        """Give a listener that tells everybody, and passes everything on.

        Args:
            inner: What everything is passed on to.
            named: What tells a run from the others.

        Raises:
            GengapError: A file cannot be written.
        """
        if not self.hearers:
            yield inner
            return
        with ExitStack() as open_ones:
            yield _Told(inner, [open_ones.enter_context(make()) for make in self.hearers], named)


def read_callbacks(given: Sequence[Any], *, stored: bool = False, checkpoints: str = _STORED) -> Callbacks:
    """Read a list of Keras' callbacks.

    Args:
        given: The callbacks.
        stored: Whether every run is kept in a folder, as callbacks for checkpoints ask for.
        checkpoints: What to do in their place where it is not.

    Raises:
        TypeError: One has no place where runs train together, or is no callback; the sentence says what to do instead.
        ValueError: One is set up as runs that train together cannot have it.
        MissingExtraError: TensorBoard is not installed.
    """
    stopping: list[StoppingRule] = []
    hearers: list[Callable[[], Any]] = []
    rates: list[RateRule] = []
    restores_best = False
    for one in [given] if isinstance(given, keras.callbacks.Callback | LiveRecord) else given:
        kind = type(one)
        if isinstance(one, LiveRecord):
            hearers.append(one.opened)
        elif kind is keras.callbacks.EarlyStopping:
            stopping.append(_stopping(one))
            restores_best = bool(one.restore_best_weights)
        elif kind is keras.callbacks.ReduceLROnPlateau:
            rates.append(_plateau(one))
        elif kind is keras.callbacks.LearningRateScheduler:
            rates.append(_schedule(one))
        elif kind is keras.callbacks.LambdaCallback:
            hearers.append(_lambda(one))
        elif kind is keras.callbacks.CSVLogger:
            if len(one.sep) != 1:
                raise ValueError(f"CSVLogger takes a separator of one character; received {one.sep!r}.")
            hearers.append(partial(_csv, one))
        elif kind is keras.callbacks.TensorBoard:
            hearers.append(_tensorboard(one))
        elif kind is not keras.callbacks.TerminateOnNaN and not (stored and kind in _CHECKPOINTS):
            raise TypeError(_refusal(one, checkpoints))
    if len(stopping) > 1:
        raise ValueError("Two EarlyStopping callbacks are given: a run has one stopping rule.")
    return Callbacks(stopping[0] if stopping else None, tuple(hearers), tuple(rates), restores_best)


_CHECKPOINTS = (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)


def _refusal(one: Any, checkpoints: str) -> str:
    if not isinstance(one, keras.callbacks.Callback):
        return f"`callbacks` takes callbacks of Keras; received {type(one).__name__}: {one!r}."
    kind = type(one).__name__
    if type(one) in _CHECKPOINTS:
        return f"{kind}: {checkpoints}."
    told = next((_REPLACED[name] for name in _REPLACED if type(one) is getattr(keras.callbacks, name, None)), None)
    if told is not None:
        return f"{kind} has no place where runs train together: {told}."
    return (
        f"{kind} is a callback of your own, which holds the state of one run and its model, and runs train together: "
        "what is to happen after every epoch of every run goes into LambdaCallback(on_epoch_end=function), "
        "whose `logs` name the run; what changes the training is a remedy or a model of its own."
    )


def _stopping(one: Any) -> StoppingRule:
    """Return the stopping rule that Keras' callback stands for; it looks at the common score."""
    instead = "write gg.EarlyStopping(patience, min_delta=...), which looks at the common held-out score"
    if one.monitor != "val_loss" or one.mode == "max":
        raise ValueError(f"EarlyStopping(monitor={one.monitor!r}) is not what runs stop by here: {instead}.")
    if one.baseline is not None or one.start_from_epoch or one.patience < 1:
        raise ValueError(
            f"EarlyStopping takes a patience from 1 here, and no `baseline` or `start_from_epoch`: {instead}."
        )
    return StoppingRule(int(one.patience), float(abs(one.min_delta)))


def _plateau(one: Any) -> ReduceOnPlateau:
    """Return the rule that Keras' callback stands for, on a curve that every run has, whatever its metrics."""
    if one.monitor not in _FALLING or one.mode == "max":
        raise ValueError(
            f"ReduceLROnPlateau(monitor={one.monitor!r}, mode={one.mode!r}) is not what the rate of a run can follow: "
            "`monitor` must be 'val_loss', 'loss' or 'val_score', the common score on the validation split, and all "
            "of them are better the smaller they are."
        )
    return ReduceOnPlateau(
        one.monitor,
        float(one.factor),
        int(one.patience),
        float(abs(one.min_delta)),
        int(one.cooldown),
        float(one.min_lr),
    )


def _schedule(one: Any) -> EpochSchedule:
    if not callable(one.schedule):
        raise TypeError(f"LearningRateScheduler takes a function of the epoch; received {one.schedule!r}.")
    return EpochSchedule(one.schedule)


def _lambda(one: Any) -> Callable[[], Any]:
    known = {name for name in vars(one) if name.startswith("on_")}
    if more := sorted(known - set(_OF_A_RUN)):
        raise TypeError(
            f"LambdaCallback({more[0]}=...) has no place where runs train together: what is to happen after every "
            "epoch of every run goes into `on_epoch_end`."
        )
    if not known:
        raise TypeError("This LambdaCallback does nothing: give it `on_epoch_end`.")
    call = one.on_epoch_end

    @contextmanager
    def opened() -> Iterator[Hearer]:
        yield _Called(lambda who, epoch, logs: call(epoch - 1, {**logs, **who}))

    return opened


@contextmanager
def _csv(one: Any) -> Iterator[Hearer]:
    """Open a table of all runs; columns are those of the first epoch, as in Keras, behind variant, seed and fold."""
    path = Path(one.filename)
    known = path.exists() and one.append and path.stat().st_size > 0
    try:
        opened = path.open("a" if one.append else "w", newline="", encoding="utf-8")
    except OSError as reason:
        raise GengapError(f"CSVLogger cannot write to {path}: {reason.strerror}.") from reason
    with opened as file:
        columns: list[str] = []
        writer = csv.writer(file, delimiter=one.sep)

        def write(who: Who, epoch: int, logs: Mapping[str, float]) -> None:
            if not columns:
                columns.extend(sorted(logs))
                if not known:
                    writer.writerow([*who, "epoch", *columns])
            writer.writerow([*who.values(), epoch - 1, *(logs.get(name, "NA") for name in columns)])
            file.flush()

        yield _Called(write)


def _tensorboard(one: Any) -> Callable[[], Any]:
    if one.histogram_freq or one.write_images or one.embeddings_freq or one.update_freq != "epoch":
        raise ValueError(
            "TensorBoard writes scalars of every epoch here: leave out `histogram_freq`, `write_images`, "
            "`embeddings_freq` and `update_freq`."
        )
    require_tensorboard()

    @contextmanager
    def opened() -> Iterator[Hearer]:
        files: dict[tuple[Any, ...], Events] = {}
        folders: dict[str, str] = {}

        def write(who: Who, epoch: int, logs: Mapping[str, float]) -> None:
            key = tuple(who.values())
            if key not in files:
                own = "-".join(f"{name}-{value}" for name, value in who.items() if name in {"seed", "fold"})
                files[key] = Events(Path(one.log_dir) / folder_of(called(who), folders) / own)
            files[key].add(logs, epoch - 1)

        try:
            yield _Called(write)
        finally:
            for each in files.values():
                each.close()

    return opened


@dataclass(frozen=True, eq=False)
class _Called:
    function: Callable[[Who, int, Mapping[str, float]], Any]

    def on_epoch(self, who: Who, epoch: int, logs: Mapping[str, float]) -> None:
        self.function(who, epoch, logs)


class _Told:
    """The listener that tells hearers; one that fails is told no more, so that no training is lost by it."""

    def __init__(self, inner: Listener, hearers: Sequence[Hearer], named: Callable[[Run], Who]) -> None:
        self._inner, self._hearers, self._named = inner, list(hearers), named

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        who = self._named(run)
        for one in tuple(self._hearers):
            try:
                one.on_epoch(who, epoch, logs)
            except Exception as error:  # noqa: BLE001  whatever a function of the user's raises
                self._hearers.remove(one)
                warnings.warn(
                    f"A callback failed at epoch {epoch} of {called(who)!r}, seed {who['seed']} "
                    f"({type(error).__name__}: {error}); the training goes on without it.",
                    GengapWarning,
                    stacklevel=2,
                )
        self._inner.on_epoch(run, epoch, logs)

    def on_record(self, record: RunRecord) -> None:
        self._inner.on_record(record)
