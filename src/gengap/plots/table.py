"""A table as a figure, for slides and papers that take no LaTeX: names left, numbers right, three rules."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gengap.plots.style import INK, REFERENCE, axes_for, literal, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.analysis import Table

_GAP = 3.0
"""Room between columns, in letters."""


@dataclass(frozen=True, eq=False)
class TableDisplay:
    """Cells as they are written.

    Attributes:
        data: Rows of cells, shape `(rows, columns)`.
        head: Heads of the columns.
        number: Whether each column holds numbers, which stand on the right.
        title: One line above.
        notes: Sentences below.
    """

    data: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]
    number: tuple[bool, ...]
    title: str
    notes: tuple[str, ...]

    @classmethod
    def from_table(cls, table: "Table", *, ax: "Axes | None" = None) -> "TableDisplay":
        """Write the cells of a table, as `gengap.summarize(result)` or a comparison's `table` gives it.

        Args:
            table: The table.
            ax: Axes to draw on at once; None draws nothing yet.
        """
        rows = tuple(
            tuple(column.show(cell) for column, cell in zip(table.columns, row, strict=True)) for row in table.rows
        )
        number = tuple(bool(column.spec) for column in table.columns)
        display = cls(rows, tuple(column.label for column in table.columns), number, table.title, table.notes)
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the table.

        Args:
            ax: Axes to draw on; None makes new ones, wide and high enough for all cells.
        """
        widths = [max(len(cell) for cell in column) + _GAP for column in zip(self.head, *self.data, strict=True)]
        total, height = sum(widths), len(self.data) + 1 + len(self.notes)
        with style():
            ax = axes_for(ax, figsize=(0.085 * total, 0.5 + 0.27 * height))
            ax.set(xlim=(0, total - _GAP), ylim=(height, 0))
            ax.axis("off")
            left = 0.0
            for at, (width, number) in enumerate(zip(widths, self.number, strict=True)):
                x = left + width - _GAP if number else left
                for row, cell in enumerate((self.head[at], *(cells[at] for cells in self.data))):
                    ax.text(x, row + 0.5, literal(cell), ha="right" if number else "left", va="center", fontsize=9,
                            fontweight="bold" if row == 0 else "normal")  # fmt: skip
                left += width
            for y, thickness in ((0, 1.2), (1, 0.7), (len(self.data) + 1, 1.2)):
                ax.plot([0, total - _GAP], [y, y], color=INK, linewidth=thickness, clip_on=False)
            for row, note in enumerate(self.notes):
                ax.text(0, len(self.data) + 1.6 + row, literal(note), va="center", fontsize=8, color=REFERENCE)
            ax.set_title(literal(self.title))
        return ax
