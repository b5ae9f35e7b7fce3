"""Spread-skill diagram: error in classes of spread; on the diagonal the spread is right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gengap.plots.names import Forecasts, by_name
from gengap.plots.style import INK, appearance, axes_for, key, room_for_key, shortened, style
from gengap.verification import SpreadSkillCurve, spread_skill_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.analysis.uncertainty import RegressionUncertainty


@dataclass(frozen=True, eq=False)
class SpreadSkillDisplay:
    """Spread-skill curves of one or several ensembles.

    Attributes:
        data: The curves, by name.
        units: Units of spread and error, or the empty string.
    """

    data: Mapping[str, SpreadSkillCurve]
    units: str

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_ensemble: Forecasts,
        *,
        bins: int = 10,
        units: str = "",
        ax: "Axes | None" = None,
    ) -> "SpreadSkillDisplay":
        """Compute error in classes of spread.

        Args:
            y_true: Observations, shape `(n,)`.
            y_ensemble: Members, shape `(n, members)`; or a mapping from names to such.
            bins: Number of bins of equally many cases.
            units: Units of the observations, for the axes.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid, or there are fewer than two members.
        """
        display = cls(
            {name: spread_skill_curve(y_true, members, bins=bins) for name, members in by_name(y_ensemble).items()},
            units,
        )
        if ax is not None:
            display.plot(ax)
        return display

    @classmethod
    def from_uncertainty(
        cls, uncertainty: "RegressionUncertainty | Mapping[str, RegressionUncertainty]", *, ax: "Axes | None" = None
    ) -> "SpreadSkillDisplay":
        """Take the curve of a judged regression, or of several by name.

        Args:
            uncertainty: What `regression_uncertainty` returned; or a mapping from names to such.
            ax: Axes to draw on at once; None draws nothing yet.
        """
        named = uncertainty if isinstance(uncertainty, Mapping) else {"": uncertainty}
        display = cls({name: one.spread_skill for name, one in named.items()}, "")
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves and the diagonal.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(4.6, 4.4 + room_for_key(self.data)))
            largest = 1.05 * max(float(np.max([curve.spread, curve.error])) for curve in self.data.values())
            ax.plot([0, largest], [0, largest], color=INK, linewidth=0.9)
            short = shortened(self.data)
            for index, (name, curve) in enumerate(self.data.items()):
                text = f"SSRAT {curve.ratio:.2f}, SSREL {curve.reliability:.3g}"
                ax.plot(
                    curve.spread,
                    curve.error,
                    **appearance(index, marker=True),
                    markeredgecolor="white",
                    label=f"{short[name]}: {text}" if name else text,
                )
            unit = f" ({self.units})" if self.units else ""
            ax.set(
                xlim=(0, largest),
                ylim=(0, largest),
                xlabel=f"Mean spread{unit}",
                ylabel=f"Root-mean-square error{unit}",
            )
            ax.set_aspect("equal", adjustable="box")
            key(ax)
        return ax
