"""The predictive distribution of one case: a histogram of its members with deterministic, mean and median forecast."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gengap.plots.style import COLOURS, INK, axes_for, style
from gengap.verification.inputs import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.sampling import PredictiveDistribution

_RED, _BLACK, _PURPLE = COLOURS[1], INK, COLOURS[3]


@dataclass(frozen=True, eq=False)
class PredictiveDistributionDisplay:
    """Members of one case and the three forecasts that can be made of them.

    Attributes:
        data: The members, shape `(members,)`.
        edges: Edges of the histogram's bins: .05 wide from 0 to 1 for probabilities.
        deterministic: Forecast without noise.
        mean: Mean of the members.
        median: Median of the members.
        xlabel: What is forecast.
    """

    data: Floats
    edges: Floats
    deterministic: float
    mean: float
    median: float
    xlabel: str

    @classmethod
    def from_distribution(
        cls,
        distribution: "PredictiveDistribution",
        *,
        sample: int = 0,
        label: int | None = None,
        xlabel: str | None = None,
        ax: "Axes | None" = None,
    ) -> "PredictiveDistributionDisplay":
        """Take one case.

        Args:
            distribution: The distribution of some cases.
            sample: Position of the case.
            label: Position of the label (or target); None takes label 1 of a binary task, the likeliest of several.
            xlabel: What is forecast, for the axis.
            ax: Axes to draw on at once; None draws nothing yet.
        """
        members, deterministic = (
            distribution.members.isel(sample=sample),
            distribution.deterministic.isel(sample=sample),
        )
        if "label" in members.dims:
            chosen = int(members.mean("member").argmax("label")) if label is None else label
            members, deterministic = members.isel(label=chosen), deterministic.isel(label=chosen)
        values: NDArray[np.float64] = members.to_numpy().astype(np.float64)
        probability = distribution.task != "regression"
        edges = np.linspace(0, 1, 21) if probability else np.histogram_bin_edges(values, bins=20)
        display = cls(
            values,
            edges,
            float(deterministic),
            float(values.mean()),
            float(np.median(values)),
            xlabel or ("Forecast probability" if probability else "Forecast"),
        )
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the histogram as a density, and the three forecasts as lines of different kinds.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(5.2, 3.4))
            density = np.histogram(self.data, self.edges, density=True)[0]
            ax.stairs(density, self.edges, fill=True, color=COLOURS[5], alpha=0.5)
            ax.stairs(density, self.edges, color=COLOURS[0], linewidth=0.9)
            lines = (
                ("Deterministic", self.deterministic, _RED, "--"),
                ("Mean", self.mean, _BLACK, "-"),
                ("Median", self.median, _PURPLE, ":"),
            )
            for name, at, colour, line in lines:
                ax.axvline(at, color=colour, linestyle=line, linewidth=1.8, label=f"{name} {at:.3g}")
            ax.set(xlim=(self.edges[0], self.edges[-1]), xlabel=self.xlabel, ylabel="Density")
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=3)
        return ax
