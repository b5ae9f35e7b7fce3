"""What is fitted to the training cases before a model sees any: a Keras layer, or a transformer of scikit-learn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy import sparse

from gengap.datasets.cases import count_cases
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Split
from gengap.errors import DataError

_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """A layer or transformer as it was given, of which copies are fitted.

    Attributes:
        given: A Keras layer with `adapt`, or what has `fit` and `transform`.
    """

    given: Any

    def check(self) -> None:
        """Check that it can be fitted to training cases.

        Raises:
            TypeError: It is neither a Keras layer with `adapt` nor a transformer of scikit-learn's kind.
        """
        if isinstance(self.given, keras.layers.Layer) and hasattr(self.given, "adapt"):
            return
        if not (hasattr(self.given, "fit") and hasattr(self.given, "transform")):
            raise TypeError(
                "`preprocess` must be a Keras layer with `adapt`, such as keras.layers.Normalization(axis=-1), or a "
                f"transformer of scikit-learn with `fit` and `transform`; received {type(self.given).__name__}."
            )

    def describe(self) -> str:
        """Return what is fitted, with its parameters; equal ones read alike in every session."""
        if not isinstance(self.given, keras.layers.Layer):
            return " ".join(repr(self.given).split())
        config = {name: value for name, value in self.given.get_config().items() if name not in {"name", "dtype"}}
        given = ", ".join(f"{name}={value!r}" for name, value in sorted(config.items()))
        return f"{type(self.given).__name__}({given})"

    def declared(self, x: Any) -> "Preprocessing":
        """Return what knows the columns of a table, though none of their values yet: then all folds have as many."""
        if hasattr(self.given, "declared") and hasattr(x, "iloc"):
            return Preprocessing(self.given.declared(x))
        return self

    def fitted(self, train: Split, kind: OutputKind) -> tuple[Any, Callable[[Any], Any]]:
        """Return a copy that is fitted to training cases, and what transforms inputs by it.

        Raises:
            DataError: It cannot be fitted.
        """
        if isinstance(train.x, Mapping | list | tuple):
            raise DataError("`preprocess` takes one array of inputs; with several, put layers into the model.")
        y = np.asarray(scored_answers(train.y, kind))
        try:
            layer = isinstance(self.given, keras.layers.Layer)
            return _adapted(self.given, train.x) if layer else _fit(self.given, train.x, y)
        except (ValueError, TypeError, RuntimeError) as error:
            raise DataError(
                f"`preprocess` ({self.describe()}) cannot be fitted to inputs of shape "
                f"{tuple(train.x.shape)}: {_first_line(error)}"
            ) from error


def _adapted(layer: keras.Layer, x: Any) -> tuple[Any, Callable[[Any], Any]]:
    own = type(layer).from_config(layer.get_config())
    own.adapt(x.toarray() if sparse.issparse(x) else x)

    def apply(values: Any) -> Any:
        parts = []
        for start in range(0, count_cases(values), _AT_ONCE):
            rows = values[start : start + _AT_ONCE]
            parts.append(keras.ops.convert_to_numpy(own(rows.toarray() if sparse.issparse(rows) else rows)))
        return np.concatenate(parts)

    return own, apply


def _fit(transformer: Any, x: Any, y: Any) -> tuple[Any, Callable[[Any], Any]]:
    from sklearn.base import clone  # it takes a moment, and most studies fit nothing

    own = clone(transformer)
    own.fit(x, y)
    return own, lambda values: _plain(own.transform(values))


def _plain(found: Any) -> Any:
    return found if sparse.issparse(found) else np.asarray(found)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
