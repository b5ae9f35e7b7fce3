"""One forecast or several by name: what the Displays of verification accept."""

from collections.abc import Mapping

from numpy.typing import ArrayLike

from gengap.errors import DataError
from gengap.naming import check_names

Forecasts = ArrayLike | Mapping[str, ArrayLike]
"""Forecasts of one model, or a mapping from names to forecasts of the same cases."""
Observations = ArrayLike | Mapping[str, ArrayLike]
"""Observations of the cases, or a mapping from the forecasts' names to observations: one label against the rest."""


def by_name(y_prob: Forecasts) -> dict[str, ArrayLike]:
    """Return forecasts by name; a single one has the empty name and no entry in the legend.

    Raises:
        DataError: The mapping is empty, or its names cannot be drawn or told apart.
    """
    if not isinstance(y_prob, Mapping):
        return {"": y_prob}
    if not y_prob:
        raise DataError("there is nothing to draw: the mapping of names to forecasts is empty")
    if list(y_prob) == [""]:
        return {"": y_prob[""]}
    return dict(zip(check_names(y_prob, "forecasts"), y_prob.values(), strict=True))


def pairs_by_name(y_true: Observations, y_prob: Forecasts) -> dict[str, tuple[ArrayLike, ArrayLike]]:
    """Return observations and forecasts by name.

    Raises:
        DataError: Observations come by name, but not under the names of the forecasts.
    """
    forecasts = by_name(y_prob)
    if isinstance(y_true, Mapping):
        y_true = dict(zip(check_names(y_true, "observations"), y_true.values(), strict=True))
    else:
        return {name: (y_true, p) for name, p in forecasts.items()}
    if set(y_true) != set(forecasts):
        raise DataError(f"observations and forecasts need the same names, got {list(y_true)} and {list(forecasts)}")
    return {name: (y_true[name], p) for name, p in forecasts.items()}
