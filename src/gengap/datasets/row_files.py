"""Rows without answers, from a file: what a trained model is asked about."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gengap.errors import DataError, MissingExtraError, UnknownNameError


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
    if path.suffix not in {".csv", ".parquet"}:
        raise DataError(f"{path} has an unknown ending; rows may be in a .csv, .parquet or .npz file.")
    table = _table(path)
    if table.empty:
        raise DataError(f"{path} holds no rows.")
    aside = [str(name) for name in table.columns if features and name not in set(features)]
    if missing := [name for name in features if name not in table]:
        raise UnknownNameError(f"{path} has no column {missing[0]!r}, which the model takes.")
    taken = table[list(features)] if features else table
    if words := [str(name) for name in taken if taken[name].dtype.kind not in "biuf"]:
        raise DataError(f"{path} holds no numbers in column {words[0]!r}, and the model takes numbers: encode it.")
    values = taken.to_numpy(np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DataError(f"{path} lacks a number in row {row + 1} of column {taken.columns[column]!r}: fill it in.")
    notes = [f"Left aside, since the model does not take them: {', '.join(aside)}."] if aside else []
    return values.astype(np.float32), notes


def _table(path: Path) -> Any:
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
        mark = "," if "," in head else next((one for one in (";", "\t") if one in head), ",")
        return pd.read_csv(path, sep=mark, encoding="utf-8-sig")
    except ImportError as reason:
        raise MissingExtraError("Parquet files need pyarrow: pip install 'gengap[parquet]'.") from reason
    except (OSError, ValueError) as reason:  # pandas' own errors are values'
        raise DataError(f"{path} cannot be read as a table: {' '.join(str(reason).split())}.") from reason


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
        raise DataError(f"{path} holds no arrays.")
    return arrays.get("x", arrays)
