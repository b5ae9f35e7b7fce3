"""What users of `Model.fit` bring that a study does not take, and what it takes instead; see docs/fit_arguments.md."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from scipy import sparse

from gengap.errors import DataError

_EPOCHS = "a study needs every run to see the same data in every epoch"
_INSTEAD = {
    "callbacks": (
        "a callback holds the state of one run, and runs train together: early stopping is the remedy "
        "gg.EarlyStopping(patience), schedules of the learning rate belong to the optimizer, checkpoints to `storage=`"
    ),
    "verbose": "say `progress=True` or `progress=False`",
    "initial_epoch": "`storage=` goes on where a study stopped",
    "steps_per_epoch": _EPOCHS,
    "validation_steps": _EPOCHS,
    "validation_freq": _EPOCHS,
    "validation_batch_size": "held-out cases are predicted in batches that the engine chooses",
}
_OLD = ("workers", "use_multiprocessing", "max_queue_size")


def refuse_arguments(given: Mapping[str, Any]) -> None:
    """Refuse arguments that `Model.fit` takes and a study does not.

    Raises:
        TypeError: There is one; the sentence says what to do instead.
    """
    for name in given:
        if name in _INSTEAD:
            raise TypeError(f"`Study.run` takes no `{name}`, unlike `Model.fit`: {_INSTEAD[name]}.")
        if name in _OLD:
            raise TypeError(f"`Study.run` takes no `{name}`: the data are arrays, and nobody loads batches.")
        raise TypeError(
            f"`Study.run` has no argument `{name}`; it takes those of `Model.fit` but "
            f"{', '.join(f'`{known}`' for known in _INSTEAD)}."
        )


def as_inputs(x: Any, what: str) -> Any:
    """Return inputs with lists of numbers, or of rows, as one array; refuse whatever yields batches.

    Raises:
        DataError: It is a data loader or another iterator, or a list of rows of unequal lengths.
    """
    if _is_of_numbers(x):
        try:
            return np.asarray(x)
        except ValueError:
            raise DataError(f"{what} must have the same length in every case; received a ragged list.") from None
    if sparse.issparse(x):  # only this format gives cases by their rows, and a `dok_matrix` would pass for a mapping
        return x if x.format == "csr" else x.tocsr()
    kind = type(x)
    loads = isinstance(x, keras.utils.PyDataset) or hasattr(x, "__next__")
    if loads or kind.__module__.startswith(("torch.utils.data", "tensorflow.python.data", "grain.")):
        raise DataError(
            f"{what} came as {kind.__name__}, which yields batches; a study shuffles cases itself, alike for all runs: "
            "give arrays, such as `x, y = map(np.concatenate, zip(*batches))` makes of batches (x, y)."
        )
    return x


def refuse_loader(given: Any, argument: str) -> None:
    """Refuse a data loader in place of a tuple of arrays."""
    if given is not None and not isinstance(given, list | tuple):
        as_inputs(given, f"`{argument}`")


def _is_of_numbers(x: Any) -> bool:
    """Say whether something is a list whose entries are numbers or lists, and so one input and not several."""
    return isinstance(x, list) and len(x) > 0 and all(isinstance(row, list | int | float | np.number) for row in x)
