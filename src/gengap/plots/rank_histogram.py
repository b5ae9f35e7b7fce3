"""Rank and PIT histograms of ensembles and predictive distributions; flat is calibrated."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gengap.plots.style import COLOURS, INK, REFERENCE, axes_for, style
from gengap.verification import PitHistogram, RankHistogram, ensemble_pit, pit_histogram, rank_histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class RankHistogramDisplay:
    """Rank histogram of an ensemble.

    Attributes:
        data: Counts by rank, with the consistency band of a reliable ensemble.
    """

    data: RankHistogram

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_ensemble: ArrayLike, *, level: float = 0.95, ax: "Axes | None" = None
    ) -> "RankHistogramDisplay":
        """Count ranks.

        Args:
            y_true: Observations, shape `(n,)`.
            y_ensemble: Members, shape `(n, members)`.
            level: Pointwise coverage of the consistency band.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid.
        """
        display = cls(rank_histogram(y_true, y_ensemble, level=level))
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the counts over the band.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(4.8, 3.2))
            ranks = len(self.data.counts)
            _draw_flat(ax, (0.5, ranks + 0.5), self.data.counts.sum() / ranks, (self.data.low, self.data.high))
            ax.bar(np.arange(1, ranks + 1), self.data.counts, width=0.8, color=COLOURS[0], alpha=0.75, zorder=2)
            ax.set(xlim=(0.5, ranks + 0.5), xlabel="Rank of the observation", ylabel="Cases")
            ax.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
            _title(ax, f"Band: {self.data.level:.0%} of each bar, if reliable")
        return ax


@dataclass(frozen=True, eq=False)
class PitDisplay:
    """Histogram of the probability integral transform.

    Attributes:
        data: Shares by bin with their consistency band, and the distance from flat (PITD).
    """

    data: PitHistogram

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_ensemble: ArrayLike,
        *,
        bins: int = 10,
        level: float = 0.95,
        ax: "Axes | None" = None,
    ) -> "PitDisplay":
        """Transform observations by their ensembles and count.

        Args:
            y_true: Observations, shape `(n,)`.
            y_ensemble: Members, shape `(n, members)`.
            bins: Number of equal bins.
            level: Pointwise coverage of the consistency band.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid.
        """
        display = cls(pit_histogram(ensemble_pit(y_true, y_ensemble), bins=bins, level=level))
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the shares over the band.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(4.8, 3.2))
            found = self.data
            _draw_flat(ax, (0, 1), 1 / len(found.frequency), (found.low, found.high))
            ax.stairs(found.frequency, found.edges, fill=True, color=COLOURS[0], alpha=0.75, zorder=2)
            ax.set(xlim=(0, 1), xlabel="Probability integral transform", ylabel="Share of cases")
            _title(ax, f"PITD {found.deviation:.4f} (by chance alone {found.expected_deviation:.4f})")
        return ax


def _draw_flat(ax: "Axes", x: tuple[float, float], flat: float, ends: tuple[float, float]) -> None:
    ax.fill_between(x, *ends, color=REFERENCE, alpha=0.35, linewidth=0, zorder=3)
    ax.plot(x, [flat, flat], color=INK, linewidth=0.9, zorder=4)


def _title(ax: "Axes", text: str) -> None:
    ax.set_title(text, fontsize=9)
