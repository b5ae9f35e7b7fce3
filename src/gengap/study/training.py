"""What a study trains: its data checked against its models, divided into folds and preprocessed, and how and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from gengap.datasets.checks import check_inputs, check_marks, check_not_the_same
from gengap.datasets.input_scale import input_scale
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Listener, Run, TrainingSettings
from gengap.errors import DataError
from gengap.keras_models.heads import flat_inputs, input_names, input_structure
from gengap.runners.base import Engine, Planner, Runner, States
from gengap.study.answers import check_answers
from gengap.study.passes import Passes, passes_of
from gengap.study.preprocessing import check_preprocess, describe_preprocess, preprocessed, preprocessed_folds
from gengap.study.resampling import Folds, divide

if TYPE_CHECKING:
    from gengap.engine.planner import Plan  # it needs torch, which a declaration does not


@dataclass(frozen=True, eq=False)
class Training:
    """What a study trains, how and where.

    Attributes:
        engine: What trains.
        planner: What plans for that engine; None for an engine that trains run by run.
        runner: Where.
        runs: All runs of the study.
        data: Its data.
        settings: What the runs have in common.
        folds: The folds that the runs are of; None for single splits.
    """

    engine: Engine
    planner: Planner | None
    runner: Runner
    runs: Sequence[Run]
    data: TrainingData
    settings: TrainingSettings
    folds: Folds | None = None

    def held_out(self) -> TrainingData:
        """Return the splits that a result holds predictions for."""
        return self.data if self.folds is None else self.folds.held_out()

    def passes(self, kind: OutputKind) -> Passes | None:
        """Return the divisions with the climatology of each fold's training cases; None for single splits."""
        return None if self.folds is None else passes_of(self.folds, kind)

    def plan(self, runs: Sequence[Run]) -> "Plan | None":
        """Plan the training of some of the runs; None for an engine that needs no plan."""
        return None if self.planner is None else self.runner.plan(self.planner, runs, self.data, self.settings)

    def execute(
        self, runs: Sequence[Run], listener: Listener, *, plan: "Plan | None", states: States | None = None
    ) -> None:
        """Train some of the runs."""
        self.runner.execute(self.engine, runs, self.data, self.settings, listener, plan=plan, states=states)


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The data of a study and its runs on them.

    Attributes:
        data: What engines train on. With folds, each split is all cases, of which a run has its own.
        runs: The runs; with folds, one for each fold of each seed and variant.
        described: The checked data before any preprocessing; with folds, all cases as the training split.
        folds: The folds; None for single splits.
        preprocess: What was fitted to training cases, in words; None where nothing was.
    """

    data: TrainingData
    runs: Sequence[Run]
    described: TrainingData
    folds: Folds | None
    preprocess: str | None

    def account(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a manifest says of folds and preprocessing, given what it says of the data."""
        told: dict[str, Any] = {}
        if self.preprocess is not None:
            seen = {**description["audit"], "scale": self._scale()}
            told = {"preprocess": self.preprocess, "data": (description := {**description, "audit": seen})}
        if self.folds is None:
            return told
        tested = len(self.folds.tested)
        sizes = {"n_train": min(len(run.fold.train) for run in self.runs if run.fold is not None), "n_test": tested}
        sizes |= {"n_validation": tested} if self.folds.validates_all else {}
        return {**told, "resampling": self.folds.describe(), "data": {**description, **sizes}}

    def _scale(self) -> dict[str, Any] | None:
        """Return the largest input that a model sees, by its place alone: preprocessing may move and make columns."""
        largest = input_scale(self.data.train.x)
        if largest is not None and isinstance(largest["feature"], int):
            largest["feature"] = f"x[..., {largest['feature']}]"
        return largest


def arrange(
    given: TrainingData,
    models: Sequence[keras.Model],
    kind: OutputKind,
    runs: Sequence[Run],
    *,
    seeds: Sequence[int],
    cv: Any,
    preprocess: Any,
) -> Arrangement:
    """Check the data of a study, divide them and preprocess them as it is asked.

    Args:
        given: The splits as they were given; with `cv`, the training split holds all cases.
        models: The model of every variant, the baseline first.
        kind: How the scored output is read.
        runs: Every variant with every seed.
        seeds: Seeds of the study.
        cv: What `Study.run(cv=)` was given.
        preprocess: What is fitted to training cases; None for nothing.

    Raises:
        DataError: The data cannot be used as given.
    """
    raw = check_preprocess(preprocess) is not None  # shapes and numbers are then those that a model will see
    described = check_data(given, models, kind, inputs=not raw)
    told = describe_preprocess(preprocess)
    if cv is None:
        data = check_data(preprocessed(described, preprocess, kind), models, kind) if raw else described
        return Arrangement(data, runs, described, None, told)
    folds = divide(described.train, cv, kind, seeds)
    pool, of_folds = described.train, folds.runs(runs)
    if raw:
        pool, of_folds = preprocessed_folds(pool, of_folds, preprocess, kind)
        pool = check_data(TrainingData(pool), models, kind).train
    return Arrangement(TrainingData(pool, pool, pool), of_folds, described, folds, told)


def check_data(
    data: TrainingData, models: Sequence[keras.Model], kind: OutputKind, *, inputs: bool = True
) -> TrainingData:
    """Check every split and return it with answers in plain form.

    Args:
        data: The splits as they were given.
        models: The model of every variant, the baseline first.
        kind: How the scored output is read.
        inputs: Whether inputs are what the models will see, and so must be finite and of their shape.

    Raises:
        DataError: The first thing found that would spoil the study, in one sentence.
    """
    named = {"training": data.train, "validation": data.validation, "test": data.test}
    checked = {
        name: None if split is None else _check_split(split, name, models, kind, inputs=inputs)
        for name, split in named.items()
    }
    for name in ("validation", "test"):
        check_not_the_same(data.train, named[name], name)
    train = checked["training"]
    assert train is not None  # noqa: S101  the training split is always there
    return TrainingData(train, checked["validation"], checked["test"])


def check_class_weight(class_weight: Any, kind: OutputKind) -> None:
    """Check the weights of labels.

    Raises:
        DataError: They are not a mapping from labels that exist to finite numbers from 0.
    """
    if class_weight is None:
        return
    if not isinstance(class_weight, Mapping):
        raise DataError(
            "`class_weight` must be a mapping from labels to weights, such as {0: 1.0, 1: 3.0}; received "
            f"{type(class_weight).__name__}."
        )
    if kind.name is not None:
        raise DataError(
            "`class_weight` weighs the labels of one output, and the model has several, all of which a case's weight "
            "counts in: give `sample_weight`, one number for each case, made from the labels."
        )
    if kind.task == "regression":
        raise DataError(
            "`class_weight` weighs labels, and a regression has none: give `sample_weight`, one number for each case."
        )
    labels = range({"binary": 2, "multiclass": kind.width}[kind.task])
    if unknown := [label for label in class_weight if label not in labels]:
        raise DataError(f"`class_weight` names {unknown}, and the labels are {list(labels)}.")
    if bad := [w for w in class_weight.values() if not isinstance(w, int | float) or not 0 <= w < np.inf]:
        raise DataError(f"`class_weight` must hold finite weights from 0; received {bad[0]!r}.")
    if set(class_weight) == set(labels) and not any(class_weight.values()):
        raise DataError("`class_weight` must not be zero for every label: nothing would be learned.")


def _check_split(split: Split, name: str, models: Sequence[keras.Model], kind: OutputKind, *, inputs: bool) -> Split:
    num_cases = check_inputs(split, name, numbers=inputs)
    if inputs:
        _check_shapes(split.x, name, models)
    y = check_answers(split.y, name, num_cases, models[0], kind)
    weight, groups, times = check_marks(split, name, num_cases)
    return Split(split.x, y, weight, groups, times)


def _check_shapes(x: Any, name: str, models: Sequence[keras.Model]) -> None:
    for model in models:
        names = input_names(model)
        if not names:  # a subclassed model knows its input only after its first call
            continue
        if isinstance(x, Mapping) and (unknown := sorted(set(x) - set(names))) and not any("/" in one for one in names):
            raise DataError(
                f"The {name} split has inputs named {', '.join(map(str, unknown))}; the model's inputs are named "
                f"{', '.join(names)}."
            )
        shapes = [tuple(part.shape) for part in flat_inputs(model, x)]
        if len(shapes) != len(names):
            raise DataError(
                f"The model has {len(names)} input(s), but the {name} split is a {type(x).__name__} of "
                f"{len(shapes)} arrays: give one array with a row for each case."
            )
        _check_fit(shapes, name, model)


def _check_fit(shapes: Sequence[tuple[int, ...]], name: str, model: keras.Model) -> None:
    names = input_names(model)
    for label, actual, tensor in zip(names, shapes, keras.tree.flatten(input_structure(model)), strict=True):
        expected = tuple(tensor.shape)
        if not _fits(actual, expected, lenient=len(names) > 1):
            which = f"for {label!r} " if len(names) > 1 else ""
            raise DataError(
                f"The model takes inputs {which}of shape {expected}, but the {name} split has shape {actual}: reshape "
                "the data or change the model's Input."
            )


def _fits(actual: tuple[int, ...], expected: tuple[int | None, ...], *, lenient: bool) -> bool:
    """Tell whether inputs have the shape of an Input; Keras adds or takes away a last axis of 1."""
    if lenient and len(actual) == len(expected) - 1 and expected[-1] == 1:
        actual = (*actual, 1)
    elif lenient and len(actual) == len(expected) + 1 and actual[-1] == 1:
        actual = actual[:-1]
    sizes = zip(actual[1:], expected[1:], strict=False)
    return len(actual) == len(expected) and all(e in {None, a} for a, e in sizes)
