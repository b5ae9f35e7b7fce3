"""Results of other tools: curves that they recorded, forecasts that they made."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gengap.errors import DataError, UnknownNameError
from gengap.naming import check_names
from gengap.results.checks import FORMAT
from gengap.results.intake import answers_of, groups_of, runs_of
from gengap.verification.naming import COMMON_SCORES, check_orientation, no_such_score
from gengap.verification.plain import numbers

Parts = tuple[xr.Dataset, xr.Dataset, xr.Dataset, xr.Dataset, dict[str, Any]]
"""History, runs, validation, test and manifest of a result."""
HeldOutName = Literal["validation", "test"]


def curves_of_others(
    histories: Mapping[str, Sequence[Any]], *, task: str, score: str, larger_is_better: bool, models: Mapping[str, Any]
) -> Parts:
    """Return the parts of a result from curves, as `Result.from_histories` describes them."""
    check_orientation(score, larger_is_better=larger_is_better)
    written = dict(zip(histories, check_names(histories, "variants"), strict=True))
    curves = {written[name]: _curves(runs, f"the histories of {name!r}") for name, runs in histories.items()}
    if not curves or not all(curves.values()):
        raise DataError("`histories` needs at least one variant, and one history for each of its seeds.")
    if missing := [name for name, runs in curves.items() for run in runs if score not in run]:
        raise DataError(f"The histories of {sorted(set(missing))} have no curve {score!r}.")
    history = _history_of(curves, score, larger_is_better=larger_is_better)
    called = f"negative_{score}" if larger_is_better else score
    manifest = _foreign_manifest(list(curves), history.sizes["seed"], task, called, "histories")
    models = {written.get(name, str(name)): model for name, model in models.items()}
    if unknown := sorted(set(models) - set(curves)):
        raise DataError(f"`models` names {', '.join(unknown)}, of which there are no histories.")
    manifest["variants"] |= {name: _described(model) for name, model in models.items()}
    lengths = [[len(run[score]) for run in runs] for runs in curves.values()]
    padded = np.array([one + [0] * (history.sizes["seed"] - len(one)) for one in lengths])
    told = _of_lengths(history, padded)
    if set(models) == set(curves):
        counts = [manifest["variants"][name]["parameters"] for name in curves]
        told["parameters"] = xr.full_like(told["epochs"], 0) + xr.DataArray(counts, dims="variant")
    return history, told, xr.Dataset(), xr.Dataset(), manifest


def forecasts_of_others(
    y_true: Any,
    predictions: Mapping[str, Any],
    *,
    task: str,
    score: str,
    groups: Any,
    split: HeldOutName,
) -> Parts:
    """Return the parts of a result from forecasts, as `Result.from_predictions` describes them."""
    named = dict(zip(check_names(predictions, "variants"), predictions.values(), strict=True))
    answers = answers_of(y_true, task)
    if score not in COMMON_SCORES[task]:
        raise no_such_score(score, COMMON_SCORES[task], of=f"a {task} task")
    if split not in get_args(HeldOutName):
        raise UnknownNameError(f"`split` must be one of {', '.join(get_args(HeldOutName))}; received {split!r}.")
    arrays = runs_of(named, answers, task)
    stacked = np.stack(list(arrays.values()))
    dims = ("variant", "seed", "sample", "label")[: stacked.ndim]
    coords = {"variant": list(arrays), "seed": np.arange(stacked.shape[1])}
    answer_dims = ("sample", "label")[: answers.ndim]
    held_out = xr.Dataset(
        {"prediction_last": (dims, stacked), "prediction_best": (dims, stacked), "y_true": (answer_dims, answers)},
        coords=coords | ({} if groups is None else {"group": ("sample", groups_of(groups, len(answers)))}),
    )
    empty_history = xr.Dataset(coords=coords | {"epoch": np.arange(1, 1)})
    empty_history["train_score"] = (("variant", "seed", "epoch"), np.empty((*stacked.shape[:2], 0)))
    manifest = _foreign_manifest(list(arrays), stacked.shape[1], task, score, "predictions")
    other: HeldOutName = "validation" if split == "test" else "test"
    splits = {split: held_out, other: xr.Dataset()}
    runs = _runs_of(empty_history)
    lost = ~np.isfinite(stacked).all(axis=tuple(range(2, stacked.ndim)))
    runs["status"] = runs["status"].astype("<U60").where(~lost, "diverged: forecasts are NaN or infinite")
    return empty_history, runs, splits["validation"], splits["test"], manifest


def _curves(runs: Any, what: str) -> list[dict[str, NDArray[np.float64]]]:
    """Return the curves of each seed: numbers of equal length, one for each epoch."""
    if isinstance(runs, Mapping | str) or not isinstance(runs, Iterable):
        raise DataError(f"{what} must be a list with one history for each seed; received {type(runs).__name__}.")
    read = []
    for run in runs:
        named = getattr(run, "history", run)
        if not isinstance(named, Mapping):
            kind = type(run).__name__
            raise DataError(f"{what} must be mappings from names to values, or Keras' `History`; received {kind}.")
        one = {name: numbers(values, f"the curve {name!r} in {what}", squeeze=False) for name, values in named.items()}
        shapes = {name: values.shape for name, values in one.items()}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
            told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise DataError(f"The curves of a run in {what} must have one value for each epoch; received {told}.")
        read.append(one)
    return read


def _history_of(curves: Mapping[str, Sequence[Mapping[str, Any]]], score: str, *, larger_is_better: bool) -> xr.Dataset:
    names = sorted({curve for runs in curves.values() for run in runs for curve in run})
    num_epochs = max(len(run[score]) for runs in curves.values() for run in runs)
    num_seeds = max(map(len, curves.values()))
    history = xr.Dataset(
        {name: (("variant", "seed", "epoch"), np.full((len(curves), num_seeds, num_epochs), np.nan)) for name in names},
        coords={"variant": list(curves), "seed": np.arange(num_seeds), "epoch": np.arange(1, num_epochs + 1)},
    )
    for variant, runs in curves.items():
        for seed, run in enumerate(runs):
            for name, values in run.items():
                history[name].loc[variant, seed, : len(values)] = np.asarray(values, dtype=np.float64)
    sign = -1 if larger_is_better else 1
    history["train_score"] = sign * history[score]
    if f"val_{score}" in history:
        history["val_score"] = sign * history[f"val_{score}"]
    return history


def _runs_of(history: xr.Dataset) -> xr.Dataset:
    """Read best epoch and length of every run off its curves."""
    scored = history["val_score"] if "val_score" in history else history["train_score"]
    filled = scored.fillna(np.inf)
    epochs = scored.notnull().sum("epoch")
    chosen = "val_score" in history and scored.sizes["epoch"]  # training curves choose no epoch
    best = filled.argmin("epoch") + 1 if chosen else epochs
    runs = xr.Dataset({"best_epoch": best, "epochs": epochs})
    runs["status"] = xr.full_like(epochs, "completed", dtype="<U9")
    return runs


def _of_lengths(history: xr.Dataset, lengths: NDArray[np.int64]) -> xr.Dataset:
    """Read best epoch and status of runs of known lengths off their curves: 0 epochs are a run that is missing."""
    runs = _runs_of(history)
    curves = [history[name].to_numpy() for name in ("train_score", "val_score") if name in history]
    trained = np.arange(1, history.sizes["epoch"] + 1) <= lengths[..., None]
    broken = trained & ~np.all([np.isfinite(one) for one in curves], axis=0)
    status = [
        "missing: no history of this run"
        if length == 0
        else f"diverged at epoch {int(lost.argmax()) + 1}: a curve is not finite"
        if lost.any()
        else "completed"
        for length, lost in zip(lengths.ravel(), broken.reshape(-1, broken.shape[-1]), strict=True)
    ]
    diverged = broken.any(axis=-1)
    runs["best_epoch"] = runs["best_epoch"].where(~diverged & (lengths > 0), lengths)  # they count in no mean
    runs["epochs"] = (runs["epochs"].dims, lengths)
    runs["status"] = (runs["epochs"].dims, np.array(status).reshape(lengths.shape))
    return runs


def _described(model: Any) -> dict[str, Any]:
    """What a manifest says of a Keras model: its configuration and size."""
    import keras

    try:
        configuration = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    except (TypeError, ValueError, NotImplementedError):
        configuration = None
    return {"model": configuration, "parameters": int(model.count_params())}


def _foreign_manifest(variants: list[str], num_seeds: int, task: str, score: str, origin: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "origin": origin,
        "task": task,
        "score": score,
        "primary": {"score": score, "epoch": "best"},
        "seeds": list(range(num_seeds)),
        "looks": [],
        "settings": {},
        "variants": {name: {} for name in variants},
        "data": {},
        "engine": "other",
    }
