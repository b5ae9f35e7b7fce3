"""A declared, fitted encoder of tables: words to columns or codes, blanks filled and marked, numbers standardized."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from gengap.datasets.cells import MARKS
from gengap.datasets.columns import Place, as_words, typed
from gengap.datasets.encoded_columns import DeclaredColumn, Learned, declare_column, encode, feature_names, learn
from gengap.datasets.frames import as_frame
from gengap.datasets.raw_columns import RawNumber, as_raw_numbers, raw_numbers
from gengap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Layout = Literal["matrix", "columns"]
_FORMAT = 1


class TableEncoder(BaseEstimator, TransformerMixin):  # type: ignore[misc]  # scikit-learn is untyped
    """Turns the raw rows of a table into numbers, by what it learned from training rows alone.

    Numbers are standardized, and where the declared table lacks some, filled by the training mean and marked in a
    column of their own. Words become one column each (`layout="matrix"`), or a code (`layout="columns"`); what was
    not among the training words is unknown: 0 in all columns, code 0. Dates become sine and cosine of the day of the
    year, and of the time of day where they have one: years since then would be beyond all training values in any
    forecast, and are left out.

    What is *declared* (kinds of columns, how many words, which lack values) fixes the width, what is *learned* (which
    words, means, deviations) may differ between the folds of a cross-validation. It is a transformer of scikit-learn.

    Args:
        columns: The declared columns by name; None declares what the first table to be fitted holds.
        layout: `"matrix"` gives one float32 array, `"columns"` a mapping from column to array, for models with one
            input for each column.
        missing: What else means that a value is missing; see `gengap.datasets.read_split`.

    Example:
        >>> import pandas as pd
        >>> train = pd.DataFrame({"cape": [0.0, 100.0, 200.0], "region": ["coast", "hills", "coast"]})
        >>> encoder = TableEncoder().fit(train)
        >>> encoder.feature_names
        ('cape', 'region=coast', 'region=hills')
        >>> encoder.transform(pd.DataFrame({"cape": [100.0], "region": ["desert"]}))
        array([[0., 0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        columns: Mapping[str, DeclaredColumn] | None = None,
        *,
        layout: Layout = "matrix",
        missing: Sequence[str] | None = None,
    ) -> None:
        self.columns = columns
        self.layout = layout
        self.missing = missing

    @classmethod
    def declare(
        cls,
        table: Any,
        *,
        ignore: Sequence[str] = (),
        layout: Layout = "matrix",
        missing: Sequence[str] | None = None,
        name: str = "the table",
    ) -> Self:
        """Return an encoder of a table's columns that has learned nothing yet.

        Args:
            table: All training rows, before any fold is taken from them.
            ignore: Columns that are no features.
            layout: See the class.
            missing: See the class.
            name: What the table is called in messages.

        Raises:
            DataError: A column holds what no number can be made of.
        """
        frame = as_frame(table, name)
        plain = _typed(frame.drop(columns=[one for one in frame if one in ignore]), missing, name)
        columns = {str(one): declare_column(plain[one], Place(name, str(one))) for one in plain}
        return cls(columns, layout=layout, missing=missing)

    def declared(self, table: Any) -> "TableEncoder":
        """Return this encoder if its columns are declared, else one that declares those of a table."""
        if self.columns is not None:
            return self
        return TableEncoder.declare(table, layout=self.layout, missing=self.missing)

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002  scikit-learn's signature
        """Learn words, means and deviations from training rows; their answers do not matter.

        Raises:
            DataError: A column is missing or holds something else than was declared.
        """
        if self.layout not in {"matrix", "columns"}:
            raise ValueError(f"`layout` must be 'matrix' or 'columns'; received {self.layout!r}.")
        frame = as_frame(X, "the table")
        self.declared_ = dict(self.declared(frame).columns or {})
        plain = self._typed(frame, "the table")
        self.learned_ = {name: learn(plain[name], declared) for name, declared in self.declared_.items()}
        return self

    def transform(self, X: Any, *, name: str = "the table") -> Any:
        """Encode raw rows.

        Args:
            X: A data frame of pandas or polars, or a mapping of columns, in any order; columns that were not declared
                do not matter.
            name: What the table is called in messages.

        Returns:
            float32, shape `(n, width)`; with `layout="columns"` a mapping from the names of columns to float32 of
            shape `(n, k)` or, for words, int32 codes of shape `(n,)`.

        Raises:
            DataError: A column is missing, holds something else than was declared, or lacks values where the declared
                table lacks none.
        """
        self._check_fitted()
        frame = as_frame(X, name)
        plain = self._typed(frame, name)
        matrix = self.layout == "matrix"
        encoded = {
            column: encode(plain[column], declared, self.learned_[column], Place(name, column), one_hot=matrix)
            for column, declared in self.declared_.items()
        }
        return np.concatenate(list(encoded.values()), axis=1) if matrix else encoded

    def numbers(self, X: Any, *, name: str = "the table") -> Any:
        """Return raw rows as plain numbers, one a column: what a shipped model takes that holds the encoder itself.

        Numbers stay as they stand, words become codes (0 for an unknown one), dates the day of the year, and the time
        of day where they have one; a blank is NaN. `raw_columns` says which is which.

        Args:
            X: As in `transform`.
            name: As in `transform`.

        Returns:
            float32, shape `(n, numbers)`; with `layout="columns"` a mapping from the names of columns to float32 of
            shape `(n, k)` or, for words, the int32 codes of `transform`.

        Raises:
            DataError: As in `transform`.
        """
        self._check_fitted()
        plain, parts = self._typed(as_frame(X, name), name), {}
        for column, declared in self.declared_.items():
            place, learned = Place(name, column), self.learned_[column]
            if self.layout == "columns" and declared.kind == "words":
                parts[column] = encode(plain[column], declared, learned, place, one_hot=False)
            else:
                parts[column] = as_raw_numbers(plain[column], declared, learned, place)
        return parts if self.layout == "columns" else np.concatenate(list(parts.values()), axis=1)

    def unknown_words(self, X: Any, *, name: str = "the table") -> dict[str, tuple[int, ...]]:
        """Return the columns that hold words without a code, and the rows where they do, from 0.

        Args:
            X: As in `transform`.
            name: As in `transform`.
        """
        self._check_fitted()
        frame, found = as_frame(X, name), {}
        for column, declared in self.declared_.items():
            if declared.kind != "words":
                continue
            words = as_words(frame[column], self.missing)
            codes = encode(words, declared, self.learned_[column], Place(name, column), one_hot=False)
            if len(rows := np.flatnonzero((codes == 0) & (words != "").to_numpy())):
                found[column] = tuple(rows.tolist())
        return found

    @property
    def raw_columns(self) -> tuple[RawNumber, ...]:
        """What `numbers` makes of a row, in its order."""
        self._check_fitted()
        whole = self.layout == "columns"
        each = (raw_numbers(name, one, self.learned_[name], whole=whole) for name, one in self.declared_.items())
        return tuple(number for numbers in each for number in numbers)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the matrix; of a word's column as `region=coast`."""
        self._check_fitted()
        return tuple(
            name
            for column in self.declared_
            for name in feature_names(column, self.declared_[column], self.learned_[column])
        )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """Return `feature_names` as scikit-learn asks for them."""
        return np.array(self.feature_names, dtype=object)

    @property
    def width(self) -> int:
        """Number of columns of the matrix."""
        return len(self.feature_names)

    def to_dict(self) -> dict[str, Any]:
        """Return what was declared and learned as plain values for JSON."""
        self._check_fitted()
        return {
            "format": _FORMAT,
            "layout": self.layout,
            "missing": None if self.missing is None else list(self.missing),
            "columns": {
                name: {**declared.to_dict(), **self.learned_[name].to_dict()}
                for name, declared in self.declared_.items()
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoder that `to_dict` described.

        Raises:
            DataError: It was written by a later version, or is not of an encoder.
        """
        if values.get("format") != _FORMAT or not isinstance(values.get("columns"), Mapping):
            raise DataError(
                f"This is no table encoder of format {_FORMAT}: it has the format {values.get('format')!r}; take the "
                "version of gengap that wrote it."
            )
        columns = values["columns"]
        made = cls(
            {name: DeclaredColumn.from_dict(one) for name, one in columns.items()},
            layout=values["layout"],
            missing=values["missing"],
        )
        made.declared_ = dict(made.columns or {})
        made.learned_ = {name: Learned.from_dict(one) for name, one in columns.items()}
        return made

    def to_json(self) -> str:
        """Return `to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the encoder that `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    def _check_fitted(self) -> None:
        if not hasattr(self, "learned_"):
            raise DataError("This table encoder has learned nothing yet: call `fit` with the training rows first.")

    def _typed(self, frame: "pd.DataFrame", name: str) -> "pd.DataFrame":
        if absent := [column for column in self.declared_ if column not in frame]:
            shown = ", ".join(map(str, frame.columns))
            raise DataError(f"{name} has no column {absent[0]!r}, which the encoder needs; its columns are {shown}.")
        return _typed(frame[list(self.declared_)], self.missing, name, self.declared_)


def _typed(
    frame: "pd.DataFrame",
    missing: Sequence[str] | None,
    name: str = "the table",
    declared: Mapping[str, DeclaredColumn] | None = None,
) -> "pd.DataFrame":
    """Read the columns as what they are, or as what was declared where a few rows do not show it."""
    import pandas as pd

    kinds = {column: one.kind for column, one in (declared or {}).items()}
    return pd.DataFrame(
        {column: _as_declared(frame[column], kinds.get(str(column)), missing, name) for column in frame}
    )


def _as_declared(column: "pd.Series", kind: str | None, missing: Sequence[str] | None, name: str) -> "pd.Series":
    """Read a column; digits alone may be words, and marks alone missing numbers."""
    if kind == "words":
        return as_words(column, missing)
    found = typed(column, Place(name, str(column.name)), missing)
    alone = kind is not None and found.dtype.kind == "O" and found.isin(MARKS).all()
    return found.mask(found != "", "") if alone else found
