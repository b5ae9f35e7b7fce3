"""One forecast or several by name: what the Displays of verification accept."""

from collections.abc import Mapping

from numpy.typing import ArrayLike

Forecasts = ArrayLike | Mapping[str, ArrayLike]
"""Forecasts of one model, or a mapping from names to forecasts of the same cases."""


def by_name(y_prob: Forecasts) -> dict[str, ArrayLike]:
    """Return forecasts by name; a single one has the empty name and no entry in the legend."""
    return dict(y_prob) if isinstance(y_prob, Mapping) else {"": y_prob}
