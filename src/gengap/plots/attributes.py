"""Attributes diagram (Hsu and Murphy 1986): reliability, resolution and skill in one picture, over bins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gengap.plots.names import Forecasts, by_name
from gengap.plots.style import (
    COLOURS,
    INK,
    REFERENCE,
    appearance,
    axes_for,
    key,
    room_for_key,
    shortened,
    square_probability_axes,
    style,
)
from gengap.verification import ReliabilityBins, consistency_bars, reliability_bins
from gengap.verification.inputs import Floats
from gengap.verification.plain import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_FEW = 10
"""Bins of fewer cases than this are drawn pale, off the line."""


@dataclass(frozen=True, eq=False)
class AttributesDisplay:
    """Attributes of one or several forecasts.

    Attributes:
        data: Mean forecast, event frequency and weight of each bin, by name.
        bars: Ends of the frequencies that calibrated forecasts would show, pointwise, by name.
        base_rate: Share of events: climatology.
        level: Coverage of each bar.
    """

    data: Mapping[str, ReliabilityBins]
    bars: Mapping[str, tuple[Floats, Floats]]
    base_rate: float
    level: float

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: Forecasts,
        *,
        bins: ArrayLike = 10,
        level: float = 0.95,
        ax: "Axes | None" = None,
    ) -> "AttributesDisplay":
        """Put forecasts and outcomes into bins.

        Args:
            y_true: 0/1, shape `(n,)`. Labels of a multiclass task have their own climatology: one diagram each.
            y_prob: Probability of label 1, shape `(n,)`; or a mapping from names to such.
            bins: Number of equally wide bins, or their edges.
            level: Coverage of each consistency bar, for independent cases.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid, or the edges do not ascend and cover the forecasts.
        """
        data = {name: reliability_bins(y_true, p, bins=bins) for name, p in by_name(y_prob).items()}
        bars = {name: consistency_bars(table, level=level) for name, table in data.items()}
        display = cls(data, bars, float(np.nanmean(numbers(y_true, "y_true"))), level)
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the diagram, and below it how often each probability was forecast.

        Inside the shaded area a bin adds to the Brier skill against this climatology; on the no-skill line, halfway
        between climatology and the diagonal, it neither adds nor takes.

        Args:
            ax: Axes to draw on; None makes new ones. The histogram hangs below them.
        """
        with style():
            names = shortened(self.data)
            ax = axes_for(ax, figsize=(4.8, 5.8 + room_for_key(names.values(), inside=True)))
            self._draw_background(ax)
            for index, (name, table) in enumerate(self.data.items()):
                look = appearance(index, marker=True)
                filled, few = table.weight > 0, (table.weight > 0) & (table.weight < _FEW)
                low, high = self.bars[name]
                for x, ends in zip(table.forecast[filled], np.column_stack([low, high])[filled], strict=True):
                    ax.plot([x, x], ends, color=look["color"], linewidth=4, alpha=0.2, solid_capstyle="butt", zorder=2)
                points = {**look, "linestyle": "", "markeredgecolor": "white", "clip_on": False}
                label = names[name] or None
                ax.plot(table.forecast[filled], table.frequency[filled], **points, label=label, zorder=3)
                # a bin of few cases may lie anywhere: its point is pale, and the line passes it by
                enough = filled & ~few
                ax.plot(table.forecast[enough], table.frequency[enough], **look | {"marker": ""}, zorder=2.9)
                pale = points | {"color": "white", "alpha": 0.65}
                ax.plot(table.forecast[few], table.frequency[few], **pale, zorder=3.1)
            square_probability_axes(ax, ylabel="Observed relative frequency")
            key(ax, inside="upper left", below=-0.52)
            self._draw_histogram(ax)
        return ax

    def _draw_background(self, ax: "Axes") -> None:
        c, x = self.base_rate, np.array([0.0, self.base_rate, 1.0])
        no_skill = (x + c) / 2
        # skill where the frequency lies on the forecast's side of the no-skill line
        ax.fill_between(x[:2], 0, no_skill[:2], color=COLOURS[2], alpha=0.10, linewidth=0)
        ax.fill_between(x[1:], no_skill[1:], 1, color=COLOURS[2], alpha=0.10, linewidth=0)
        ax.plot([0, 1], [0, 1], color=INK, linewidth=0.9)
        ax.plot(x, no_skill, color=REFERENCE, linewidth=0.9, linestyle="--")
        ax.axhline(c, color=REFERENCE, linewidth=0.9, linestyle=":")
        ax.axvline(c, color=REFERENCE, linewidth=0.9, linestyle=":")
        ends = {"No skill": (1 + c) / 2, "Climatology": c, "Perfect": 1.0}
        for text, y in ends.items():
            ax.annotate(text, (1, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8,
                        color=INK if text == "Perfect" else REFERENCE, annotation_clip=False)  # fmt: skip

    def _draw_histogram(self, ax: "Axes") -> None:
        below = ax.inset_axes((0.0, -0.36, 1.0, 0.24), sharex=ax)
        ax.tick_params(labelbottom=False)
        for index, table in enumerate(self.data.values()):
            look = appearance(index)
            share = table.weight / table.weight.sum()
            below.stairs(
                share, table.edges, color=look["color"], linestyle=look["linestyle"], fill=False, linewidth=1.4
            )
        shares = np.concatenate([table.weight / table.weight.sum() for table in self.data.values()])
        if shares.max() > 20 * shares[shares > 0].min():
            below.set_yscale("log")
        else:
            below.set_ylim(bottom=0)
        below.set(xlabel="Forecast probability", ylabel="Share", xlim=(0, 1))
