"""Tables and prose for a terminal: what does not fit is left out and named, or wrapped; nothing runs off the edge."""

import io
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gengap.analysis.numbers import typewritten

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable

_GAP = 3
"""Letters between two columns: a line with a space on either side."""
_NARROWEST = 16
"""Letters down to which words are wrapped before a column is left out."""
_LONG_NAME = 24
"""Letters from which a name may take two lines."""
_COLOURS = {"better": "green", "worse": "red", "cannot say": "yellow", "equivalent": "cyan"}


@dataclass(frozen=True)
class Head:
    """The head of a column.

    Attributes:
        label: What it says.
        number: Whether the cells are numbers: set to the right, never wrapped.
        spare: 0 for what a reader cannot do without; the larger, the sooner a narrow terminal leaves it out.
    """

    label: str
    number: bool = False
    spare: int = 1


@dataclass(frozen=True)
class TextTable:
    """A table of written cells, as a `rich` renderable.

    Attributes:
        title: One line above.
        heads: One per column; the first column is never left out.
        rows: Written cells.
        notes: Sentences below.
    """

    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __rich_console__(self, _console: "Console", options: object) -> Iterator["RenderableType"]:
        yield from self.parts(int(getattr(options, "max_width", 80)))

    def parts(self, width: int | None) -> Iterator["RenderableType"]:
        """Yield title, grid and notes, as wide as there is room; None for as wide as it takes."""
        from rich.text import Text

        kept = range(len(self.heads)) if width is None else self.fitting(width)
        if self.title:
            yield Text(typewritten(self.title), style="bold")
        yield self._grid(kept, cramped=width is not None and self._natural_width(kept) > width)
        left_out = [head.label for at, head in enumerate(self.heads) if at not in kept]
        if left_out:
            note = f"Left out for lack of space: {'; '.join(left_out)}. A wider terminal or a DataFrame shows them."
            yield Text(wrapped(note, width), style="dim")
        yield from (Text(wrapped(typewritten(note), width)) for note in self.notes)

    def text(self, width: int | None) -> str:
        """Return the table as plain text of at most `width` letters a line; None for one line a row."""
        from rich.console import Console

        room = 10_000 if width is None else width
        console = Console(
            file=io.StringIO(), width=room, color_system=None, legacy_windows=False, force_jupyter=False
        )  # in a notebook rich would display the table instead of writing it
        for part in self.parts(width):
            console.print(part)
        lines = cast("io.StringIO", console.file).getvalue().splitlines()
        return "\n".join(line.rstrip() for line in lines).strip()

    def fitting(self, width: int) -> tuple[int, ...]:
        """Return the columns that fit into a width, the essential ones even where they do not."""
        kept = list(range(len(self.heads)))
        needed = [self._least_width(at) for at in kept]
        while sum(needed[at] for at in kept) + _GAP * (len(kept) - 1) > width:
            spare = [at for at in kept[1:] if self.heads[at].spare]
            if not spare:
                break
            kept.remove(max(spare, key=lambda at: (self.heads[at].spare, at)))
        return tuple(kept)

    def _least_width(self, at: int) -> int:
        from rich.cells import cell_len

        head, cells = self.heads[at], [row[at] for row in self.rows]
        words = [word for text in (head.label, *([] if head.number else cells)) for word in text.split()]
        longest_word = max((cell_len(part) for word in words for part in _parts(word)), default=0)
        longest_cell = max(map(cell_len, cells), default=0)
        return max(longest_word, longest_cell if head.number else min(longest_cell, _NARROWEST))

    def _natural_width(self, kept: Sequence[int]) -> int:
        """Letters in a line where nothing is wrapped."""
        from rich.cells import cell_len

        widths = [max(map(cell_len, (self.heads[at].label, *(row[at] for row in self.rows)))) for at in kept]
        return sum(widths) + _GAP * (len(kept) - 1)

    def _grid(self, kept: Sequence[int], *, cramped: bool) -> "RichTable":
        from rich import box
        from rich.table import Table

        table = Table(box=box.ASCII, show_edge=False, pad_edge=False)
        for at in kept:
            head = self.heads[at]
            table.add_column(_plain(head.label), justify="right" if head.number else "left", no_wrap=head.number)
        for row in self.rows:
            cells = ["\n".join(_parts(row[at])) if at == 0 and cramped else row[at] for at in kept]
            table.add_row(
                *(_plain(cell, verdict=not self.heads[at].number) for at, cell in zip(kept, cells, strict=True))
            )
        return table


def _plain(text: str, *, verdict: bool = False) -> "RenderableType":
    """Text as it is, without markup; a verdict in its colour, which pipes and files never see."""
    from rich.text import Text

    colour = next((colour for word, colour in _COLOURS.items() if text.startswith(word)), "") if verdict else ""
    return Text(typewritten(text), style=colour, overflow="fold")


def _parts(name: str) -> list[str]:
    """Where the line of a long name may end: after what is composed."""
    return re.findall(r"[^+]*\+|[^+]+", name) if len(name) > _LONG_NAME else [name]


def wrapped(text: str, width: int | None) -> str:
    """Wrap lines at blanks, with what goes on set in by two letters; None leaves them as they are.

    Example:
        >>> print(wrapped("GG101 baseline: overfits from epoch 9", 24))
        GG101 baseline: overfits
          from epoch 9
    """
    if width is None:
        return text
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    from rich.cells import cell_len

    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1].strip() else lines[-1] + word
        if cell_len(longer) > width and lines[-1].strip():
            lines.append("  " + word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def terminal_width() -> int | None:
    """Return the letters in a line of the terminal, or of `COLUMNS`; None where the text goes to a file or pipe."""
    if os.environ.get("COLUMNS", "").isdigit() or (sys.stdout is not None and sys.stdout.isatty()):
        return max(shutil.get_terminal_size().columns, 40)
    return None
