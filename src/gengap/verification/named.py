"""Named dims in, named dims out: scores of labelled arrays without this room knowing xarray.

The rule: the dims of the observations are the cases and disappear; every other dim of the forecasts is kept, except
the one that a score consumes (`label`, `member`, `bound`; observations of several targets have it, too). So
`brier_score(y_true["sample"], prediction["variant", "seed", "sample"])` has dims `variant, seed`, and where a function
returns several numbers, such as an `Estimate`, each of them does. Other labelled arguments (weights, a reference
forecast, a climatology for each variant) follow the dims that they share with the forecasts; what has only some of the
cases' dims, such as a weight for each latitude, holds along the others. A slice with a NaN or infinite forecast of an
observed case scores NaN, as a diverged run should.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

import numpy as np

from gengap.errors import DataError

P = ParamSpec("P")
R = TypeVar("R")


@runtime_checkable
class Labelled(Protocol):
    """The part of `xarray.DataArray` that is used here."""

    dims: tuple[str, ...]
    indexes: Any
    sizes: Any
    values: Any

    def transpose(self, *dims: str) -> "Labelled":
        """Return the array with its dims in this order."""

    def isel(self, indexers: Any, *, drop: bool) -> "Labelled":
        """Return the array at these positions."""

    def copy(self, *, data: Any) -> "Labelled":
        """Return the array with other values."""


def keeps_dims(*consumed: str, infinite: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function of observations and forecasts, its first two arguments, also take labelled arrays.

    Args:
        *consumed: Names of the forecasts' dims, besides the cases, that the function itself reduces.
        infinite: Whether infinite forecasts have a score (only their order counts).
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = list(inspect.signature(function).parameters)
        returned = inspect.signature(function).return_annotation

        @wraps(function)
        def scored(*args: P.args, **kwargs: P.kwargs) -> R:
            given = dict(zip(names, args, strict=False)) | kwargs
            y_true, y_pred = given.get(names[0]), given.get(names[1])
            if not isinstance(y_pred, Labelled):
                return function(*args, **kwargs)
            if not isinstance(y_true, Labelled):
                raise DataError("`y_true` must have named dims where the forecasts have them: they say what a case is")
            others = {name: value for name, value in given.items() if name not in names[:2]}
            slices = _Slices(y_true, y_pred, consumed, infinite=infinite)
            results = [
                None if forecast is None else function(slices.observed, forecast, **options)  # type: ignore[arg-type]
                for forecast, options in slices.walk(others)
            ]
            if returned is not float and all(one is None for one in results):
                raise DataError("every slice of the forecasts holds a NaN or infinite forecast of an observed case")
            return cast("R", _gathered(results, slices.template))

        return scored

    return decorate


class _Slices:
    """The forecasts of one run after another, as plain arrays over the cases."""

    def __init__(self, y_true: Labelled, y_pred: Labelled, consumed: Sequence[str], *, infinite: bool) -> None:
        if missing := [dim for dim in y_true.dims if dim not in y_pred.dims]:
            raise DataError(f"the forecasts lack the dims {missing} of `y_true`; they have {list(y_pred.dims)}")
        _same_coordinates(y_true, y_pred)
        self.cases = tuple(dim for dim in y_true.dims if dim not in consumed) or tuple(y_true.dims)
        self.case_sizes = [y_pred.sizes[dim] for dim in self.cases]
        self.y_pred, self.infinite = y_pred, infinite
        self.inner = [dim for dim in y_pred.dims if dim in consumed and dim not in self.cases]
        self.kept = [dim for dim in y_pred.dims if dim not in self.cases and dim not in consumed]
        targets = [dim for dim in self.inner if dim in y_true.dims]
        ordered = np.asarray(y_true.transpose(*self.cases, *targets).values)
        self.observed = ordered.reshape(math.prod(self.case_sizes), *[y_true.sizes[dim] for dim in targets])
        self.template = y_pred.transpose(*self.kept, *self.cases, *self.inner).isel(
            dict.fromkeys([*self.cases, *self.inner], 0), drop=True
        )

    def walk(self, others: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield the forecasts of each slice, None where one of them is missing, and its other arguments."""
        for value in others.values():
            if isinstance(value, Labelled):
                _same_coordinates(value, self.y_pred, only_shared=True)
        ordered = self.y_pred.transpose(*self.kept, *self.cases, *self.inner)
        sizes = [ordered.sizes[dim] for dim in self.inner]
        every = np.asarray(ordered.values).reshape(-1, len(self.observed), *sizes)
        for forecast, place in zip(every, np.ndindex(*[ordered.sizes[dim] for dim in self.kept]), strict=True):
            at = dict(zip(self.kept, place, strict=True))
            options = {name: self._flat(value, at) for name, value in others.items()}
            yield None if self._missing(forecast) else forecast, options

    def _flat(self, value: Any, at: dict[str, int]) -> Any:
        """Return an argument as the plain one of a slice; what has one entry per case in the order of the cases."""
        if not isinstance(value, Labelled):
            return value
        here = value.isel({dim: i for dim, i in at.items() if dim in value.dims}, drop=True)
        shared = [dim for dim in self.cases if dim in here.dims]
        if not shared:
            return np.asarray(here.values)
        rest = [dim for dim in here.dims if dim not in self.cases]
        sizes = [here.sizes[dim] for dim in rest]
        along = [here.sizes[dim] if dim in shared else 1 for dim in self.cases]
        values = np.asarray(here.transpose(*shared, *rest).values).reshape(*along, *sizes)
        return np.broadcast_to(values, (*self.case_sizes, *sizes)).reshape(len(self.observed), *sizes)

    def _missing(self, forecast: Any) -> bool:
        values = np.asarray(forecast, dtype=np.float64).reshape(len(self.observed), -1)
        absent = (np.isnan(values) if self.infinite else ~np.isfinite(values)).any(axis=1)
        unknown = np.isnan(self.observed.astype(np.float64).reshape(len(values), -1)).any(axis=1)
        return bool((absent & ~unknown).any())


def _same_coordinates(one: Labelled, y_pred: Labelled, *, only_shared: bool = False) -> None:
    for dim in one.dims:
        if only_shared and dim not in y_pred.dims:
            continue
        here, there = one.indexes.get(dim), y_pred.indexes.get(dim)
        if one.sizes[dim] != y_pred.sizes[dim] or (here is not None and there is not None and not here.equals(there)):
            raise DataError(f"observations and forecasts differ in the coordinates of `{dim}`; align them first")


def _gathered(results: Sequence[Any], template: Labelled) -> Any:
    """Return the results of all slices as one: a labelled array, or a record of such; None has become NaN."""
    first: Any = next((one for one in results if one is not None), np.nan)
    if is_dataclass(first) and not isinstance(first, type):
        parts = {
            field.name: _gathered([one if one is None else getattr(one, field.name) for one in results], template)
            for field in fields(first)
        }
        return type(first)(**parts)
    if isinstance(first, str):
        return first
    if np.ndim(first):
        raise DataError("forecasts with named dims give one number for each slice; ask for one threshold at a time")
    values = np.asarray([np.nan if one is None else one for one in results], dtype=np.float64)
    return template.copy(data=values.reshape(np.shape(template.values)))
