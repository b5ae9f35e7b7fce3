"""The table of variants: score, skill, gap, size and time, at the best and at the last epoch."""

from dataclasses import dataclass

from gengap.analysis.tables import Cell, Column, Spread
from gengap.report.material import Material
from gengap.report.numbers import MISSING, decimals_for, write_number, write_spread
from gengap.report.section import Section


@dataclass(frozen=True)
class Shown:
    """A cell: what people read, and the number that the table sorts by (None for words)."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Head:
    """The head of a column, and whether it holds numbers."""

    label: str
    number: bool


def scores_section(material: Material) -> Section:
    """Show every variant at both epoch rules, so that two rankings stand side by side."""
    table, text = material.summary, material.language
    head = tuple(Head(_label(material, column), number=bool(column.spec)) for column in table.columns)
    rows = tuple(
        tuple(_shown(material, column, cell) for column, cell in zip(table.columns, row, strict=True))
        for row in table.rows
    )
    return Section(
        "scores",
        {
            "head": head,
            "rows": rows,
            "seeds": len(material.result.seeds),
            "score": text.name_of("score", str(material.result.score)),
        },
    )


def _label(material: Material, column: Column) -> str:
    text, name = material.language, column.name
    score = text.name_of("score", material.result.score)
    return text(f"column.{name}", score=score) if f"column.{name}" in text.texts else column.label


def _shown(material: Material, column: Column, cell: Cell) -> Shown:
    if cell is None:
        return Shown(MISSING)
    if isinstance(cell, Spread):
        return Shown(_spread(column.name, cell), cell.mean)
    if isinstance(cell, int):
        return Shown(f"{cell:,}", float(cell))
    return Shown(material.language(f"rule.{cell}") if column.name == "rule" else str(cell))


def _spread(name: str, cell: Spread) -> str:
    if name in {"epoch", "seconds"}:  # counts and times need no two digits of their scatter
        decimals = 0 if name == "epoch" and cell.mean == round(cell.mean) and not cell.sd > 0 else 1
        shown = write_number(cell.mean, decimals)
        return f"{shown} ± {write_number(cell.sd, max(decimals, 1))}" if cell.sd > 0 else shown
    if cell.sd > 0:
        return write_spread(cell.mean, cell.sd)
    return write_number(cell.mean, max(decimals_for(abs(cell.mean) / 100), 2))
