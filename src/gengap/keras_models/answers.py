"""Answers as the model's outputs want them, checked and brought into plain form."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.cases import are_numbers, check_magnitude, plain_array
from gengap.datasets.output_kind import OutputKind
from gengap.errors import DataError
from gengap.keras_models.heads import answers_by_name, in_columns, output_names
from gengap.keras_models.loss_kinds import read_loss
from gengap.keras_models.outputs import loss_of

_COARSEST = 0.1
"""Steps of 32-bit floats that scores can bear, in standard deviations of the answers: a variance of a thousandth."""


def check_answers(y: Any, name: str, num_cases: int, model: keras.Model, kind: OutputKind) -> Any:
    """Check the answers and bring those of the scored output into plain form; others keep theirs, as arrays."""
    names = output_names(model)
    if len(names) == 1:
        alone = next(iter(y.values())) if isinstance(y, Mapping) and list(y) in (names, [kind.name]) else y
        return _plain(_as_answers(alone, name, num_cases), name, kind)
    given = {head: one for head, one in answers_by_name(names, y, f"the {name} split").items() if one is not None}
    losses = {head: loss_of(model, place, head) for place, head in enumerate(names)}
    if missing := [head for head in names if losses[head] is not None and head not in given]:
        raise DataError(f"The {name} split has no answers for {', '.join(missing)}, which the model has a loss for.")
    arrays = {head: _as_answers(one, name, num_cases) for head, one in given.items()}
    for head, array in arrays.items():
        if head != kind.name and losses[head] is not None:
            _check_other(array, f"answers of the {name} split for {head!r}", losses[head])
    plain = {**in_columns(model, arrays), str(kind.name): _plain(arrays[str(kind.name)], name, kind)}
    return {head: plain[head] for head in names if head in plain}


def _check_other(y: NDArray[Any], what: str, loss: Any) -> None:
    """Check answers that train but are not scored; a loss of the user's own may know what to do with missing ones."""
    if y.dtype.kind not in "biuf":
        raise DataError(f"Answers must be numbers; the {what} are {y.dtype}: encode labels as integers.")
    if read_loss(loss, 0).family != "own" and not np.isfinite(y).all():
        raise DataError(
            f"The {what} hold NaN or infinite values, which its loss makes NaN: leave these cases out, or give this "
            "output a loss of your own that passes over them."
        )


def _as_answers(y: Any, name: str, num_cases: int) -> NDArray[Any]:
    array = _answer_array(y, f"answers of the {name} split")
    if array.shape[:1] != (num_cases,):
        raise DataError(f"The {name} split has {num_cases} cases but answers of shape {array.shape}.")
    return array


def _answer_array(y: Any, what: str) -> NDArray[Any]:
    if hasattr(y, "iloc") and y.ndim == 1 and str(getattr(y, "dtype", "")) == "category":
        y = np.asarray(y)
    if hasattr(y, "shape") and not isinstance(y, np.ndarray) and not sparse.issparse(y):
        return np.asarray(plain_array(y, what))
    if isinstance(y, np.ma.MaskedArray):
        return np.asarray(plain_array(y, what))
    try:
        return np.asarray(y)
    except ValueError:
        raise DataError(f"The {what} must have the same length in every case; received a ragged list.") from None


def _plain(y: NDArray[Any], name: str, kind: OutputKind) -> NDArray[Any]:
    if y.dtype.kind not in "biuf":
        advice = "make them numbers, with `.astype('float64')`" if are_numbers(y) else "encode labels as integers"
        raise DataError(f"Answers must be numbers; those of the {name} split are {y.dtype}: {advice}.")
    if not np.isfinite(y).all():
        raise DataError(f"Answers of the {name} split hold NaN or infinite values.")
    if y.size:
        check_magnitude(float(np.abs(y.astype(np.float64)).max()), f"answers of the {name} split")
    if kind.task == "regression":
        plain = y.reshape(len(y), -1).astype(np.float32)
        if plain.shape[1] != kind.width:
            raise DataError(f"The model predicts {kind.width} numbers a case, the {name} split has {plain.shape[1]}.")
        if name == "training":
            _check_resolution(y.reshape(len(y), -1))
        return plain[:, 0] if kind.width == 1 else plain
    return _codes(y, name, kind)


def _check_resolution(y: NDArray[Any]) -> None:
    """Check that 32-bit floats, which networks compute with, tell the training answers apart."""
    largest, spread = np.abs(y).max(axis=0).astype(np.float32), y.std(axis=0, dtype=np.float64)
    step = np.spacing(largest).astype(np.float64)
    if (coarse := (spread > 0) & (step > _COARSEST * spread)).any():
        at = int(np.argmax(coarse))
        raise DataError(
            f"Answers of the training split lie near {largest[at]:.6g} with a standard deviation of {spread[at]:.3g}, "
            f"and 32-bit floats, which networks compute with, have steps of {step[at]:.3g} there: subtract the mean of "
            "the training answers from all of them (and scale them) before the study."
        )


def _codes(y: NDArray[Any], name: str, kind: OutputKind) -> NDArray[np.int64]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and kind.of_labels and y.shape[1] == kind.width:
        if not ((y == 0) | (y == 1)).all() or not (y.sum(axis=1) == 1).all():
            raise DataError(
                f"Answers of the {name} split must be one-hot: a single 1 in each row.{_of_shares(y, kind)}"
            )
        y = y.argmax(axis=1)
    num_labels = 2 if kind.task == "binary" else kind.width
    if y.ndim != 1:
        raise DataError(f"Answers of the {name} split must have shape (n,) for a {kind.task} task; received {y.shape}.")
    if (y != np.round(y)).any() or y.min() < 0 or y.max() >= num_labels:
        raise DataError(
            f"Labels of a {kind.task} task with {num_labels} labels must be the integers 0 to {num_labels - 1}; "
            f"the {name} split has values from {y.min():.6g} to {y.max():.6g}{_numbered_anew(y, num_labels)}."
            f"{_of_shares(y, kind)}"
        )
    if name == "training" and len(np.unique(y)) < 2:
        raise DataError(f"The training split holds one label only ({int(y[0])}): nothing can be learned from it.")
    return y.astype(np.int64)


def _numbered_anew(y: NDArray[Any], num_labels: int) -> str:
    """Return what serves where labels are as many as there must be, and only their numbers are others."""
    if len(np.unique(y)) != num_labels or (y != np.round(y)).any():
        return ""
    return ": number them from 0, as `np.unique(y, return_inverse=True)[1]` does (in a table they may be words)"


def _of_shares(y: NDArray[Any], kind: OutputKind) -> str:
    """Return what serves where answers are shares, as far as the loss takes them."""
    if y.size == 0 or y.min() < 0 or y.max() > 1 or (kind.of_labels and not kind.one_hot):
        return ""
    return (
        ' For shares and soft labels declare task="regression": they train under the same loss, and are scored by '
        "squared error."
    )
