"""Rows without answers, from a file: what a trained model is asked about."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets.columns import check_points, has_decimal_commas
from gengap.datasets.features import as_inputs
from gengap.datasets.table_files import Wanted, open_table, typed_frame
from gengap.errors import DataError, UnknownNameError

_ANEW = "study the table anew with --encode, since this model takes numbers alone"


def read_rows(path: str | Path, features: Sequence[str] = ()) -> tuple[Any, list[str]]:
    """Read the inputs of cases that have no answers yet.

    Args:
        path: A table (`.csv`, `.parquet`) with a case a row, or an archive (`.npz`) of arrays.
        features: Columns of a table, in the order in which the model takes them; none takes all columns as they stand.

    Returns:
        float32 of shape `(rows, features)`; of an archive its array `x`, or its arrays by name where there is no `x`.
        And what a reader has to know: which columns were left aside.

    Raises:
        DataError: The file is missing, damaged, of unknown kind, empty, or lacks values or holds words.
        UnknownNameError: A table lacks a feature.
        MissingExtraError: Parquet needs pyarrow, which is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.suffix == ".npz":
        return _arrays(path), []
    table = open_table(path, Wanted(answers=False))
    if has_decimal_commas(table):
        check_points(table, str(path))
    aside = [str(name) for name in table.columns if features and name not in set(features)]
    if missing := [name for name in features if name not in table]:
        raise UnknownNameError(f"{path} has no column {missing[0]!r}, which the model takes.")
    taken = table[list(features)] if features else table
    notes = [f"Left aside, since the model does not take them: {', '.join(aside)}."] if aside else []
    return as_inputs(typed_frame(taken, str(path), None), str(path), advice=_ANEW), notes


def _arrays(path: Path) -> Any:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as reason:
        raise DataError(f"{path} cannot be read as a NumPy archive of plain arrays: {reason}.") from reason
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all() or not array.ndim or not len(array):
            raise DataError(f"Array {name!r} of {path} must hold finite numbers, a case along its first axis.")
    if not arrays:
        raise DataError(f"{path} contains no arrays.")
    return arrays.get("x", arrays)
