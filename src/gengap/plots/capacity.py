"""A capacity ladder as a figure: score against number of parameters, with the search path."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from gengap.deprecated import old_attribute
from gengap.plots.style import COLOURS, REFERENCE, axes_for, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.analysis.decision.capacity import CapacityLadder
    from gengap.verification.inputs import Floats


@dataclass(frozen=True, eq=False)
class CapacityDisplay:
    """Rungs of a ladder.

    Attributes:
        data: For each rung, by size: parameters, mean score, and the half width of its 95 % interval over seeds.
        shapes: Hidden units of each rung.
        path: Places in `data` of the rungs on the search path, in order.
        chosen: Place of the rung that is kept.
        score: The score.
    """

    data: "Floats"
    shapes: tuple[str, ...]
    path: tuple[int, ...]
    chosen: int
    score: str

    climbed = old_attribute("gengap.plots.CapacityDisplay", "climbed")

    @classmethod
    def from_ladder(cls, ladder: "CapacityLadder", *, ax: "Axes | None" = None) -> "CapacityDisplay":
        """Take the rungs of a ladder.

        Args:
            ladder: What `gengap.capacity_ladder` returns.
            ax: Axes to draw on at once; None draws nothing yet.
        """
        rungs = sorted(ladder.rungs, key=lambda rung: rung.parameters)
        rows = []
        for rung in rungs:
            of_seeds = rung.values[np.isfinite(rung.values).all(axis=-1)].mean(axis=-1)
            n = len(of_seeds)
            half = float(stats.t.ppf(0.975, n - 1) * of_seeds.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
            rows.append((rung.parameters, float(of_seeds.mean()) if n else float("nan"), half))
        names = [rung.name for rung in rungs]
        path = tuple(names.index(name) for name in ladder.path)
        shapes = tuple(rung.shape for rung in rungs)
        display = cls(np.asarray(rows, dtype=np.float64), shapes, path, names.index(ladder.choice.name), ladder.score)
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the ladder; bars are 95 % intervals of each mean over seeds, wider than those of paired steps.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        from matplotlib.ticker import EngFormatter, LogLocator

        parameters, mean, half = self.data.T
        with style():
            ax = axes_for(ax, figsize=(6.4, 4.0))
            look: dict[str, Any] = {"color": REFERENCE, "markerfacecolor": "white", "zorder": 1}
            ax.errorbar(parameters, mean, half, fmt="o", label="tried", **look)
            way = list(self.path)
            ax.plot(parameters[way], mean[way], "o-", color=COLOURS[0], label="search path")
            at = self.chosen
            ax.plot(parameters[at], mean[at], "D", color=COLOURS[1], markersize=9, label="kept")
            for x, y, shape in zip(parameters, mean, self.shapes, strict=True):
                ax.annotate(shape, (x, y), xytext=(4, 6), textcoords="offset points", fontsize=8, rotation=50,
                            rotation_mode="anchor")  # fmt: skip
            ax.margins(x=0.08, y=0.15)
            ax.set_xscale("log")
            decades = np.log10(parameters.max() / parameters.min())
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1.5 else (1, 3) if decades < 3 else (1,)))
            ax.xaxis.set_major_formatter(EngFormatter(sep=""))
            ax.minorticks_off()
            ax.set_xlabel("Trainable parameters")
            ax.set_ylabel(f"Validation {self.score.replace('_', ' ')}")
            ax.legend()
        return ax
