"""Sharpness: how often each probability was forecast, for events and for non-events."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gengap.plots.style import COLOURS, REFERENCE, axes_for, style
from gengap.verification.inputs import Floats, binary_cases

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class SharpnessDisplay:
    """Histograms of forecast probabilities by outcome.

    Attributes:
        data: Number of cases in each bin, by `"event"` and `"no event"`, each of shape `(bins,)`.
        edges: Edges of the bins, shape `(bins + 1,)`.
        base_rate: Share of events.
    """

    data: Mapping[str, Floats]
    edges: Floats
    base_rate: float

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_prob: ArrayLike, *, bins: int = 20, ax: "Axes | None" = None
    ) -> "SharpnessDisplay":
        """Count forecasts in bins.

        Args:
            y_true: 0/1, shape `(n,)`.
            y_prob: Probability of label 1, shape `(n,)`.
            bins: Number of equally wide bins.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid.
        """
        valid = binary_cases(y_true, y_prob)
        edges = np.linspace(0.0, 1.0, bins + 1)
        counts = {
            name: np.histogram(valid.forecast[valid.observed == outcome], bins=edges)[0].astype(np.float64)
            for name, outcome in (("no event", 0), ("event", 1))
        }
        display = cls(counts, edges, float(valid.observed.mean()))
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw both histograms on a logarithmic scale, and the base rate.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(4.8, 3.2))
            for name, color, line in (("no event", COLOURS[0], "-"), ("event", COLOURS[1], "--")):
                ax.stairs(self.data[name], self.edges, color=color, linestyle=line, linewidth=1.6,
                          label=name.capitalize())  # fmt: skip
            ax.axvline(self.base_rate, color=REFERENCE, linewidth=0.9, linestyle=":", label="Base rate")
            ax.set(xlim=(0, 1), xlabel="Forecast probability", ylabel="Cases")
            ax.set_yscale("log")
            # an axis from 0 has no logarithm; one that ends below 10 has no ticks worth reading
            ax.set_ylim(0.7, 1.5 * max(8.0, *(float(counts.max()) for counts in self.data.values())))
            ax.yaxis.set_major_formatter("{x:,.0f}")
            ax.yaxis.set_minor_formatter("")
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), ncols=3)
        return ax
