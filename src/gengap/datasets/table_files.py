"""A split from a file of one's own: CSV, Parquet, NumPy archive or netCDF."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.datasets.split import Split
from gengap.errors import DataError, MissingExtraError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

_BESIDE = ("sample_weight", "groups", "times")


@dataclass(frozen=True, eq=False)
class NamedSplit:
    """A split with the names that its file gave.

    Attributes:
        split: The split.
        features: Names of a table's features in their order; empty for arrays.
        target: Name of the answers' column or array.
    """

    split: Split
    features: tuple[str, ...]
    target: str


@dataclass(frozen=True)
class Wanted:
    """What to take from a file.

    Attributes:
        target: Column or array of the answers; None takes the last column, or `y`.
        groups: Column or array of groups; None takes none from a table, and `groups` from arrays.
        ignore: Columns of a table that are neither features nor answers.
        features: The features and their order; None takes all columns that are nothing else.
    """

    target: str | None = None
    groups: str | None = None
    ignore: Sequence[str] = ()
    features: Sequence[str] | None = None


def read_split(
    path: str | Path, *, target: str | None = None, groups: str | None = None, ignore: Sequence[str] = ()
) -> Split:
    """Read one split from a file.

    Tables (`.csv`, `.parquet`) have one case a row: `target` is the answer, `groups` (if named) the group of
    dependent cases, all other columns that are not ignored are features in their order. Text may be separated by
    commas, semicolons or tabs; a nameless first column of row numbers is not a feature. Archives (`.npz`) and netCDF
    files (`.nc`) hold arrays `x` and `y`, and where they have them `sample_weight`, `groups` and `times`, cases along
    the first axis.

    Args:
        path: The file; its ending says what it is.
        target: Name of the answer's column, or of the array of answers; None takes the last column, or `y`.
        groups: Name of the column or array of groups; None takes none from a table, and `groups` from arrays.
        ignore: Columns of a table that are neither features nor answers.

    Returns:
        The split, features as float32; answers as they stand, be they numbers or words.

    Raises:
        DataError: The file is missing, damaged, of unknown kind, or lacks values or holds words where it must not.
        UnknownNameError: It has no such column or array.
        MissingExtraError: Parquet needs pyarrow, which is not installed.
    """
    return read_named(path, Wanted(target, groups, ignore)).split


def read_named(path: str | Path, wanted: Wanted) -> NamedSplit:
    """Read one split with its names; see `read_split`."""
    path = Path(path)
    if path.suffix not in _READERS:
        raise DataError(f"{path} has an unknown ending; files may be {', '.join(_READERS)}.")
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    return _READERS[path.suffix](path, wanted)


def _read_csv(path: Path, wanted: Wanted) -> NamedSplit:
    import pandas as pd

    try:
        separator = _separator(path)
        names = list(pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0].dropna())
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise DataError(f"{path} has several columns named {twice[0]!r}: give each a name of its own.")
        return _from_table(_without_index(pd.read_csv(path, sep=separator)), path, wanted)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as reason:
        said = " ".join(str(reason).split())  # pandas breaks lines
        raise DataError(f"{path} cannot be read as CSV: {said}.") from reason


def _separator(path: Path) -> str:
    """Return what separates the columns: a comma, unless the head has none and another usual character."""
    with path.open(encoding="utf-8-sig") as file:
        head = file.readline()
    return "," if "," in head else next((mark for mark in (";", "\t") if mark in head), ",")


def _without_index(table: "pd.DataFrame") -> "pd.DataFrame":
    """Drop the nameless first column that only numbers the rows, as pandas' own `to_csv` writes it."""
    first = table.columns[0]
    if first != "Unnamed: 0" or table[first].dtype.kind not in "iu" or not table[first].is_unique:
        return table
    return table.drop(columns=first)


def _read_parquet(path: Path, wanted: Wanted) -> NamedSplit:
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except ImportError as reason:
        raise MissingExtraError("Parquet files need pyarrow: pip install 'gengap[parquet]'.") from reason
    except (OSError, ValueError) as reason:
        raise DataError(f"{path} cannot be read as Parquet: {reason}.") from reason
    return _from_table(table, path, wanted)


def _from_table(table: "pd.DataFrame", path: Path, wanted: Wanted) -> NamedSplit:
    if table.empty or len(table.columns) < 2:
        raise DataError(f"{path} needs at least one row, a column of answers and one of features.")
    target = str(table.columns[-1]) if wanted.target is None else wanted.target
    if wanted.groups == target or target in wanted.ignore:
        raise DataError(f"{path}: column {target!r} holds the answers, so it can be no column of groups, nor ignored.")
    beside = [target, *([] if wanted.groups is None else [wanted.groups]), *wanted.ignore]
    for name in (*beside, *(wanted.features or ())):
        if name not in table:
            raise UnknownNameError(f"{path} has no column {name!r}; its columns are {_listed(list(table.columns))}.")
    features = table.drop(columns=beside) if wanted.features is None else table[list(wanted.features)]
    _check_features(features, path)
    if (empty := table[target].isna()).any():
        count, first = int(empty.sum()), _first_row(empty)
        raise DataError(
            f"{path} lacks the answer {target!r} in {count} of {len(table)} rows, first in row {first}: remove them."
        )
    if wanted.groups is not None and (empty := table[wanted.groups].isna()).any():
        raise DataError(
            f"{path} lacks the group {wanted.groups!r} in {int(empty.sum())} of {len(table)} rows, first in row "
            f"{_first_row(empty)}: give every case a group."
        )
    groups = None if wanted.groups is None else table[wanted.groups].to_numpy().astype(str)
    split = Split(features.to_numpy(np.float32), table[target].to_numpy(), groups=groups)
    return NamedSplit(split, tuple(map(str, features.columns)), target)


def _check_features(features: "pd.DataFrame", path: Path) -> None:
    """Refuse words and missing values, naming their columns."""
    if words := [str(name) for name in features if features[name].dtype.kind not in "biuf"]:
        raise DataError(
            f"Features must be numbers; {path} has others in {_listed(words)}: encode these columns, or leave them out "
            "with `ignore` (--ignore)."
        )
    lacking = features.isna()
    if bool(lacking.to_numpy().any()):
        columns = [str(name) for name in features if lacking[name].any()]
        first = _first_row(lacking.any(axis=1))
        raise DataError(
            f"{path} lacks {int(lacking.to_numpy().sum())} values in {_listed(columns)}, first in row {first}: remove "
            "those rows, or fill them in."
        )


def _first_row(marked: "pd.Series[bool]") -> int:
    """Return the first marked row, counted from 1 below the head."""
    return int(np.flatnonzero(marked.to_numpy())[0]) + 1


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _read_npz(path: Path, wanted: Wanted) -> NamedSplit:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as reason:
        raise DataError(f"{path} cannot be read as a NumPy archive of plain arrays: {reason}.") from reason
    if broken := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise DataError(f"{path} cannot be read as a NumPy archive of plain arrays: {broken[0]!r} is none.")
    return _from_arrays(arrays, path, wanted)


def _read_netcdf(path: Path, wanted: Wanted) -> NamedSplit:
    import xarray as xr

    try:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            arrays = {str(name): data[name].to_numpy() for name in data.variables}
    except (OSError, ValueError) as reason:
        raise DataError(f"{path} cannot be read as netCDF: {reason}.") from reason
    return _from_arrays(arrays, path, wanted)


def _from_arrays(arrays: dict[str, Any], path: Path, wanted: Wanted) -> NamedSplit:
    called = {"x": "x", "y": wanted.target or "y", "groups": wanted.groups or "groups"}
    for what in ("x", "y", *(() if wanted.groups is None else ("groups",))):
        if called[what] not in arrays:
            raise UnknownNameError(f"{path} has no array {called[what]!r}; its arrays are {', '.join(arrays)}.")
    lengths = {name: len(arrays[called[name]]) if arrays[called[name]].ndim else 0 for name in ("x", "y")}
    if lengths["x"] != lengths["y"]:
        raise DataError(f"{path} holds {lengths['x']} cases in 'x' and {lengths['y']} answers in {called['y']!r}.")
    for name in _BESIDE:
        array = arrays.get(called.get(name, name))
        if array is not None and array.shape != (lengths["x"],):
            raise DataError(
                f"{path} holds {lengths['x']} cases, but {called.get(name, name)!r} of shape {array.shape}: give one "
                "entry for each case."
            )
    x = arrays["x"].astype(np.float32) if arrays["x"].dtype.kind in "biuf" else arrays["x"]
    split = Split(x, arrays[called["y"]], **{name: arrays.get(called.get(name, name)) for name in _BESIDE})
    return NamedSplit(split, (), called["y"])


_READERS: dict[str, Callable[[Path, Wanted], NamedSplit]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
    ".nc": _read_netcdf,
}
