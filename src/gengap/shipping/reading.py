"""How raw rows become the inputs of a shipped model: what its card keeps, and what is a part of the model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gengap.datasets.table_encoder import TableEncoder
from gengap.datasets.table_reading import TableReading


@dataclass(frozen=True, eq=False)
class Reading:
    """How raw rows become inputs.

    Attributes:
        table: How the study read and encoded its table; None where it had none.
        inside: Whether what was fitted to training cases is a part of the model.
    """

    table: TableReading | None = None
    inside: bool = False

    @property
    def encoder_inside(self) -> TableEncoder | None:
        """The encoder that is to be a part of the model."""
        return self.table.encoder if self.inside and self.table is not None else None


def reading_of(manifest: Mapping[str, Any], fitted: TableEncoder | None) -> Reading:
    """Return how rows of a study's table become inputs.

    Args:
        manifest: The study's account.
        fitted: An encoder that was fitted anew; None takes the study's own.
    """
    data = manifest.get("data") or {}
    told = data.get("table")
    table = None if told is None else TableReading.from_dict(told)
    if fitted is not None:
        names = tuple(fitted.declared_)
        table = TableReading(names, "", tuple(data.get("label_names") or ())) if table is None else table
        table = replace(table, encoder=fitted, missing=_marks(table, fitted))
    return Reading(table, inside=table is not None and table.features == _columns(table))


def _marks(table: TableReading, encoder: TableEncoder) -> tuple[str, ...] | None:
    if table.missing is not None or encoder.missing is None:
        return table.missing
    return tuple(encoder.missing)


def _columns(table: TableReading) -> tuple[str, ...]:
    return () if table.encoder is None else tuple(table.encoder.declared_)
