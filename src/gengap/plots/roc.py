"""ROC curve: detection against false detection, with the area and a band."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from gengap.plots.names import Forecasts, Observations, pairs_by_name
from gengap.plots.style import (
    REFERENCE,
    appearance,
    axes_for,
    band,
    key,
    room_for_key,
    shortened,
    square_probability_axes,
    style,
)
from gengap.verification import Estimate, RocBand, RocCurve, roc_band, roc_curve, score_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class RocDisplay:
    """ROC curves of one or several forecasts.

    Attributes:
        data: The curves, by name.
        bands: Their pointwise confidence bands, by name.
        areas: Their areas with intervals, by name.
    """

    data: Mapping[str, RocCurve]
    bands: Mapping[str, RocBand]
    areas: Mapping[str, Estimate]

    @classmethod
    def from_predictions(
        cls,
        y_true: Observations,
        y_prob: Forecasts,
        *,
        groups: ArrayLike | None = None,
        level: float = 0.95,
        ax: "Axes | None" = None,
    ) -> "RocDisplay":
        """Compute curves, bands and areas.

        Args:
            y_true: 0/1, shape `(n,)`; or a mapping from the same names to such (one label against the rest).
            y_prob: Probability of label 1, shape `(n,)`; or a mapping from names to such.
            groups: Labels of groups of cases that are not independent, shape `(n,)`, or None.
            level: Pointwise coverage of bands and intervals.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid.
        """
        named = pairs_by_name(y_true, y_prob)
        display = cls(
            data={name: roc_curve(y, p) for name, (y, p) in named.items()},
            bands={name: roc_band(y, p, groups=groups, level=level) for name, (y, p) in named.items()},
            areas={
                name: score_interval(y, p, score="roc_auc", groups=groups, level=level)
                for name, (y, p) in named.items()
            },
        )
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves with their bands.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            labels = {name: self._label(name, short) for name, short in shortened(self.data).items()}
            ax = axes_for(ax, figsize=(4.6, 4.6 + room_for_key(labels.values(), inside=True)))
            ax.plot([0, 1], [0, 1], color=REFERENCE, linewidth=0.9, linestyle=(0, (1, 2)))
            for index, (name, curve) in enumerate(self.data.items()):
                look = appearance(index)
                x, y = curve.probability_of_false_detection, curve.probability_of_detection
                ax.plot(x, y, **look, label=labels[name])
                shade = self.bands[name]
                band(ax, shade.probability_of_false_detection, shade.low, shade.high, color=look["color"])
            square_probability_axes(ax, xlabel="Probability of false detection", ylabel="Probability of detection")
            key(ax, inside="lower right")
        return ax

    def _label(self, name: str, short: str) -> str:
        area = self.areas[name]
        text = f"AUC {area.value:.3f} [{area.low:.3f}, {area.high:.3f}]"
        if isnan(area.value):  # one label only
            text = "AUC undefined"
        caution = f"\n({area.caution.split(':')[0]})" if area.caution else ""
        return (f"{short}\n" if name else "") + text + caution
