"""A split from a table or a file of one's own: data frame, CSV, Parquet, NumPy archive or netCDF."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.array_files import read_netcdf, read_npz
from gengap.datasets.cells import AMBIGUOUS
from gengap.datasets.columns import Place, as_words, check_exact, check_points, has_decimal_commas, typed
from gengap.datasets.dates import as_times
from gengap.datasets.features import as_inputs, check_row_numbers
from gengap.datasets.frames import as_frame, is_frame
from gengap.datasets.split import Split
from gengap.datasets.table_answers import read_answers
from gengap.datasets.text_tables import read_text_table
from gengap.errors import DataError, MissingExtraError, UnknownNameError
from gengap.naming import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_BESIDE = ("sample_weight", "groups", "times")


@dataclass(frozen=True, eq=False)
class NamedSplit:
    """A split with the names that its file gave.

    Attributes:
        split: The split; `x` is the frame of typed features where the table is to be encoded.
        features: Names of a table's features in their order; empty for arrays.
        target: Name of the answers' column or array.
        name: What the file or table is called in messages.
        decimal_comma: Whether it, or a table that it belongs to, has decimal commas.
    """

    split: Split
    features: tuple[str, ...]
    target: str
    name: str = ""
    decimal_comma: bool = False


@dataclass(frozen=True)
class Wanted:
    """What to take from a file or a table.

    Attributes:
        target: Column or array of the answers; None takes the last column, or `y`.
        groups: Column or array of groups; None takes none from a table, and `groups` from arrays.
        ignore: Columns of a table that are neither features nor answers.
        features: The features and their order; None takes all columns that are nothing else.
        times: Column of a table, or array, of the times of the cases; None takes `times` from arrays.
        missing: What else means that a value of a table is missing; empty says that nothing else does.
        encoding: How a text table is written; None takes UTF-8, or what a byte order mark says.
        encode: Whether features stay a frame of typed columns, for an encoder.
        answers: Whether the answers are needed; raw rows to predict have none.
        words: Features that are words, whatever a few rows hold.
        decimal_comma: Whether a table that belongs to this one has decimal commas.
    """

    target: str | None = None
    groups: str | None = None
    ignore: Sequence[str] = ()
    features: Sequence[str] | None = None
    times: str | None = None
    missing: Sequence[str] | None = None
    encoding: str | None = None
    encode: bool = False
    answers: bool = True
    words: Sequence[str] = ()
    decimal_comma: bool = False


def read_split(
    path: str | Path,
    *,
    target: str | None = None,
    groups: str | None = None,
    ignore: Sequence[str] = (),
    times: str | None = None,
    missing: Sequence[str] | None = None,
    encoding: str | None = None,
) -> Split:
    """Read one split from a file.

    Tables (`.csv`, `.tsv`, `.txt`, also `.gz`; `.parquet`) have one case a row and a line of names: `target` is the
    answer, `groups` and `times` (if named) say which cases belong together and when they were; all other columns that
    are not ignored are features in their order, and must be numbers without gaps: words, dates and blanks need
    `gengap.datasets.from_table`, which encodes them. Text may be separated by commas, semicolons, tabs or bars; a
    nameless first column of row numbers is not a feature. Archives (`.npz`) and netCDF files (`.nc`) hold arrays `x`
    and `y`, and where they have them `sample_weight`, `groups` and `times`, cases along the first axis.

    Args:
        path: The file; its ending says what it is.
        target: Name of the answer's column, or of the array of answers; None takes the last column, or `y`.
        groups: Name of the column or array of groups; None takes none from a table, and `groups` from arrays.
        ignore: Columns of a table that are neither features nor answers.
        times: Name of the column or array of times.
        missing: What means that a value is missing, besides blanks and the usual words: `["-999"]`. An empty list
            says that nothing else does; None refuses numbers that look like such marks.
        encoding: How a text table is written, such as `"cp1252"`; None takes UTF-8.

    Returns:
        The split, features as float32; answers as they stand, be they numbers or words; groups as text.

    Raises:
        DataError: The file is missing, damaged, of unknown kind, or holds something that could be read wrongly; the
            sentence names file, column and row, and what to do.
        UnknownNameError: It has no such column or array.
        MissingExtraError: Parquet needs pyarrow, which is not installed.
    """
    wanted = Wanted(target, groups, ignore, times=times, missing=missing, encoding=encoding)
    return read_named(path, wanted).split


def read_named(source: Any, wanted: Wanted, *, name: str = "the table") -> NamedSplit:
    """Read one split with its names from a file or a data frame; see `read_split`.

    Args:
        source: A path, or a data frame of pandas or polars.
        wanted: What to take.
        name: What a data frame is called in messages.
    """
    if is_frame(source):
        return _from_table(as_frame(source, name), name, wanted)
    path = Path(source)
    if (ending := _ending(path)) in _ARRAYS:
        return _from_arrays(_ARRAYS[ending](_existing(path)), path, wanted)
    return _from_table(open_table(path, wanted), str(path), wanted)


def open_table(path: Path, wanted: Wanted | None = None) -> "pd.DataFrame":
    """Return a table as it stands in a file, see `read_split`; its columns are not read as anything yet.

    Raises:
        DataError: The file is missing, damaged or of unknown kind.
        MissingExtraError: Parquet needs pyarrow, which is not installed.
    """
    ending = _ending(path)
    if ending not in _TABLES:
        raise DataError(
            f"{path} has an unknown ending; files may be {', '.join((*_TABLES, *_ARRAYS))}; save a workbook as CSV."
        )
    return _TABLES[ending](_existing(path), wanted or Wanted())


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    return path


def _ending(path: Path) -> str:
    endings = [one.lower() for one in path.suffixes[-2:]]
    return endings[0] if len(endings) == 2 and endings[1] == ".gz" else path.suffix.lower()


def _read_text(path: Path, wanted: Wanted) -> "pd.DataFrame":
    as_text = [*wanted.words, *([] if wanted.groups is None else [wanted.groups])]
    return read_text_table(
        path,
        encoding=wanted.encoding,
        as_text=as_text,
        answers=wanted.answers,
        decimal_comma=wanted.decimal_comma,
    )


def _read_parquet(path: Path, _: Wanted) -> "pd.DataFrame":
    import pandas as pd

    try:
        return as_frame(pd.read_parquet(path), str(path))
    except ImportError as reason:
        raise MissingExtraError("Parquet files need pyarrow: pip install 'gengap[parquet]'.") from reason
    except (OSError, ValueError) as reason:
        if isinstance(reason, DataError):
            raise
        raise DataError(f"{path} cannot be read as Parquet: {reason}.") from reason


def _from_table(table: "pd.DataFrame", name: str, wanted: Wanted) -> NamedSplit:
    if table.empty or len(table.columns) < 1 + wanted.answers:
        raise DataError(f"{name} needs at least one row, a column of answers and one of features.")
    target = str(table.columns[-1]) if wanted.target is None else wanted.target
    special = _special(target, wanted, name)
    for column in (*special, *(wanted.features or ())):
        if column not in table:
            near = did_you_mean(column, table.columns)
            raise UnknownNameError(
                f"{name} has no column {column!r}{near}; its columns are {_listed(list(table.columns))}."
            )
    features = table.drop(columns=special) if wanted.features is None else table[list(wanted.features)]
    if wanted.features is None and features.columns.empty:
        raise DataError(f"{name} needs a column of features besides {_listed(special)}.")
    decimal_comma = wanted.decimal_comma or has_decimal_commas(table)
    if decimal_comma:
        numbers = [one for one in features if one not in wanted.words]
        check_points(table[[*numbers, *([target] if wanted.answers and target not in numbers else [])]], name)
    typed_features = typed_frame(features, name, wanted.missing, words=wanted.words)
    if wanted.features is None:
        _check_not_empty(typed_features, name, wanted.missing)
        check_row_numbers(typed_features, name)
    y = read_answers(table[target], Place(name, target), wanted.missing) if wanted.answers else None
    times = None if wanted.times is None else as_times(table[wanted.times], Place(name, wanted.times))
    groups = None if wanted.groups is None else _groups(table[wanted.groups], Place(name, wanted.groups), wanted)
    x = typed_features if wanted.encode else as_inputs(typed_features, name)
    return NamedSplit(Split(x, y, groups=groups, times=times), tuple(features.columns), target, name, decimal_comma)


def typed_frame(
    features: "pd.DataFrame", name: str, missing: Sequence[str] | None, *, words: Sequence[str] = ()
) -> "pd.DataFrame":
    """Return features as numbers, truth values, times and words, column by column; see `columns.typed`.

    Args:
        features: The features as they stand.
        name: What the table is called in messages.
        missing: What else means that a value is missing.
        words: Columns that are words whatever they hold.
    """
    import pandas as pd

    found = pd.DataFrame(
        {
            one: as_words(features[one], missing)
            if one in words
            else typed(features[one], Place(name, str(one)), missing)
            for one in features
        }
    )
    for one in found:
        check_exact(found[one], Place(name, str(one)))
    return found


def _check_not_empty(features: "pd.DataFrame", name: str, missing: Sequence[str] | None) -> None:
    marks = {""} if missing is not None else AMBIGUOUS | {""}
    for one in features:
        if features[one].isna().all() or features[one].isin(marks).all():
            raise DataError(
                f"Column {one!r} of {name} has no value in any row: leave it out with `ignore` (--ignore {one!r})."
            )


def _special(target: str, wanted: Wanted, name: str) -> list[str]:
    """Return the columns that are no features, and refuse one that would be two things."""
    beside = [one for one in (wanted.groups, wanted.times) if one is not None]
    if target in beside or target in wanted.ignore:
        raise DataError(
            f"{name}: column {target!r} holds the answers, so it can be no column of groups or times, nor ignored."
        )
    if both := [one for one in beside if one in wanted.ignore]:
        raise DataError(f"{name}: column {both[0]!r} is named as groups or times, so it cannot be ignored.")
    return list(dict.fromkeys([*([target] if wanted.answers else []), *beside, *wanted.ignore]))


def _groups(column: "pd.Series", place: Place, wanted: Wanted) -> NDArray[np.str_]:
    words = as_words(typed(column, place, ()) if column.dtype.kind == "M" else column, wanted.missing)
    blank = (words == "").to_numpy()
    if blank.any():
        raise DataError(
            f"{place.table} lacks the group {place.column!r} in {int(blank.sum())} of {len(words)} rows, first in row "
            f"{int(np.argmax(blank)) + 1}: give every case a group."
        )
    return np.array([str(one) for one in _whole(words)])


def _whole(words: "pd.Series") -> "pd.Series":
    """Write `3.0` as `3`, as another file or row may have it, where all groups are numbers."""
    numbers = words.str.fullmatch(r"[+-]?\d+(\.\d+)?").all()
    return words.str.replace(r"\.0+$", "", regex=True) if numbers else words


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _from_arrays(arrays: dict[str, Any], path: Path, wanted: Wanted) -> NamedSplit:
    called = {
        "x": "x",
        "y": wanted.target or "y",
        "groups": wanted.groups or "groups",
        "times": wanted.times or "times",
    }
    named = [what for what in ("groups", "times") if getattr(wanted, what) is not None]
    for what in ("x", "y", *named):
        if called[what] not in arrays:
            near = did_you_mean(called[what], arrays)
            raise UnknownNameError(f"{path} has no array {called[what]!r}{near}; its arrays are {', '.join(arrays)}.")
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
    return NamedSplit(split, (), called["y"], str(path))


_TABLES: dict[str, Callable[[Path, Wanted], "pd.DataFrame"]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".parquet": _read_parquet,
}
_ARRAYS: dict[str, Callable[[Path], dict[str, Any]]] = {".npz": read_npz, ".nc": read_netcdf}
