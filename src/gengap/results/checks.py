"""Is what a file holds a whole result? Everything that later functions rely on, checked once, where it comes in."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import xarray as xr

from gengap.datasets.split import Task
from gengap.errors import DataError
from gengap.results.intake import check_probabilities

FORMAT = 1
RUN = ("variant", "seed")
_CURVES = (*RUN, "epoch")


def check_is_result(value: Any, function: str) -> None:
    """Check that a function that acts on a result is given one.

    Raises:
        TypeError: It is given something else.
    """
    if not all(hasattr(value, name) for name in ("history", "runs", "manifest", "splits")):
        raise TypeError(
            f"`{function}` acts on a Result, as `Study.run` returns it and `gg.load(folder)` reads it; received "
            f"{type(value).__name__}."
        )


def check_manifest(manifest: Any) -> None:
    """Check what the other checks rely on: the format's number, the task and the score.

    Raises:
        DataError: The account is of another format, or does not say what the models predict.
    """
    if not isinstance(manifest, Mapping):
        raise DataError(f"its manifest must be a mapping; found {type(manifest).__name__}")
    if (number := manifest.get("format", FORMAT)) != FORMAT:
        raise DataError(
            f"it has the format {number!r}, and this version of gengap reads format {FORMAT}: update gengap"
        )
    if manifest.get("task") not in get_args(Task):
        raise DataError(
            f"its manifest must name a task, one of {', '.join(get_args(Task))}; found {manifest.get('task')!r}"
        )
    if not isinstance(manifest.get("score"), str):
        raise DataError(f"its manifest must name a score; found {manifest.get('score')!r}")


def check_parts(parts: Mapping[str, xr.Dataset], task: str) -> None:
    """Check the datasets of a result, and that they are of the same runs.

    Args:
        parts: `history`, `runs`, `validation` and `test`; splits that do not exist are empty.
        task: What is predicted.

    Raises:
        DataError: The first thing that is not as `Result` describes it.
    """
    history, runs = parts["history"], parts["runs"]
    for name, part in parts.items():
        if name in {"history", "runs"} or part.sizes:
            _check_names(part, name, history)
    for curve, values in history.data_vars.items():
        _check_array(values, f"the curve {curve!r}", _CURVES)
    for name in ("best_epoch", "epochs"):
        _check_array(_found(runs, name, "runs"), f"{name!r} of the runs", RUN)
        _check_epochs(runs[name], name, int(history.sizes.get("epoch", 0)))
    for name in ("validation", "test"):
        if parts[name].sizes:
            _check_split(parts[name], name, task, _finished(runs))


def _check_names(part: xr.Dataset, name: str, history: xr.Dataset) -> None:
    """Check that variants and seeds are there, differ from each other, and are those of the history."""
    for dim in RUN:
        if dim not in part.dims or dim not in part.coords:
            raise DataError(f"{name!r} must have the dim {dim!r} with its names; found {_list(part.dims)}")
        values = part[dim].to_numpy()
        if dim == "seed" and values.dtype.kind not in "iu":
            raise DataError(f"the seeds of {name!r} must be whole numbers; found {values.dtype}")
        if len(np.unique(values.astype(str))) < len(values):
            raise DataError(f"every {dim} of {name!r} must be there once; found {_list(values)}")
        if dim in history.coords and not np.array_equal(values, history[dim].to_numpy()):
            there = history[dim].to_numpy()
            raise DataError(f"{name!r} must have the {dim}s of the history, {_list(there)}; found {_list(values)}")


def _found(part: xr.Dataset, variable: str, name: str) -> xr.DataArray:
    if variable not in part:
        raise DataError(f"{name!r} must hold {variable!r}; it holds {_list(part.data_vars) or 'nothing'}")
    return part[variable]


def _check_array(array: xr.DataArray, what: str, dims: Sequence[str]) -> None:
    if set(array.dims) != set(dims):
        raise DataError(f"{what} must have the dims {_list(dims)}; found {_list(array.dims) or 'none'}")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} must hold numbers; found {'text' if array.dtype.kind in 'OUS' else array.dtype}")


def _check_epochs(counted: xr.DataArray, name: str, trained: int) -> None:
    values = counted.to_numpy().astype(np.float64)
    if not ((values >= 0) & (values <= trained) & (values == np.round(values))).all():
        strange = values[~((values >= 0) & (values <= trained) & (values == np.round(values)))][0]
        raise DataError(
            f"{name!r} of the runs must be whole numbers from 0 to {trained}, the epochs; found {strange:g}"
        )


def _finished(runs: xr.Dataset) -> xr.DataArray:
    """Which runs must have forecasts: all that neither diverged nor are still to be trained."""
    if "status" not in runs:
        return xr.ones_like(runs["epochs"], dtype=bool)
    told = runs["status"].astype(str).str
    return ~(told.startswith("diverged") | told.startswith("not trained"))


def _check_split(part: xr.Dataset, name: str, task: str, finished: xr.DataArray) -> None:
    what = f"of the {name} split"
    y_true = _found(part, "y_true", name)
    several = "label" in y_true.dims
    _check_array(y_true, f"'y_true' {what}", ("sample", "label") if several and task == "regression" else ("sample",))
    case_dims = ("sample", "label") if several or task == "multiclass" else ("sample",)
    for rule in ("last", "best"):
        forecast = _found(part, f"prediction_{rule}", name)
        _check_array(forecast, f"'prediction_{rule}' {what}", (*RUN, *case_dims))
        lost = finished & forecast.copy(data=~np.isfinite(forecast.to_numpy())).any(case_dims)
        if lost.any():
            variant, seed = (lost.where(lost, drop=True)[dim].to_numpy()[0] for dim in RUN)
            raise DataError(
                f"'prediction_{rule}' {what} must hold a forecast of every case for runs that did not diverge; found "
                f"NaN or infinity for {str(variant)!r} with seed {seed}"
            )
        check_probabilities(forecast.transpose(..., *case_dims).to_numpy(), task, f"'prediction_{rule}' {what}")
    if "prediction_epochs" in part:
        _check_array(part["prediction_epochs"], f"'prediction_epochs' {what}", (*_CURVES, *case_dims))
    _check_answers(y_true, what, task, part.sizes.get("label", 2))
    _check_coordinates(part, what)


def _check_answers(y_true: xr.DataArray, what: str, task: str, labels: int) -> None:
    values = y_true.to_numpy().astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"'y_true' {what} must hold an answer to every case; found NaN or infinity")
    if task != "regression" and not np.isin(values, np.arange(labels)).all():
        strange = values[~np.isin(values, np.arange(labels))][0]
        raise DataError(f"'y_true' {what} must hold the labels 0 to {labels - 1}; found {strange:g}")


def _check_coordinates(part: xr.Dataset, what: str) -> None:
    for name in {"sample_weight", "group", "time"} & set(part.coords):
        values = part[name].to_numpy()
        if part[name].dims != ("sample",):
            raise DataError(f"{name!r} {what} must have the dim sample; found {_list(part[name].dims)}")
        if name == "sample_weight" and values.dtype.kind not in "biuf":
            raise DataError(f"'sample_weight' {what} must hold numbers; found {values.dtype}")
        if name == "sample_weight" and not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
            raise DataError(f"'sample_weight' {what} must be finite, not negative, and not all zero")
        if name == "time" and values.dtype.kind != "M":
            raise DataError(f"'time' {what} must hold dates; found {values.dtype}")
        if (values.dtype.kind == "M" and np.isnat(values).any()) or (
            values.dtype.kind == "f" and np.isnan(values).any()
        ):
            raise DataError(f"{name!r} {what} must be known for every case; found missing ones")


def _list(values: Any) -> str:
    return ", ".join(map(str, values))
