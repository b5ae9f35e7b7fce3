"""What comes in from outside as a result, brought into one form or refused in one sentence; files are checked whole.

The task says what an axis means; its length never does: there may be as many cases as labels, seeds or targets.
"""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Task
from gengap.errors import DataError, DataWarning, UnknownNameError
from gengap.verification.inputs import within_unit
from gengap.verification.plain import codes_of, missing, numbers, plain

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[Any]
_SUMS = 1e-2
"""How far probabilities of all labels may be from adding up to 1: bfloat16 has steps of this size."""
_LARGE_LOGIT = 10
"""Numbers from 0 to more than this are rather percentages."""
_COARSEST = 0.01
"""Rounding of stored predictions that scores can bear, in standard deviations of the answers."""


def answers_of(y_true: Any, task: str) -> Array:
    """Return answers in plain form: shape `(n,)`, or `(n, targets)` for a regression of several numbers.

    Raises:
        UnknownNameError: There is no such task.
        DataError: The answers have more axes than the task allows, or are not numbers, missing, or no labels.
    """
    if task not in get_args(Task):
        raise UnknownNameError(f"`task` must be one of {', '.join(get_args(Task))}; received {task!r}.")
    answers = np.asarray(plain(y_true))
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.ndim != 1 and not (task == "regression" and answers.ndim == 2):
        wanted = "(n,) or (n, targets)" if task == "regression" else f"(n,) for a {task} task, one label for each case"
        raise DataError(f"`y_true` must have shape {wanted}; received {answers.shape}.")
    values = numbers(answers, "y_true")
    if gone := int(np.sum(~np.isfinite(values))):
        raise DataError(f"`y_true` must hold an answer to every case; {gone} are missing or infinite: leave them out.")
    if task == "binary" and not np.isin(values, (0, 1)).all():
        strange = values[~np.isin(values, (0, 1))][0]
        raise DataError(f"`y_true` must hold 0 and 1 for a binary task (1: the event happened); received {strange:g}.")
    return answers


def runs_of(predictions: Mapping[str, Any], answers: Array, task: str) -> dict[str, Array]:
    """Return predictions of every variant, shape `(seeds, n)` or `(seeds, n, labels or targets)`.

    They have single or double precision, as they came; probabilities double only where those of all variants do, since
    precision decides where the log loss clips.

    Args:
        predictions: By variant; a single run may lack the axis of the seeds, and a single number a case may stand in
            a column, as Keras' `predict` returns it.
        answers: Answers in plain form.
        task: What is predicted.

    Raises:
        DataError: There are none, or one does not fit the answers under this task.
    """
    arrays = {name: _with_seeds(_numeric(values, name), answers.ndim, task) for name, values in predictions.items()}
    wanted = ", ".join(map(str, answers.shape)) + (", labels" if task == "multiclass" else "")
    wrong = {name: values.shape for name, values in arrays.items() if not _fits(values.shape, answers.shape, task)}
    if wrong or not arrays:
        given = {name: np.shape(plain(predictions[name])) for name in wrong}
        received = next((f"; received {shape} for {name!r}" for name, shape in given.items()), "")
        hint = ": the probability of label 1 alone" if task == "binary" else ""
        raise DataError(
            f"`predictions` must hold arrays of shape (seeds, {wanted}), as `y_true` has it{received}{hint}."
        )
    if len({values.shape for values in arrays.values()}) > 1:
        raise DataError("Every variant needs predictions of the same shape: equal seeds, cases and labels.")
    labels = next(iter(arrays.values())).shape[-1]
    if task == "multiclass" and not np.isin(answers, np.arange(labels)).all():
        strange = answers[~np.isin(answers, np.arange(labels))][0]
        raise DataError(f"`y_true` must hold the codes 0 to {labels - 1}, one per column; received {strange:g}.")
    for name, values in arrays.items():
        check_probabilities(values, task, f"The predictions of {name!r}")
    alike = task == "regression" or all(values.dtype == np.float64 for values in arrays.values())
    return {name: _as_kept(values) if alike else values.astype(np.float32) for name, values in arrays.items()}


def groups_of(groups: Any, number: int) -> Array:
    """Return the label of each case's group, as numbers, text or dates.

    Raises:
        DataError: There is not one for each case, or one is missing.
    """
    labels = np.asarray(plain(groups), dtype=object if isinstance(groups, list | tuple) else None)
    if labels.shape != (number,):
        raise DataError(f"`groups` must have shape ({number},), one label for each case; received {labels.shape}.")
    if gone := int(np.sum(missing(labels))):
        raise DataError(
            f"`groups` lack the label of {gone} case{'s' * (gone != 1)} (NaN, None or masked): give each case a group."
        )
    if labels.dtype != object:
        return labels
    kinds = {type(label) for label in labels}
    return np.array(labels.tolist()) if len(kinds) == 1 else codes_of(labels)


def _as_kept(values: Array) -> Array:
    """Numbers may lie close together far from 0, and so keep what they came with; shorter ones become single."""
    wide = values.dtype.kind in "iuf" and values.dtype.itemsize > 4
    return values.astype(np.float64 if wide else np.float32)


def _numeric(values: Any, name: str) -> Array:
    """Return predictions in the precision that they came in."""
    array = np.asarray(plain(values))
    return array if array.dtype.kind in "biuf" else numbers(values, f"the predictions of {name!r}", squeeze=False)


def _with_seeds(values: Array, answer_axes: int, task: str) -> Array:
    axes = answer_axes + (task == "multiclass")
    if task != "multiclass" and answer_axes == 1 and values.ndim > 1 and values.shape[-1] == 1:
        return values[..., 0][None] if values.ndim == 2 else values[..., 0]
    return values[None] if values.ndim == axes else values


def _fits(shape: tuple[int, ...], answers: tuple[int, ...], task: str) -> bool:
    own = shape[1:-1] if task == "multiclass" else shape[1:]
    return len(shape) == 1 + len(answers) + (task == "multiclass") and own == answers


def fine_enough(part: "xr.Dataset", task: str) -> "xr.Dataset":
    """Leave out predictions of every epoch that half precision, in which older versions kept them, cannot hold apart.

    Pressures near 101,325 Pa are infinite there, and numbers near 2,000 are off by up to a half.
    """
    if task != "regression" or "prediction_epochs" not in part or part["prediction_epochs"].dtype != np.float16:
        return part
    last = part["prediction_last"].to_numpy().astype(np.float64)
    with np.errstate(over="ignore"):
        coarse = last.astype(np.float16).astype(np.float64)
    spread = part["y_true"].to_numpy().astype(np.float64).std(axis=0).min()
    known = np.isfinite(last)
    if not known.any() or np.abs(coarse - last)[known].max() <= _COARSEST * spread:
        return part
    warnings.warn(
        "Predictions of every epoch were stored in half precision by an older version of gengap, which cannot hold "
        f"numbers like {np.abs(last[known]).max():.6g} apart: they are left out, and early stopping reads validation "
        "scores. Train again to have them.",
        DataWarning,
        stacklevel=4,
    )
    return part.drop_vars(["prediction_epochs", "epoch"], errors="ignore")


def check_probabilities(predictions: Array, task: str, what: str) -> None:
    """Check that predictions of labels are probabilities, up to rounding; NaN and infinity are no matter here.

    Args:
        predictions: Predictions of any shape, the labels of a multiclass task along the last axis.
        task: What is predicted.
        what: What they are, for messages.

    Raises:
        DataError: They are not.
    """
    if task == "regression":
        return
    values = np.asarray(predictions, dtype=np.float64)
    known = values[np.isfinite(values).all(axis=-1)] if task == "multiclass" else values[np.isfinite(values)]
    if not known.size:
        return
    if within_unit(known) is None:
        percentages = known.min() >= 0 and known.max() > _LARGE_LOGIT
        raise DataError(
            f"{what} must be probabilities from 0 to 1; received {known.min():.6g} to {known.max():.6g}: "
            f"{'divide percentages by 100, or ' if percentages else ''}apply a "
            f"{'softmax' if task == 'multiclass' else 'sigmoid'} to logits first."
        )
    if task == "multiclass" and (off := float(np.abs(known.sum(axis=-1) - 1).max())) > _SUMS:
        raise DataError(f"{what} must add up to 1 over the labels; some are off by {off:.3g}.")
