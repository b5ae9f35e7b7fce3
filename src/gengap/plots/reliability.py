"""CORP reliability diagram (Dimitriadis et al. 2021): isotonic curve, consistency band, parts of the score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from gengap.plots.style import COLOURS, INK, REFERENCE, axes_for, key, square_probability_axes, style
from gengap.verification import CorpDecomposition, ReliabilityCurve, corp_decomposition, reliability_curve
from gengap.verification.inputs import Floats, binary_cases

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_FEW = 25
"""Up to so many distinct forecasts are drawn as points."""


@dataclass(frozen=True, eq=False)
class ReliabilityDisplay:
    """Reliability of one forecast.

    Attributes:
        data: The curve with its consistency band.
        parts: Miscalibration, discrimination and uncertainty of the Brier score.
        forecasts: The forecasts themselves, for the histogram at the foot, shape `(n,)`.
    """

    data: ReliabilityCurve
    parts: CorpDecomposition
    forecasts: Floats

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        level: float = 0.95,
        coverage: Literal["pointwise", "simultaneous"] = "pointwise",
        seed: int = 0,
        ax: "Axes | None" = None,
    ) -> "ReliabilityDisplay":
        """Compute the curve, its band and the decomposition.

        Args:
            y_true: 0/1, shape `(n,)`.
            y_prob: Probability of label 1, shape `(n,)`.
            level: Coverage of the consistency band, for independent cases.
            coverage: At each forecast by itself, or everywhere at once.
            seed: Fixes the draws behind the band.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid.
        """
        display = cls(
            reliability_curve(y_true, y_prob, level=level, coverage=coverage, seed=seed),
            corp_decomposition(y_true, y_prob),
            binary_cases(y_true, y_prob).forecast,
        )
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw curve, band, histogram and the parts of the Brier score.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(4.8, 4.8))
            curve = self.data
            few = len(curve.forecast) <= _FEW
            ax.fill_between(curve.forecast, curve.low, curve.high, color=REFERENCE, alpha=0.22, linewidth=0,
                            label=f"{curve.level:.0%} consistency band ({curve.coverage})")  # fmt: skip
            ax.plot([0, 1], [0, 1], color=INK, linewidth=0.9)
            if few:  # a band of some values only: each has its own bar, and its own point
                ax.vlines(curve.forecast, curve.low, curve.high, color=REFERENCE, alpha=0.35, linewidth=4)
            ax.plot(curve.forecast, curve.frequency, color=COLOURS[1], marker="o" if few else None,
                    label="Recalibrated forecast", clip_on=False, zorder=3)  # fmt: skip
            share, edges = np.histogram(self.forecasts, bins=25, range=(0, 1))
            ax.stairs(0.14 * share / share.max(), edges, color=REFERENCE, fill=True, alpha=0.45)
            parts = self.parts
            ax.text(
                0.04,
                0.97,
                f"Brier score  {parts.score:.4f}\nMCB  {parts.miscalibration:.4f}\nDSC  {parts.discrimination:.4f}\n"
                f"UNC  {parts.uncertainty:.4f}",
                ha="left",
                va="top",
                fontsize=8.5,
                linespacing=1.35,
            )
            square_probability_axes(ax, xlabel="Forecast probability", ylabel="Conditional event probability")
            key(ax)
        return ax
