"""What a fit does: a study chooses variant and epoch, then the choice learns from all cases."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.analysis import recommend
from gengap.analysis.cases import networks
from gengap.datasets.cases import rows_of, take
from gengap.datasets.checks import check_marks
from gengap.datasets.folds import CrossValidation
from gengap.datasets.held_out import hold_out
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Split
from gengap.errors import DataError, ModelError
from gengap.keras_models.outputs import to_predictions
from gengap.remedies.base import Remedy
from gengap.results import Result
from gengap.shipping.retraining import median_epochs
from gengap.study import Study

EPOCHS = 30
"""Epochs of a run, at most, unless `fit_kwargs` says otherwise."""
_MOST_NUMBERS = 2**22
"""Numbers of inputs that are predicted at once, at most: sparse rows are dense for that moment."""
_TAKEN = ("epochs", "batch_size", "shuffle", "verbose")
_OF_THE_CHOICE = ("callbacks", "references", "storage")
"""Arguments of the study that chooses, and not of the training that follows it, where nothing is held out."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit leaves.

    Attributes:
        result: The result of the study that chose.
        variant: Name of the chosen variant.
        epochs: Epochs that the choice was then trained for, on all cases.
        models: The trained models, one for each seed that is kept.
        kind: How their output is read.
        history: Per epoch, the `loss`, `penalty` and metrics of the first of them.
        seconds: Wall time of the study and of the last training.
    """

    result: Result
    variant: str
    epochs: int
    models: tuple[keras.Model, ...]
    kind: OutputKind
    history: Mapping[str, list[float]]
    seconds: Mapping[str, float]

    def forecasts(self, x: Any) -> NDArray[np.float64]:
        """Return the mean forecast of the models: probabilities or real numbers, as `to_predictions` shapes them."""
        parts = [
            np.mean([to_predictions(model.predict_on_batch(one), self.kind) for model in self.models], axis=0)
            for one in _batches(x)
        ]
        return np.concatenate(parts).astype(np.float64)


def fit_study(
    model: keras.Model,
    cases: Split,
    *,
    remedies: Sequence[Remedy | str],
    seeds: int | Sequence[int],
    cv: int | CrossValidation | None,
    labels: int,
    ensemble: bool,
    search: Mapping[Any, Any] | Literal["auto"] | None,
    n_trials: int,
    fit_kwargs: Mapping[str, Any] | None,
    study_kwargs: Mapping[str, Any] | None,
    class_weight: Mapping[int, float] | None = None,
) -> Fitted:
    """Choose variant and epoch by a study on some of the cases, then train the choice on all of them.

    Args:
        model: A compiled model.
        cases: The cases, with weights and groups where there are any.
        remedies: What to try on it.
        seeds: Seeds of the study.
        cv: How the study is resampled; None holds a fifth of the cases out, always the same ones.
        labels: Number of labels; 0 for a regression.
        ensemble: Whether all seeds are trained in the end, or the first alone.
        search: Where strengths of remedies are sought, as `gengap.search` takes it; None for given remedies.
        n_trials: Number of trials of the search.
        fit_kwargs: What `Study.run` takes of `epochs`, `batch_size`, `shuffle`; and `verbose`.
        study_kwargs: Further arguments of `Study`.
        class_weight: Weight of each label code in the objective.

    Raises:
        DataError: The cases cannot be divided, or cannot be used as given; or `search` goes with what it replaces.
        ModelError: The model predicts something else than `labels` says; or a run of the choice diverged when it was
            trained on all cases.
        TypeError: An argument of `Model.fit` that is not taken here, or an argument of the estimator in `study_kwargs`.
    """
    how, asked = _run_arguments(fit_kwargs), _study_arguments(study_kwargs)
    rates = _callbacks_of_rates(asked.get("callbacks", ()))
    study = Study(model, remedies=remedies, seeds=seeds, **asked)
    _check_model(study, labels)
    started = time.perf_counter()
    fit = {"class_weight": class_weight, **how}
    if search is not None:
        if len(study.variants) > 1 or cv is not None:
            raise DataError(
                "`search` finds the remedies itself, on a fifth of the cases: leave out `remedies` and `cv`."
            )
        result = _searched(study, cases, search, n_trials, {**fit, **asked})
        study = Study(model, remedies=networks(result).variants[1:], seeds=seeds, **asked)
    elif cv is None:
        train, validation = _parts(cases, study.kind)
        result = study.run(train, validation_data=validation, **fit)
    else:
        result = study.run(cases, cv=cv, **fit)
    choice = recommend(networks(result)).choice
    epochs = median_epochs(result, choice.variant, choice.rule.name)
    chosen = next(one for one in study.variants if one.name == choice.variant)
    between = time.perf_counter()
    kept = study.seeds if ensemble else study.seeds[:1]
    told = {name: value for name, value in asked.items() if name not in _OF_THE_CHOICE}
    again = Study(chosen.model, seeds=kept, **{**told, "callbacks": rates, "primary_epoch": "last"})
    # what the variant keeps of trained weights is known to it alone; nothing is held out by which it could stop
    again.variants = (replace(chosen, stopping=None),)
    last = again.run(replace(cases, groups=None), **{**fit, "epochs": epochs})
    seconds = {"study": between - started, "refit": time.perf_counter() - between}
    history = last.history.sel(variant=chosen.name, seed=kept[0])
    curves = {str(name): values.to_numpy().tolist() for name, values in history.items()}
    return Fitted(result, chosen.name, epochs, _models(last, chosen.name), study.kind, curves, seconds)


def _searched(
    study: Study, cases: Split, space: Mapping[Any, Any] | Literal["auto"], n_trials: int, arguments: Mapping[str, Any]
) -> Result:
    """Return the finalists of a search beside the model as it is, trained with as many fresh seeds as a trial has."""
    from gengap.searching import search  # only now: it needs Optuna

    if isinstance(space, str) and space != "auto":
        raise DataError(f"`search` must be a mapping from remedies to strengths, or 'auto'; received {space!r}.")
    train, validation = _parts(cases, study.kind)
    found = search(
        study.variants[0].model,
        None if isinstance(space, str) else space,
        train,
        validation_data=validation,
        n_trials=n_trials,
        seeds=study.seeds,
        judge_seeds=len(study.seeds),
        **arguments,
    )
    return found.result


def _study_arguments(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return further arguments of `Study`.

    Raises:
        TypeError: One of them is an argument of the estimator.
    """
    asked = _as_mapping(given, "study_kwargs")
    if own := sorted({"model", "remedies", "seeds"} & set(asked)):
        raise TypeError(f"`study_kwargs` takes no `{own[0]}`: give `{own[0]}=` to the estimator.")
    return asked


def _callbacks_of_rates(given: Any) -> list[Any]:
    """Return those callbacks that change learning rates, which the last training needs, too.

    Raises:
        DataError: A rate would follow a validation split, and the last training has none.
    """
    kinds = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    every = given if isinstance(given, Iterable) else [given]
    rates = [one for one in every if isinstance(one, kinds)]
    if blind := [one.monitor for one in rates if str(getattr(one, "monitor", "")).startswith("val_")]:
        raise DataError(
            f"ReduceLROnPlateau(monitor={blind[0]!r}) looks at held-out cases, and the last training of an estimator "
            "learns from all of them: write monitor='loss', or take LearningRateScheduler."
        )
    return rates


def _as_mapping(given: Any, name: str) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"`{name}` must be a mapping from arguments to values; received {type(given).__name__}.")
    return dict(given or {})


def _run_arguments(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return arguments of `Study.run`.

    Raises:
        TypeError: One is not taken here; the sentence says what to do instead.
    """
    asked = _as_mapping(given, "fit_kwargs")
    for name in asked:
        if name in {"class_weight", "sample_weight"}:
            where = "the estimator (classifiers have it)" if name == "class_weight" else "`fit`"
            raise TypeError(f"`fit_kwargs` takes no `{name}`: give `{name}=` to {where}.")
        if name.startswith("validation"):
            raise TypeError(
                f"`fit_kwargs` takes no `{name}`: the study holds a fifth of the cases out itself, or divides them "
                "into folds with `cv=`."
            )
        if name not in _TAKEN:
            raise TypeError(f"`fit_kwargs` takes {', '.join(f'`{one}`' for one in _TAKEN)}; received `{name}`.")
    progress = bool(asked.pop("verbose", False))
    return {"epochs": EPOCHS, **asked, "progress": progress}


def _check_model(study: Study, labels: int) -> None:
    kind, model = study.kind, study.variants[0].model
    if (kind.task == "regression") != (labels == 0):
        raise ModelError(
            f"The model {model.name!r} predicts a {kind.task} task, and this estimator needs a model of "
            f"{'labels' if labels else 'numbers'}."
        )
    own = 2 if kind.task == "binary" else kind.width
    if labels not in {0, own}:
        raise ModelError(
            f"The model {model.name!r} forecasts {own} labels, and `y` has {labels}: give a function of `X, y` that "
            "makes the model, or a model of as many outputs."
        )
    if less := [one.name for one in study.variants if one.share != 1]:
        raise DataError(
            f"{less[0]!r} learns from a share of the cases, which asks whether more data would help and is no model to "
            "predict with: leave it out here, and use gg.value_of_data."
        )


def _parts(cases: Split, kind: OutputKind) -> tuple[Split, Split]:
    """Hold a fifth of the cases out: whole groups, every label by its share."""
    number, y = len(cases), np.asarray(cases.y)
    if number < 2:
        raise DataError("A fit needs at least 2 cases, one to learn from and one to choose on; received n_samples = 1.")
    stratified = y if kind.task != "regression" else np.arange(number) + 0.5  # answers that recur are no labels
    groups = check_marks(cases, "training", number)[1]
    places = Split(np.arange(number).reshape(-1, 1), stratified, groups=groups)
    try:
        kept, held, _ = hold_out(places)
    except DataError as reason:
        counts = "" if kind.task == "regression" else f" (labels count {np.bincount(y).tolist()} cases)"
        raise DataError(
            f"The fit holds a fifth of its cases out to choose on, and cannot here{counts}: every label, and every "
            "side, needs a case or group of its own in both parts. Give more cases, or folds of your own with `cv=`."
        ) from reason
    return _part(cases, kept.x[:, 0]), _part(cases, held.x[:, 0])


def _part(cases: Split, rows: NDArray[np.int64]) -> Split:
    beside = {name: getattr(cases, name) for name in ("sample_weight", "groups")}
    own = {name: None if values is None else np.asarray(values)[rows] for name, values in beside.items()}
    return Split(rows_of(cases.x, rows), cases.y[rows], **own)


def _models(last: Result, variant: str) -> tuple[keras.Model, ...]:
    status = last.runs["status"].to_numpy().astype(str)
    if not np.char.startswith(status, "completed").all():
        raise ModelError(
            f"{variant!r}, trained on all cases for as long as the study chose, diverged: lower its learning rate."
        )
    return tuple(last.model(variant, seed=seed, epoch="last") for seed in last.seeds)


def _batches(x: Any) -> Iterator[Any]:
    at_once = max(32, _MOST_NUMBERS // max(1, math.prod(x.shape[1:])))
    for start in range(0, x.shape[0], at_once):
        yield take(x, slice(start, start + at_once))
