"""The predictive distribution of a case: a histogram of its members with deterministic, mean and median forecast."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.plots.style import COLOURS, INK, axes_for, literal, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BIN = 0.05
_BAR = "#B8CFE0"


@dataclass(frozen=True, eq=False)
class PredictiveDistributionDisplay:
    """Histogram of the members of one case, with three lines.

    Attributes:
        data: Members of the case, `(members,)`.
        edges: Edges of the bins.
        deterministic: Forecast without noise.
        mean: Mean of the members.
        median: Their median.
        xlabel: What is forecast.
        title: Which case.
    """

    data: NDArray[np.float64]
    edges: NDArray[np.float64]
    deterministic: float
    mean: float
    median: float
    xlabel: str
    title: str

    @classmethod
    def from_distribution(
        cls,
        distribution: PredictiveDistribution,
        *,
        sample: int = 0,
        label: Any = None,
        xlabel: str | None = None,
        title: str = "",
    ) -> "PredictiveDistributionDisplay":
        """Take one case of a distribution.

        Args:
            distribution: The distribution.
            sample: Position of the case.
            label: Label or target; None takes the only one, or that of the largest mean.
            xlabel: What is forecast; None says probability or forecast.
            title: Title of the panel.
        """
        one = distribution.select(sample)
        members, deterministic = one.members.isel(sample=0), one.deterministic.isel(sample=0)
        if "label" in members.dims:
            label = members["label"].values[int(np.argmax(one.mean.values[0]))] if label is None else label
            members, deterministic = members.sel(label=label), deterministic.sel(label=label)
        values = members.values.astype(np.float64)
        real = distribution.task == "regression"
        edges = np.histogram_bin_edges(values, 30) if real else np.linspace(0, 1, round(1 / _BIN) + 1)
        name = xlabel or (
            "Forecast" if real else "Probability" + ("" if label is None else f" of {literal(str(label))}")
        )
        median = float(np.median(values))
        return cls(values, edges, float(deterministic), float(values.mean()), median, name, title)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the histogram as a density, with the deterministic, the mean and the median forecast.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(5.2, 3.6))
            ax.hist(self.data, bins=list(self.edges), density=True, color=_BAR, edgecolor="white", linewidth=0.6)
            for value, name, colour, line in (
                (self.deterministic, "Deterministic", COLOURS[1], "-"),
                (self.mean, "Mean", INK, "--"),
                (self.median, "Median", COLOURS[3], ":"),
            ):
                ax.axvline(value, color=colour, linestyle=line, linewidth=2, label=f"{name} {value:.3g}")
            ax.set_xlim(self.edges[0], self.edges[-1])
            ax.set_xlabel(self.xlabel)
            ax.set_ylabel("Density")
            ax.set_title(self.title)
            ax.legend()
        return ax
