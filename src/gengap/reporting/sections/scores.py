"""The table of variants: score, skill, gap, size and time, at the best and at the last epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gengap.analysis.tables import Cell, Column, Spread
from gengap.reporting.languages import Language
from gengap.reporting.material import Material
from gengap.reporting.numbers import MISSING, decimals_for, write_number
from gengap.reporting.section import Section

_ALIKE = frozenset({"validation_score", "test_score", "gap"})
"""Columns in the units of the score: all have the same decimals, so that they can be compared at a glance."""


@dataclass(frozen=True)
class ShownCell:
    """A cell: what people read, the number that the table sorts by (None for words), and the scatter of seeds."""

    text: str
    number: float | None = None
    sd: str = ""


@dataclass(frozen=True)
class Head:
    """The head of a column, and whether it holds numbers."""

    label: str
    number: bool


def scores_section(material: Material) -> Section:
    """Show every variant at both epoch rules, so that two rankings stand side by side."""
    table, text = material.summary, material.language
    kept = [at for at, column in enumerate(table.columns) if not _spare(material, column)]
    alike = [row[at] for row in table.rows for at in kept if table.columns[at].name in _ALIKE]
    columns = [
        _Shower.of(column, alike if column.name in _ALIKE else [row[at] for row in table.rows], text)
        for at, column in ((at, table.columns[at]) for at in kept)
    ]
    return Section(
        "scores",
        {
            "head": tuple(
                Head(_label(material, table.columns[at]), number=bool(table.columns[at].spec)) for at in kept
            ),
            "rows": tuple(
                tuple(shower.show(row[at]) for shower, at in zip(columns, kept, strict=True)) for row in table.rows
            ),
            "lead": _lead(material, [table.columns[at].name for at in kept]),
        },
    )


def _lead(material: Material, columns: Sequence[str]) -> str:
    """Say what the columns hold, as far as they are there."""
    result, text = material.result, material.language
    one = len(result.seeds) == 1
    chosen = text("chosen.validation" if material.has_validation else "chosen.without")
    seeds = text.count("seeds", len(result.seeds))
    said = [text("lead.scores_one", chosen=chosen) if one else text("lead.scores", seeds=seeds, chosen=chosen)]
    if any(name.endswith("_skill") for name in columns):
        said.append(text("lead.skill", reference=text(f"reference.{result.task}")))
    if "gap" in columns:
        said.append(text("lead.gap", score=text.name_of("score", result.score)))
    return text("list.sentence").join(said)


def _spare(material: Material, column: Column) -> bool:
    """Validation skill says little where there is a test split, and the table is wide enough without it."""
    return column.name == "validation_skill" and "test" in material.result.splits


def _label(material: Material, column: Column) -> str:
    text, key = material.language, f"column.{column.name}"
    score = text.name_of("score", material.result.score)
    return text(key, score=score) if key in text.texts else column.label


@dataclass(frozen=True)
class _Shower:
    """Writes the cells of one column, all with the same decimals so that they can be compared at a glance."""

    name: str
    decimals: int
    language: Language

    @classmethod
    def of(cls, column: Column, cells: Sequence[Cell], language: Language) -> "_Shower":
        spreads = [cell for cell in cells if isinstance(cell, Spread)]
        if column.name in {"epoch", "seconds"}:  # counts and times need no two digits of their scatter
            brief = column.name == "seconds" and all(spread.mean < 1 for spread in spreads)
            return cls(column.name, 2 if brief else 1, language)
        widths = [
            max(spread.sd, 1e-4 * abs(spread.mean)) if spread.sd > 0 else abs(spread.mean) / 100 for spread in spreads
        ]
        return cls(column.name, decimals_for(float(np.quantile(widths, 0.75))) if widths else 0, language)

    def show(self, cell: Cell) -> ShownCell:
        if isinstance(cell, Spread):
            if self.name == "epoch" and cell.mean == 0:  # every run diverged before its first epoch ended
                return ShownCell(MISSING)
            scattered = cell.sd >= 0.5 * 10.0**-self.decimals  # less would be written as 0
            sd = write_number(cell.sd, self.decimals) if scattered else ""
            whole = self.name == "epoch" and not sd and cell.mean == round(cell.mean)
            return ShownCell(write_number(cell.mean, 0 if whole else self.decimals), cell.mean, sd)
        if isinstance(cell, int | float):
            return ShownCell(f"{cell:,}", float(cell))
        if cell is None:
            return ShownCell(MISSING)
        return ShownCell(self.language(f"rule.{cell}") if self.name == "rule" else str(cell))
