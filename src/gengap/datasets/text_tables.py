"""Text tables as people have them: encoding, separator and line of names are found, or refused with the reason."""

import csv
import gzip
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.datasets.cells import MARKS, as_numbers
from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NO_TEXT = {
    b"PK\x03\x04": "an Excel workbook (or another archive): save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV",
    b"PAR1": "a Parquet file: give it the ending .parquet",
    b"\x89HDF": "an HDF5 or netCDF file: give netCDF the ending .nc",
    b"\x93NUMPY": "a NumPy array: save it with np.savez(x=..., y=...) as .npz",
}
_LOOKED_AT = 200
"""Lines that the separator is chosen by."""


@dataclass(frozen=True)
class _Lines:
    """The lines of a text table.

    Attributes:
        text: The whole text from the line of names.
        separator: What stands between two cells.
        names: The names of the columns.
        first: The first rows below them.
        count: The number of rows below them.
    """

    text: str
    separator: str
    names: tuple[str, ...]
    first: tuple[tuple[str, ...], ...]
    count: int


def read_text_table(
    path: Path,
    *,
    encoding: str | None = None,
    as_text: Collection[str] = (),
    answers: bool = True,
    decimal_comma: bool = False,
) -> "pd.DataFrame":
    """Read a text table, cells as they stand.

    Args:
        path: The file; what ends in `.gz` is unpacked.
        encoding: How its characters are written; None takes what a byte order mark says, else UTF-8.
        as_text: Columns that are left as text whatever they hold.
        answers: Whether there is a column of answers besides those of features.
        decimal_comma: Whether a table that belongs to this one has decimal commas, so that points may be of thousands.

    Returns:
        A column is of numbers or truth values where each of its cells is one, else of `str` as in the file, blanks as
        empty strings.

    Raises:
        DataError: It is no text table, has no line of names, or lines of unequal length.
    """
    lines = _split(_text_of(path, encoding), path, least=1 + answers)
    _check_names(lines, path)
    table = _parsed(lines, as_text, decimal_comma=decimal_comma)
    if len(table) != lines.count:
        raise DataError(
            f"{path} has {lines.count} rows or {len(table)}, depending on how its quotes and blank lines are read: "
            "remove blank lines, and quotes inside of cells."
        )
    return _without_nameless(table, path)


def _parsed(lines: _Lines, as_text: Collection[str], *, decimal_comma: bool) -> "pd.DataFrame":
    """Parse the cells; numbers stay text where a point may be one of thousands, or a number has leading zeros."""
    import pandas as pd

    padded = re.search(rf"(?:^|[{re.escape(lines.separator)}\"])\s*0\d{{3}}", lines.text, re.MULTILINE) is not None
    everything = padded or decimal_comma or (lines.separator != "," and "," in lines.text)
    stays = lines.names if everything else [name for name in lines.names if name in as_text]
    table = pd.read_csv(
        io.StringIO(lines.text, newline=""),
        sep=lines.separator,
        header=0,
        names=list(lines.names),
        index_col=False,
        dtype=dict.fromkeys(stays, object),
        na_filter=False,
        low_memory=False,
        skipinitialspace=True,
    )
    words = [str(name) for name in table if table[name].dtype.kind not in "biuf"]
    # whole numbers beyond 64 bits are objects, too, and none of text
    return table.assign(**{name: table[name].astype(object).map(str).astype(object) for name in words})


def _text_of(path: Path, encoding: str | None) -> str:
    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as reason:
            raise DataError(f"{path} cannot be unpacked ({reason}): pack it anew with gzip, or unpack it.") from reason
    for start, what in _NO_TEXT.items():
        if content.startswith(start):
            raise DataError(f"{path} is no text table but {what}.")
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding or marked)
    except LookupError:
        raise DataError(f"{path}: there is no encoding {encoding!r}; usual ones are utf-8, cp1252, gb18030.") from None
    except UnicodeError as reason:
        raise _of_encoding(path, content, encoding or marked, reason) from reason
    if "\0" in text:
        raise DataError(
            f"{path} holds zero bytes, so it is no text in {encoding or marked}: save it as 'CSV UTF-8', or, if it is "
            "UTF-16, say so with `encoding` (--encoding utf-16-le)."
        )
    return text.removeprefix("\ufeff")


def _of_encoding(path: Path, content: bytes, encoding: str, reason: UnicodeError) -> DataError:
    """Say which line is written otherwise, and how to say so."""
    start = int(getattr(reason, "start", 0))
    line = content[:start].count(b"\n") + 1
    return DataError(
        f"{path} is not written in {encoding.upper()} (line {line}, byte {content[start : start + 1].hex()}): save it "
        "as 'CSV UTF-8', or say what it is in with `encoding` (--encoding cp1252 for Western Excel, gb18030 for "
        "Chinese)."
    )


def _split(text: str, path: Path, *, least: int) -> _Lines:
    """Find the separator and check that all lines have as many cells as the line of names."""
    declared, text = _declared_separator(text)
    if not text.strip():
        raise DataError(f"{path} cannot be read as CSV: it is empty.")
    if text.lstrip().startswith("<"):
        raise DataError(f"{path} is no text table but a page of HTML or XML: save the table itself as CSV.")
    separator, count = declared or _separator(text), 0
    try:
        rows = _rows(text, separator)
        head = next(rows)
        if len(head) < least:
            raise _of_one_column(path, head, rows)
        if len(head) == 1 and (blank := _blank_line(text)) is not None:
            raise DataError(
                f"{path} has a single column and a blank line, {blank} lines below the names, which may be a missing "
                "value: write NA there, or delete the line."
            )
        first = []
        for count, row in enumerate(rows, 1):
            _check_length(path, row, head, count)
            if count <= _LOOKED_AT:
                first.append(tuple(cell.strip() for cell in row))
    except csv.Error as reason:
        raise DataError(
            f"{path} cannot be read as CSV from row {count + 1} ({reason}): look for a quote that is never closed."
        ) from reason
    if count == 0:
        raise DataError(f"{path} needs at least one row, a column of answers and one of features.")
    return _Lines(text, separator, tuple(name.strip() for name in head), tuple(first), count)


def _blank_line(text: str) -> int | None:
    """Return the first blank line between others, which in a single column may be a row."""
    lines = text.strip().splitlines()
    return next((number for number, line in enumerate(lines) if not line.strip('" ')), None)


def _declared_separator(text: str) -> tuple[str | None, str]:
    """Take off the line by which Excel says what separates: `sep=;`."""
    head, _, rest = text.partition("\n")
    if head.lower().startswith("sep=") and len(head.strip("\r")) == len("sep=,"):
        return head[4], rest
    return None, text


def _separator(text: str) -> str:
    """Return what separates the cells: what cuts all lines alike, and if several do, into most numbers."""
    rank = {mark: _alike(text, mark) for mark in _SEPARATORS}
    return max(rank, key=lambda mark: (rank[mark], -list(_SEPARATORS).index(mark)))


def _alike(text: str, mark: str) -> tuple[bool, float, int]:
    """Say whether a mark cuts all lines alike, how many cells are numbers then, and how many cells a line has."""
    try:
        rows = list(islice(_rows(text, mark), _LOOKED_AT))
    except csv.Error:
        return False, 0.0, text[: text.find("\n")].count(mark) + 1
    widths = [len(row) for row in rows]
    cells = [cell for row in rows[1:] for cell in row]
    numbers = as_numbers(cells, decimal_comma=mark != ",")
    share = float((numbers == numbers).mean()) if cells else 0.0  # noqa: PLR0124  NaN is not itself
    return min(widths) == max(widths) > 1, share if widths[0] > 1 else 0.0, widths[0]


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """Yield the cells of every line that is not blank."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    return (row for row in lines if any(cell.strip() for cell in row) or len(row) > 1)


def _check_length(path: Path, row: Sequence[str], head: Sequence[str], number: int) -> None:
    if len(row) == len(head):
        return
    cells = "cell" if len(row) == 1 else "cells"
    hint = (
        "correct the row, or, if the first line is a remark, delete that"
        if len(row) > len(head)
        else "complete the row, or delete it"
    )
    raise DataError(
        f"{path} has {len(row)} {cells} in row {number} and {len(head)} in the line of names: {hint}; a cell that "
        "holds the separator needs quotes around it."
    )


def _of_one_column(path: Path, head: Sequence[str], rows: Iterator[list[str]]) -> DataError:
    shown = head[0][:60]
    row = next(rows, [])
    if shown.startswith("#") or len(row) > 1:
        return DataError(
            f"{path} begins with the line {shown!r}, which names no columns: delete what is above the names."
        )
    usual = ", ".join(_SEPARATORS.values())
    return DataError(
        f"{path} needs a column of answers and one of features, and has the single column {shown!r}: separate its "
        f"columns by one of {usual}."
    )


def _check_names(lines: _Lines, path: Path) -> None:
    names = lines.names
    if twice := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
        raise DataError(f"{path} has several columns named {twice[0]!r}: give each a name of its own.")
    if names in lines.first:
        row = lines.first.index(names) + 1
        raise DataError(f"{path} repeats its line of names in row {row}: delete that row.")
    if _is_a_case(lines):
        example = ",".join([*(f"x{n}" for n in range(1, min(len(names), 4))), "y"])
        raise DataError(
            f"{path} has no line of names: its first line is {_shown(names)}, which looks like a case: write a line "
            f"of names such as {example} above it; and if these are names, put a letter before each that is a number."
        )


def _is_a_case(lines: _Lines) -> bool:
    """Tell whether the first line is a case: all numbers, or with a word that its column holds again."""
    names = [name for name in lines.names if name]
    numbers = as_numbers(names, decimal_comma=lines.separator != ",")
    if bool((numbers == numbers).all()):  # noqa: PLR0124  NaN is not itself
        return not _counts_columns(names)  # 0, 1, 2: as pandas names the columns of an array
    again = [
        name
        for place, name in enumerate(lines.names)
        if name and name in {row[place] for row in lines.first} and not _counts_columns([name])
    ]
    return (
        bool(again)
        and not _names_numbers(lines)
        and (len(again) > 1 or any(not name.replace(".", "").isdigit() for name in again))
    )


def _names_numbers(lines: _Lines) -> bool:
    """Tell whether a word stands above a column of numbers, as only a name does."""
    for place, name in enumerate(lines.names):
        cells = [row[place] for row in lines.first if row[place] not in MARKS]
        if name in MARKS or not cells or np.isfinite(as_numbers([name], decimal_comma=True)).any():
            continue
        if np.isfinite(as_numbers(cells, decimal_comma=True)).all():
            return True
    return False


def _counts_columns(names: Sequence[str]) -> bool:
    return all(name.isdigit() for name in names) and list(map(int, names)) in (
        list(range(len(names))),
        list(range(1, len(names) + 1)),
    )


def _shown(names: Sequence[Any], most: int = 5) -> str:
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown}, ..."


def _without_nameless(table: "pd.DataFrame", path: Path) -> "pd.DataFrame":
    """Drop a nameless column that is blank or, at the first place, only numbers the rows, as pandas writes it."""
    for place, name in enumerate(table.columns):
        if name:
            continue
        cells = table.iloc[:, place]
        blank = cells.dtype == object and not cells.str.strip().any()
        index = place == 0 and cells.dtype.kind in "iu" and cells.is_unique
        if not (blank or index):
            raise DataError(f"{path} has no name above column {place + 1}: give it one, or delete the column.")
    return table.loc[:, [bool(name) for name in table.columns]]
