"""How a table was read and encoded, kept with a study, so that raw rows can be predicted in the same way."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from gengap.datasets.features import as_inputs
from gengap.datasets.table_encoder import TableEncoder
from gengap.datasets.table_files import Wanted, read_named
from gengap.errors import DataError


@dataclass(frozen=True, eq=False)
class TableReading:
    """How a table was read.

    Attributes:
        features: Names of the raw columns that are features, in their order.
        target: Name of the column of answers.
        label_names: Names of the labels in the order of their codes; empty where answers are numbers.
        encoder: The fitted encoder; None where the features went in as they stand.
        missing: What else means that a value is missing, see `gengap.datasets.read_split`.
        encoding: How text tables are written, None for UTF-8.
        by_column: Whether each column is an input by its name.
        shape: Shape of a case's inputs where they are one array, which flat rows are given.
        decimal_comma: Whether the table has decimal commas, so that a point may be one of thousands.
    """

    features: tuple[str, ...]
    target: str
    label_names: tuple[str, ...] = ()
    encoder: TableEncoder | None = None
    missing: tuple[str, ...] | None = None
    encoding: str | None = None
    by_column: bool = False
    shape: tuple[int, ...] = ()
    decimal_comma: bool = False

    def read_inputs(self, rows: Any, *, name: str = "the table") -> Any:
        """Read and encode raw rows for a model that was trained on this reading.

        Args:
            rows: A path, or a data frame of pandas or polars; a column of answers is not needed.
            name: What a data frame is called in messages.

        Returns:
            Inputs of all rows in their order: float32, shape `(n, ...)`, or a mapping from columns to arrays.

        Raises:
            DataError: A column is missing, or a row cannot be read rightly; the sentence names file, column and row.
        """
        x, name = self.typed(rows, name=name)
        return self.encoded(x, name=name)

    def read_numbers(self, rows: Any, *, name: str = "the table") -> Any:
        """Read raw rows as the plain numbers that a shipped model takes which holds the encoder itself.

        Args:
            rows: As in `read_inputs`.
            name: As in `read_inputs`.

        Returns:
            What `TableEncoder.numbers` makes of them, NaN for blanks.

        Raises:
            DataError: As in `read_inputs`; or there is no encoder.
        """
        if self.encoder is None:
            raise DataError("There is no encoder whose columns could be read: take `read_inputs`.")
        x, name = self.typed(rows, name=name)
        return self.encoder.numbers(x, name=name)

    def typed(self, rows: Any, *, name: str = "the table") -> tuple[Any, str]:
        """Return typed features of raw rows, see `read_inputs`, and what the table is called."""
        declared = {} if self.encoder is None else self.encoder.declared_
        wanted = Wanted(
            self.target,
            features=self.features,
            missing=self.missing,
            encoding=self.encoding,
            encode=True,
            answers=False,
            words=tuple(column for column, one in declared.items() if one.kind == "words"),
            decimal_comma=self.decimal_comma,
        )
        read = read_named(rows, wanted, name=name)
        if not read.features:
            raise DataError(f"{read.name} is no table: give rows with the columns {', '.join(self.features)}.")
        return read.split.x, read.name

    def encoded(self, x: Any, *, name: str) -> Any:
        """Return typed features as inputs: encoded, by column, or in the shape of a case."""
        x = as_inputs(x, name) if self.encoder is None else self.encoder.transform(x, name=name)
        if self.by_column and self.encoder is None:
            return {column: x[:, [place]] for place, column in enumerate(self.features)}
        return x.reshape(-1, *self.shape) if self.shape else x

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        lists = {name: list(value) for name, value in values.items() if isinstance(value, tuple)}
        return {**values, **lists, "encoder": None if self.encoder is None else self.encoder.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the reading that `to_dict` described."""
        given = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        tuples = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        encoder = given["encoder"]
        return cls(**{**given, **tuples, "encoder": None if encoder is None else TableEncoder.from_dict(encoder)})
