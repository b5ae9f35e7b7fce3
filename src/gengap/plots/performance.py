"""Performance diagram (Roebber 2009): success ratio, detection, bias and critical success index in one square."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gengap.plots.names import Forecasts, Observations, pairs_by_name
from gengap.plots.style import (
    GRID,
    REFERENCE,
    appearance,
    axes_for,
    key,
    room_for_key,
    shortened,
    square_probability_axes,
    style,
)
from gengap.verification import (
    BestThreshold,
    Estimate,
    PerformanceCurve,
    best_threshold,
    performance_curve,
    score_interval,
)
from gengap.verification.inputs import Floats
from gengap.verification.plain import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BIASES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
_CROSSED = 3
"""With more forecasts than this the crosses would hide the curves."""
_NEAR = 0.12
"""Points nearer than this would have their names written over each other."""
_FEW = 10
"""Where the event is forecast for fewer cases than this, a curve is drawn faintly: one case moves it far."""
_INDICES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, eq=False)
class PerformanceDisplay:
    """Performance curves of one or several forecasts.

    Attributes:
        data: The curves, by name.
        best: Threshold of the largest critical success index on these cases, by name.
        crosses: Intervals of success ratio and detection at marked thresholds, by name and threshold.
        yes: Number of cases for which the event is forecast at each threshold of a curve, by name.
    """

    data: Mapping[str, PerformanceCurve]
    best: Mapping[str, BestThreshold]
    crosses: Mapping[str, Mapping[float, tuple[Estimate, Estimate]]]
    yes: Mapping[str, Floats]

    @classmethod
    def from_predictions(
        cls,
        y_true: Observations,
        y_prob: Forecasts,
        *,
        thresholds: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9),
        groups: ArrayLike | None = None,
        level: float = 0.95,
        ax: "Axes | None" = None,
    ) -> "PerformanceDisplay":
        """Compute curves, their best points and the intervals at marked thresholds.

        Args:
            y_true: 0/1 with at least one event, shape `(n,)`; or a mapping from the same names to such.
            y_prob: Probability of label 1, shape `(n,)`; or a mapping from names to such.
            thresholds: Probabilities to mark, with pointwise intervals; those never reached are left out.
            groups: Labels of groups of cases that are not independent, shape `(n,)`, or None.
            level: Coverage of each interval.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid, or no event occurs.
        """
        named = pairs_by_name(y_true, y_prob)

        def cross(y: ArrayLike, p: ArrayLike, threshold: float) -> tuple[Estimate, Estimate]:
            ratio, detection = (
                score_interval(y, p, score=score, threshold=threshold, groups=groups, level=level)
                for score in ("success_ratio", "probability_of_detection")
            )
            return ratio, detection

        curves = {name: performance_curve(y, p) for name, (y, p) in named.items()}
        display = cls(
            data=curves,
            best={name: best_threshold(y, p, score="critical_success_index") for name, (y, p) in named.items()},
            crosses={
                name: {t: cross(y, p, t) for t in thresholds if t <= np.nanmax(numbers(p, "y_prob"))}
                for name, (y, p) in named.items()
            },
            yes={
                name: np.rint(curves[name].frequency_bias * np.nansum(numbers(y, "y_true")))
                for name, (y, _) in named.items()
            },
        )
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves over contours of critical success index and rays of equal bias; crosses for up to three.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            labels = {name: self._label(name, short) for name, short in shortened(self.data).items()}
            ax = axes_for(ax, figsize=(5.0, 4.8 + room_for_key(labels.values())))
            _draw_background(ax)
            for index, (name, curve) in enumerate(self.data.items()):
                look, best = appearance(index, marker=True), self.best[name]
                line = {key: look[key] for key in ("color", "linestyle")}
                few = int((self.yes[name] < _FEW).sum())
                x, y = curve.success_ratio, curve.probability_of_detection
                ax.plot(x[: few + 1], y[: few + 1], **line, alpha=0.3, zorder=2.5)
                ax.plot(x[few:], y[few:], **line, label=labels[name], zorder=3)
                for ratio, detection in self.crosses[name].values() if len(self.data) <= _CROSSED else ():
                    _draw_cross(ax, ratio, detection, look)
                if len(self.data) == 1:
                    _name_points(ax, self.crosses[name])
                ax.plot(best.table.success_ratio, best.table.probability_of_detection, marker="*", markersize=12,
                        color=look["color"], markeredgecolor="white", clip_on=False, zorder=5)  # fmt: skip
            square_probability_axes(ax, xlabel="Success ratio (1 - FAR)", ylabel="Probability of detection")
            key(ax)
        return ax

    def _label(self, name: str, short: str) -> str:
        best = self.best[name]
        text = f"largest CSI {best.value:.2f} at {best.threshold:.2f}"
        return f"{short}: {text}" if name else text[0].upper() + text[1:]


def _draw_background(ax: "Axes") -> None:
    """Draw contours of the critical success index and rays of equal frequency bias, each labelled at its end."""
    ratio, detection = np.meshgrid(*[np.linspace(1e-3, 1, 400)] * 2)
    index = 1 / (1 / ratio + 1 / detection - 1)
    lines = ax.contour(ratio, detection, index, levels=_INDICES, colors=GRID, linewidths=0.8, zorder=1)
    # labels sit where each contour crosses the ray of bias 0.8: away from the rays and from each other
    labelled = [csi for csi in _INDICES if csi < 0.75]
    ratios = [csi * (1 + 1 / 0.8) / (1 + csi) for csi in labelled]
    names = {csi: f"{csi:.1f}" for csi in labelled} | {0.7: "CSI 0.7"}
    ax.clabel(lines, levels=labelled, manual=[(x, 0.8 * x) for x in ratios], fmt=names, fontsize=7.5, colors=REFERENCE)
    for bias in _BIASES:
        end = min(1.0, 1 / bias)
        ax.plot([0, end], [0, bias * end], color=GRID, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        x, y, side = (end, 1.0, "bottom") if bias >= 1 else (1.0, bias, "center")
        ax.annotate(
            f"{bias:g}",
            (x, y),
            xytext=(0, 3) if bias >= 1 else (4, 0),
            textcoords="offset points",
            ha="center" if bias >= 1 else "left",
            va=side,
            fontsize=7.5,
            color=REFERENCE,
            annotation_clip=False,
        )
    ax.annotate("Bias", (0.125, 1), xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=7.5,
                color=REFERENCE, annotation_clip=False)  # fmt: skip


def _draw_cross(ax: "Axes", ratio: Estimate, detection: Estimate, look: Mapping[str, object]) -> None:
    x, y, color = ratio.value, detection.value, str(look["color"])
    if not np.isfinite([x, y]).all():
        return
    ax.plot([ratio.low, ratio.high], [y, y], color=color, linewidth=0.8, alpha=0.7, zorder=2)
    ax.plot([x, x], [detection.low, detection.high], color=color, linewidth=0.8, alpha=0.7, zorder=2)
    ax.plot(
        x, y, marker=str(look["marker"]), color=color, markersize=5, markeredgecolor="white", clip_on=False, zorder=4
    )


def _name_points(ax: "Axes", crosses: Mapping[float, tuple[Estimate, Estimate]]) -> None:
    """Write the thresholds beside their points, inside the square; points that lie together share one text."""
    places: list[tuple[float, float, list[float]]] = []
    for threshold, (ratio, detection) in crosses.items():
        x, y = ratio.value, detection.value
        if not np.isfinite([x, y]).all():
            continue
        near = [names for at_x, at_y, names in places if abs(at_x - x) < _NEAR and abs(at_y - y) < _NEAR / 2]
        if near:
            near[0].append(threshold)
        else:
            places.append((x, y, [threshold]))
    for x, y, names in places:
        text = f"{names[0]:g}" if len(names) == 1 else f"{names[0]:g} to {names[-1]:g}"
        right, top = x > 1 - _NEAR, y > 1 - _NEAR / 2
        ax.annotate(text, (x, y), xytext=(-6 if right else 6, -11 if top else 4), textcoords="offset points",
                    ha="right" if right else "left", fontsize=8, zorder=6)  # fmt: skip
