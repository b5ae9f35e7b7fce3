"""One table for terminal, notebook, paper and program: values stay numbers until somebody looks."""

import html
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gengap.analysis.numbers import MISSING, typeset, write_estimate, write_p, write_score, write_spread
from gengap.analysis.text_tables import Head, TextTable, terminal_width

if TYPE_CHECKING:
    import pandas as pd

AS_UNCERTAIN = "as uncertain"
"""The format of cells that get the digits their interval or spread leaves room for."""
P_VALUE = "p"
"""The format of p values."""
SCORE = "score"
"""The format of scores, which have any units."""


@dataclass(frozen=True)
class Spread:
    """A mean over seeds with the standard deviation between them (NaN for a single seed)."""

    mean: float
    sd: float

    def show(self, spec: str) -> str:
        """Write `mean ± sd`, both in the number format `spec`."""
        if spec == AS_UNCERTAIN:
            return write_spread(self.mean, self.sd)
        if math.isnan(self.mean):
            return MISSING
        if spec == SCORE:
            return write_score(self.mean) + ("" if math.isnan(self.sd) else f" ± {write_score(self.sd)}")
        return f"{self.mean:{spec}}" if math.isnan(self.sd) else f"{self.mean:{spec}} ± {self.sd:{spec}}"

    def fields(self, name: str) -> dict[str, float]:
        """Return the columns that this cell fills in a DataFrame."""
        return {name: self.mean, f"{name}_sd": self.sd}


@dataclass(frozen=True)
class IntervalEstimate:
    """A value with its interval.

    Attributes:
        value: The value.
        low: Lower end of the interval.
        high: Upper end.
        scale: Size of the numbers that it is a difference of; it says which of its digits are rounding.
    """

    value: float
    low: float
    high: float
    scale: float = 1.0

    def show(self, spec: str) -> str:
        """Write `value [low, high]`, all in the number format `spec`."""
        if spec == AS_UNCERTAIN:
            return write_estimate(self.value, self.low, self.high, scale=self.scale)
        if math.isnan(self.value):
            return MISSING
        if spec == SCORE:
            low, high = write_score(self.low), write_score(self.high)
            return write_score(self.value) + ("" if low == high == MISSING else f" [{low}, {high}]")
        if math.isnan(self.low) and math.isnan(self.high):
            return f"{self.value:{spec}}"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __format__(self, spec: str) -> str:
        if spec in {"", "+"}:
            return write_estimate(self.value, self.low, self.high, sign=spec == "+", scale=self.scale)
        return typeset(self.show(spec))

    def fields(self, name: str) -> dict[str, float]:
        """Return the columns that this cell fills in a DataFrame."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


Cell = str | int | float | None | Spread | IntervalEstimate


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: What programs call it.
        label: What people call it.
        spec: Number format of its cells; `AS_UNCERTAIN`, `P_VALUE` and `SCORE` are formats, too. Empty for words.
        spare: 0 for what a reader cannot do without; the larger, the sooner a narrow terminal leaves the column out.
    """

    name: str
    label: str
    spec: str = ""
    spare: int = 1

    def show(self, cell: Cell) -> str:
        """Write one cell as people read it."""
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return MISSING
        if isinstance(cell, str):
            return cell
        if isinstance(cell, Spread | IntervalEstimate):
            return typeset(cell.show(self.spec))
        if self.spec == SCORE:
            return write_score(cell)
        return write_p(cell) if self.spec == P_VALUE else typeset(f"{cell:{self.spec}}")

    def fields(self, cell: Cell) -> dict[str, Any]:
        """Return what the cell is called in a DataFrame."""
        return cell.fields(self.name) if isinstance(cell, Spread | IntervalEstimate) else {self.name: cell}


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of typed cells under named columns, with a title above and notes below.

    Printing it gives text, as wide as the terminal; in a notebook it is HTML; `to_latex` and `to_dataframe` serve
    papers and programs.

    Attributes:
        title: One line that says what the rows are.
        columns: The columns, in order.
        rows: One tuple of cells per row, as long as `columns`.
        notes: Sentences that belong under the table.

    Example:
        >>> table = Table("Scores", (Column("variant", "variant"), Column("log_loss", "log loss", ".3f")),
        ...               (("baseline", Spread(0.31, 0.004)), ("l2", Spread(0.29, 0.002))))
        >>> print(table)
        Scores
        variant  | log loss
        ---------+--------------
        baseline | 0.310 ± 0.004
        l2       | 0.290 ± 0.002
        >>> table.to_dataframe()["log_loss"].tolist()
        [0.31, 0.29]
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> tuple[Cell, ...]:
        """Return the cells of one column, top to bottom.

        Raises:
            KeyError: no column is called `name`.
        """
        names = [column.name for column in self.columns]
        if name not in names:
            raise KeyError(f"no column {name!r}; the columns are {', '.join(names)}")
        return tuple(row[names.index(name)] for row in self.rows)

    def __str__(self) -> str:
        return self.to_text(terminal_width())

    def to_text(self, width: int | None = None) -> str:
        """Return the table as text of at most `width` letters a line; None for all columns and one line a row."""
        return self._text_table().text(width)

    __repr__ = __str__

    def __rich__(self) -> TextTable:
        return self._text_table()

    def _text_table(self) -> TextTable:
        """The table as text; a column that is empty from top to bottom takes no room."""
        shown = self._shown()
        told = [at for at in range(len(self.columns)) if not shown or any(row[at] for row in shown)]
        heads = tuple(Head(one.label, bool(one.spec), one.spare) for one in (self.columns[at] for at in told))
        return TextTable(self.title, heads, tuple(tuple(row[at] for at in told) for row in shown), self.notes)

    def _shown(self) -> list[list[str]]:
        return [[column.show(cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self) -> str:
        """Return an HTML `<table>` with caption and, below it, the notes; all text is escaped."""
        looks = [_NUMBERS if column.spec else _WORDS for column in self.columns]
        pairs = zip(self.columns, looks, strict=True)
        head = "".join(f'<th scope="col"{look}>{html.escape(column.label)}</th>' for column, look in pairs)
        body = "".join(_html_row(row, looks) for row in self._shown())
        notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in self.notes)
        caption = f"<caption>{html.escape(self.title)}</caption>"
        return f'<table class="gengap">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}'

    def to_latex(self) -> str:
        r"""Return a `tabular` in the style of the booktabs package, ready for `\input`."""
        align = "".join("r" if column.spec else "l" for column in self.columns)
        head = " & ".join(_latex(column.label) for column in self.columns)
        body = "\n".join(" & ".join(_latex(cell) for cell in row) + r" \\" for row in self._shown())
        lines = [rf"\begin{{tabular}}{{{align}}}", r"\toprule", head + r" \\", r"\midrule", body, r"\bottomrule"]
        return "\n".join([*lines, r"\end{tabular}", *(f"% {note}" for note in self.notes)]) + "\n"

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a DataFrame of numbers: spreads and intervals become columns `*_sd`, `*_low`, `*_high`."""
        import pandas as pd

        records: list[dict[str, Any]] = []
        for row in self.rows:
            record: dict[str, Any] = {}
            for column, cell in zip(self.columns, row, strict=True):
                record |= column.fields(cell)
            records.append(record)
        return pd.DataFrame(records) if records else pd.DataFrame(columns=[column.name for column in self.columns])


class ShownAsTable(ABC):
    """What a verdict shows of itself, in a terminal, a notebook and a paper: its table."""

    @property
    @abstractmethod
    def table(self) -> Table:
        """What is shown."""

    def __str__(self) -> str:
        return str(self.table)

    def __repr__(self) -> str:
        return str(self)

    def __rich__(self) -> TextTable:
        return self.table.__rich__()

    def _repr_html_(self) -> str:
        return self.table.to_html()

    def to_latex(self) -> str:
        """Return the table for a paper."""
        return self.table.to_latex()

    def to_dataframe(self) -> "pd.DataFrame":
        """Return the table as numbers."""
        return self.table.to_dataframe()


# notebooks set every cell to the right and break intervals, so the looks travel with the cells
_NUMBERS = ' class="number" style="text-align:right;white-space:nowrap"'
_WORDS = ' style="text-align:left"'


def _html_row(cells: Sequence[str], looks: Sequence[str]) -> str:
    inner = "".join(f"<td{look}>{html.escape(cell)}</td>" for cell, look in zip(cells, looks, strict=True))
    return f"<tr>{inner}</tr>"


_LATEX = str.maketrans({
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "±": r"$\pm$",
    "–": "--", "−": "$-$", "<": "$<$", ">": "$>$", "\\": r"\textbackslash{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
})  # fmt: skip


def _latex(text: str) -> str:
    return text.translate(_LATEX)
