"""A split from a file of one's own: CSV, Parquet, NumPy archive or netCDF."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.datasets.split import Split
from gengap.errors import DataError, MissingExtraError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

_BESIDE = ("sample_weight", "groups", "times")


def read_split(path: str | Path, *, target: str | None = None, groups: str | None = None) -> Split:
    """Read one split from a file.

    Tables (`.csv`, `.parquet`) have one case a row: `target` is the answer, `groups` (if named) the group of
    dependent cases, all other columns are features in their order. Archives (`.npz`) and netCDF files (`.nc`) hold
    arrays `x` and `y`, and where they have them `sample_weight`, `groups` and `times`, cases along the first axis.

    Args:
        path: The file; its ending says what it is.
        target: Name of the answer's column, or of the array of answers; None takes the last column, or `y`.
        groups: Name of the column or array of groups; None takes none from a table, and `groups` from arrays.

    Returns:
        The split, features as float32.

    Raises:
        DataError: The file is missing, damaged, of unknown kind, or holds what is no number.
        UnknownNameError: It has no such column or array.
        MissingExtraError: Parquet needs pyarrow, which is not installed.
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise DataError(f"{path} has an unknown ending; files may be {', '.join(_READERS)}.")
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    return _READERS[path.suffix](path, target, groups)


def _read_csv(path: Path, target: str | None, groups: str | None) -> Split:
    import pandas as pd

    try:
        return _from_table(pd.read_csv(path), path, target, groups)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as reason:
        said = " ".join(str(reason).split())  # pandas breaks lines
        raise DataError(f"{path} cannot be read as CSV: {said}.") from reason


def _read_parquet(path: Path, target: str | None, groups: str | None) -> Split:
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except ImportError as reason:
        raise MissingExtraError("Parquet files need pyarrow: pip install 'gengap[parquet]'.") from reason
    except (OSError, ValueError) as reason:
        raise DataError(f"{path} cannot be read as Parquet: {reason}.") from reason
    return _from_table(table, path, target, groups)


def _from_table(table: "pd.DataFrame", path: Path, target: str | None, groups: str | None) -> Split:
    if table.empty or len(table.columns) < 2:
        raise DataError(f"{path} needs at least one row, a column of answers and one of features.")
    target = str(table.columns[-1]) if target is None else target
    for name in (target, groups):
        if name is not None and name not in table:
            raise UnknownNameError(
                f"{path} has no column {name!r}; its columns are {', '.join(map(str, table.columns))}."
            )
    features = table.drop(columns=[target, *([] if groups is None else [groups])])
    if words := [str(name) for name in features if features[name].dtype.kind not in "biuf"]:
        raise DataError(f"Features must be numbers; {path} has others in {', '.join(words)}: encode or remove them.")
    label = table[target].to_numpy()
    return Split(
        features.to_numpy(np.float32), label, groups=None if groups is None else table[groups].to_numpy().astype(str)
    )


def _read_npz(path: Path, target: str | None, groups: str | None) -> Split:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as reason:
        raise DataError(f"{path} cannot be read as a NumPy archive of plain arrays: {reason}.") from reason
    return _from_arrays(arrays, path, target, groups)


def _read_netcdf(path: Path, target: str | None, groups: str | None) -> Split:
    import xarray as xr

    try:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            arrays = {str(name): data[name].to_numpy() for name in data.variables}
    except (OSError, ValueError) as reason:
        raise DataError(f"{path} cannot be read as netCDF: {reason}.") from reason
    return _from_arrays(arrays, path, target, groups)


def _from_arrays(arrays: dict[str, Any], path: Path, target: str | None, groups: str | None) -> Split:
    wanted = {"x": "x", "y": target or "y", "groups": groups or "groups"}
    for what in ("x", "y", *(() if groups is None else ("groups",))):
        if wanted[what] not in arrays:
            raise UnknownNameError(f"{path} has no array {wanted[what]!r}; its arrays are {', '.join(arrays)}.")
    x = arrays["x"].astype(np.float32) if arrays["x"].dtype.kind in "biuf" else arrays["x"]
    return Split(x, arrays[wanted["y"]], **{name: arrays.get(wanted.get(name, name)) for name in _BESIDE})


_READERS: dict[str, Callable[[Path, str | None, str | None], Split]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
    ".nc": _read_netcdf,
}
