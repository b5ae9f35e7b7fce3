"""Forest plot of a comparison: every variant's difference from the baseline with its simultaneous interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gengap.analysis.findings.wording import GIVEN
from gengap.plots.style import COLOURS, INK, REFERENCE, axes_for, literal, shortened, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.analysis import Comparison, Contrast
    from gengap.verification.inputs import Floats

_LOOKS = {
    "better": (COLOURS[2], "o"),
    "worse": (COLOURS[1], "X"),
    "equivalent": (COLOURS[0], "s"),
    "cannot say": (REFERENCE, "D"),
}
"""Colour and marker of each verdict: either is enough to tell them apart."""


@dataclass(frozen=True, eq=False)
class ComparisonDisplay:
    """Differences of variants from a baseline.

    Attributes:
        data: The contrasts, the first at the top.
        descriptive: The same at the other epoch rule, drawn pale; empty leaves them out.
        baseline: Name of the baseline.
        score: The score that is compared.
        larger_is_better: Orientation of the score.
        confidence: With which probability all intervals hold at once.
        given: For which training sets.
    """

    data: tuple["Contrast", ...]
    descriptive: tuple["Contrast", ...]
    baseline: str
    score: str
    larger_is_better: bool
    confidence: float
    given: str = GIVEN

    @classmethod
    def from_comparison(
        cls, comparison: "Comparison", *, descriptive: bool = False, ax: "Axes | None" = None
    ) -> "ComparisonDisplay":
        """Take the contrasts of a comparison.

        Args:
            comparison: What `gengap.compare(result)` returns.
            descriptive: Whether to draw the other epoch rule too.
            ax: Axes to draw on at once; None draws nothing yet.
        """
        display = cls(
            comparison.contrasts,
            comparison.descriptive if descriptive else (),
            comparison.baseline,
            comparison.score,
            comparison.larger_is_better,
            comparison.confidence,
            comparison.given,
        )
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw one line per variant; verdicts stand beside their names.

        Args:
            ax: Axes to draw on; None makes new ones, high enough for all variants.
        """
        with style():
            ax = axes_for(ax, figsize=(6.4, 1.3 + 0.42 * len(self.data)))
            ax.axvline(0, color=INK, linewidth=0.9)
            rows = np.arange(len(self.data), dtype=np.float64)
            _draw(ax, self.data, rows, 1.0)
            _draw(ax, self.descriptive, rows + 0.25, 0.4)
            names = shortened(one.variant for one in self.data)
            ax.set_yticks(rows, [f"{names[one.variant]}\n{one.verdict.kind}" for one in self.data])
            ax.set_ylim(len(self.data) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
            ax.spines["left"].set_visible(False)
            better = "larger" if self.larger_is_better else "smaller"
            sides = "← worse · better →" if self.larger_is_better else "← better · worse →"
            of = f"{self.score.replace('_', ' ').capitalize()} minus that of {literal(self.baseline)}"
            ax.set_xlabel(f"{of} ({better} is better)\n{sides}")
            together = f"Simultaneous intervals of {100 * self.confidence:.4g} %, {self.given}"
            ax.set_title(together, fontsize=9, color=REFERENCE)
        return ax


def _draw(ax: "Axes", contrasts: Sequence["Contrast"], rows: "Floats", alpha: float) -> None:
    for row, one in zip(rows, contrasts, strict=False):
        colour, marker = _LOOKS[one.verdict.kind]
        ax.plot([one.low, one.high], [row, row], color=colour, linewidth=2, alpha=alpha, solid_capstyle="butt")
        ax.plot(one.difference, row, marker=marker, color=colour, markeredgecolor="white", markersize=8, alpha=alpha)
