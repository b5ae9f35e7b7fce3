"""Named dims in, named dims out: scores of labelled arrays without this room knowing xarray.

The rule: the dims of the observations are the cases and disappear; every other dim of the forecasts is kept, except
the one that a score consumes (`label`, `member`, `quantile`). So `brier_score(y_true["sample"],
prediction["variant", "seed", "sample"])` has dims `variant, seed`. A slice with a NaN forecast of an observed case
scores NaN, as a diverged run should.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, cast, runtime_checkable

import numpy as np

from gengap.errors import DataError

P = ParamSpec("P")


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


def keeps_dims(*consumed: str) -> Callable[[Callable[P, float]], Callable[P, float]]:
    """Let a score of arrays also take labelled arrays.

    Args:
        *consumed: Names of the forecasts' dims, besides the cases, that the score itself reduces.
    """

    def decorate(score: Callable[P, float]) -> Callable[P, float]:
        @wraps(score)
        def scored(*args: P.args, **kwargs: P.kwargs) -> float:
            y_true, y_pred = args
            if not isinstance(y_pred, Labelled):
                return score(*args, **kwargs)
            if not isinstance(y_true, Labelled):
                raise DataError("`y_true` must have named dims where the forecasts have them: they say what a case is")
            return cast("float", _over_slices(partial(score, **_flat(kwargs, y_true.dims)), y_true, y_pred, consumed))

        return scored

    return decorate


def _over_slices(
    score: Callable[..., float],
    y_true: Labelled,
    y_pred: Labelled,
    consumed: tuple[str, ...],
) -> Any:
    case_dims = y_true.dims
    if missing := [dim for dim in case_dims if dim not in y_pred.dims]:
        raise DataError(f"the forecasts lack the dims {missing} of `y_true`; they have {list(y_pred.dims)}")
    _same_coordinates(y_true, y_pred)
    inner = [dim for dim in y_pred.dims if dim in consumed]
    kept = [dim for dim in y_pred.dims if dim not in case_dims and dim not in consumed]
    ordered = y_pred.transpose(*kept, *case_dims, *inner)
    shape = [ordered.sizes[dim] for dim in kept]
    observed = np.asarray(y_true.values).reshape(-1)
    slices = np.asarray(ordered.values).reshape(-1, len(observed), *[ordered.sizes[dim] for dim in inner])
    results = [np.nan if _missing(observed, part) else score(observed, part) for part in slices]
    template = ordered.isel(dict.fromkeys([*case_dims, *inner], 0), drop=True)
    return template.copy(data=np.reshape(np.asarray(results, dtype=np.float64), shape))


def _same_coordinates(y_true: Labelled, y_pred: Labelled) -> None:
    for dim in y_true.dims:
        here, there = y_true.indexes.get(dim), y_pred.indexes.get(dim)
        if y_true.sizes[dim] != y_pred.sizes[dim] or (
            here is not None and there is not None and not here.equals(there)
        ):
            raise DataError(f"observations and forecasts differ in the coordinates of `{dim}`; align them first")


def _flat(options: dict[str, Any], case_dims: tuple[str, ...]) -> dict[str, Any]:
    """Return the options with labelled arrays as plain ones; those over the cases, such as weights, in their order."""

    def plain(value: Any) -> Any:
        if not isinstance(value, Labelled):
            return value
        over_cases = set(value.dims) == set(case_dims)
        return np.asarray(value.transpose(*case_dims).values).reshape(-1) if over_cases else np.asarray(value.values)

    return {name: plain(value) for name, value in options.items()}


def _missing(observed: Any, part: Any) -> bool:
    absent = np.isnan(np.asarray(part, dtype=np.float64)).reshape(len(observed), -1).any(axis=1)
    return bool((absent & ~np.isnan(observed.astype(np.float64))).any())
