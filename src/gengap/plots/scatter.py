"""Forecast against outcome of a regression: every case a point, the diagonal, and the mean of what was observed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gengap.errors import DataError
from gengap.plots.style import COLOURS, INK, REFERENCE, axes_for, style
from gengap.verification.inputs import Floats
from gengap.verification.plain import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 3000
"""More points than this only blacken each other; an evenly spaced part of the cases is drawn."""


@dataclass(frozen=True, eq=False)
class ScatterDisplay:
    """Forecasts and outcomes of a regression.

    Attributes:
        y_true: Outcomes that are drawn, shape `(n,)`.
        data: Forecasts of the same cases, shape `(n,)`.
        mean: Mean of all outcomes: climatology.
        units: Units of both, for the axes.
    """

    y_true: Floats
    data: Floats
    mean: float
    units: str = ""

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_pred: ArrayLike, *, units: str = "", ax: "Axes | None" = None
    ) -> "ScatterDisplay":
        """Take the cases that are known on both sides.

        Args:
            y_true: Outcomes, shape `(n,)`. Cases where they or their forecasts are NaN are left out.
            y_pred: Forecasts, shape `(n,)`.
            units: Units of both, for the axes.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: Shapes differ, or no case is left.

        Example:
            >>> ScatterDisplay.from_predictions([1, 2, float("nan")], [1.5, 2, 3]).data
            array([1.5, 2. ])
        """
        observed, forecast = numbers(y_true, "y_true"), numbers(y_pred, "y_pred")
        if observed.ndim != 1 or observed.shape != forecast.shape:
            raise DataError(
                f"`y_true` and `y_pred` must both have shape (n,), got {observed.shape} and {forecast.shape}."
            )
        kept = np.flatnonzero(np.isfinite(observed) & np.isfinite(forecast))
        if not len(kept):
            raise DataError("No case is known in both `y_true` and `y_pred`.")
        drawn = kept[np.linspace(0, len(kept) - 1, min(len(kept), _MOST_POINTS)).astype(np.int64)]
        display = cls(observed[drawn], forecast[drawn], float(observed[kept].mean()), units)
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the points, the diagonal and the mean outcome.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(4.6, 4.6))
            ends = min(self.y_true.min(), self.data.min()), max(self.y_true.max(), self.data.max())
            room = 0.04 * ((ends[1] - ends[0]) or 1.0)
            limits = (ends[0] - room, ends[1] + room)
            ax.plot(limits, limits, color=INK, linewidth=0.9)
            ax.axhline(self.mean, color=REFERENCE, linewidth=0.9, linestyle=":", label="Mean outcome")
            ax.scatter(self.data, self.y_true, s=12, color=COLOURS[1], alpha=0.45, linewidths=0)
            unit = f" ({self.units})" if self.units else ""
            ax.set(xlim=limits, ylim=limits, xlabel=f"Forecast{unit}", ylabel=f"Outcome{unit}")
            ax.set_aspect("equal", adjustable="box")
            ax.legend(loc="upper left")
        return ax
