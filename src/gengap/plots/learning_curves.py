"""Learning curves of variants: training and held-out score over epochs, every seed thin, the mean with its band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gengap.analysis.curves import Curve, learning_curves
from gengap.plots.style import appearance, axes_for, band, epoch_axis, shortened, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gengap.results import Result

Which = Literal["both", "validation", "training"]

_LABELS = {"log_loss": "Log loss", "brier_score": "Brier score", "squared_error": "Mean squared error"}
_MAX_SEEDS_DRAWN = 30
_LONG_TITLE = 32
_MOST_TOGETHER = 10
"""Variants whose lines can be told apart on one pair of axes."""
_MANY_PANELS = 9
_STEP_ASIDE = 0.02
"""Epochs between the points of two variants where there is one epoch."""


@dataclass(frozen=True, eq=False)
class LearningCurvesDisplay:
    """Curves of some variants over epochs.

    Attributes:
        data: The curves that are drawn, training ones before held-out ones.
        ylabel: What the curves measure.
        training_names: Which of the curves' names are training curves; they are drawn dotted.
    """

    data: tuple[Curve, ...]
    ylabel: str
    training_names: tuple[str, ...] = ("train_score", "loss", "accuracy")

    @classmethod
    def from_result(
        cls,
        result: "Result",
        *,
        variants: Sequence[str] | None = None,
        which: Which = "both",
        curve: str = "score",
    ) -> "LearningCurvesDisplay":
        """Take the curves from a result.

        Args:
            result: The result.
            variants: Which variants; None takes all.
            which: Training curves, held-out curves or both.
            curve: `"score"` (the common score, in inference mode), `"loss"` (each variant's own objective, without
                penalties) or a metric such as `"accuracy"`.

        Raises:
            UnknownNameError: There is no such variant or curve.
        """
        training = "train_score" if curve == "score" else curve
        names = {"both": (training, f"val_{curve}"), "validation": (f"val_{curve}",), "training": (training,)}[which]
        if which == "both" and names[1] not in result.history:
            names = names[:1]
        curves = [one for name in names for one in learning_curves(result, name, variants)]
        label = _LABELS.get(result.score, result.score) if curve == "score" else curve.replace("_", " ").capitalize()
        return cls(tuple(curves), label, ("train_score", curve))

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that are drawn, in order."""
        return tuple(dict.fromkeys(curve.variant for curve in self.data))

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw all curves on one pair of axes; bands are pointwise 95 % intervals of the mean over seeds.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(7.2, max(4.2, 0.6 + 0.21 * len(self.variants))))  # as high as its legend
            for index, variant in enumerate(self.variants):
                self._draw(ax, variant, appearance(index))
            self._finish(ax)
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), title=self._key())
        return ax

    def figure(self) -> "Figure":
        """Draw all curves on a figure of their own; many variants in a panel each, since no eye parts so many lines."""
        if len(self.variants) > _MOST_TOGETHER:
            return self.plot_pairs()
        figure = self.plot().get_figure(root=True)
        assert figure is not None  # noqa: S101  `plot` without axes makes a figure
        return figure

    def plot_pairs(self) -> "Figure":
        """Draw the baseline against each other variant, a panel for each on equal axes, as the tutorials do."""
        import matplotlib.pyplot as plt

        baseline, *others = self.variants
        columns = min(3 if len(others) <= _MANY_PANELS else 5, max(1, len(others)))
        rows = -(-max(1, len(others)) // columns)
        with style():
            size = (0.8 + 3.1 * columns, 0.5 + 2.7 * rows)
            figure, grid = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
            for ax in grid.flat[max(1, len(others)) :]:
                ax.set_visible(False)
            panels, names = others or [baseline], shortened(self.variants)
            for place, (ax, variant) in enumerate(zip(grid.flat, panels, strict=False)):
                self._draw(ax, baseline, appearance(0))
                if others:
                    self._draw(ax, variant, appearance(1))
                ax.set_title(names[variant], fontsize=11 if len(names[variant]) < _LONG_TITLE else 8)
                self._finish(ax)
                ax.label_outer()
                if place >= len(panels) - columns:  # the lowest panel of its column, also where the last row is short
                    ax.tick_params(labelbottom=True)
                    ax.set_xlabel("Epoch")
            handles, labels = grid.flat[0].get_legend_handles_labels()
            if others:
                labels = [baseline, "the variant above each panel"]
            figure.legend(handles, labels, loc="outside lower center", ncols=2, title=self._key())
        return figure

    def _draw(self, ax: "Axes", variant: str, look: dict[str, Any]) -> None:
        for curve in self.data:
            if curve.variant != variant:
                continue
            training = curve.name in self.training_names and self._both
            own, epoch = look | ({"linestyle": ":"} if training else {}), curve.epoch.astype(np.float64)
            if len(epoch) == 1:  # a line needs two points, and points of several variants would hide each other
                epoch = epoch + _STEP_ASIDE * (self.variants.index(variant) - (len(self.variants) - 1) / 2)
                own |= {"marker": "o", "markerfacecolor": "white" if training else look["color"]}
                ax.vlines(epoch, curve.low, curve.high, color=look["color"], alpha=0.5)
            for seed in curve.seeds[:_MAX_SEEDS_DRAWN]:
                ax.plot(epoch, seed, **(own | {"linewidth": 0.4, "alpha": 0.35}))
            ax.plot(epoch, curve.mean, **own, label=None if training else shortened(self.variants)[variant])
            band(ax, epoch, curve.low, curve.high, color=look["color"])

    @property
    def _both(self) -> bool:
        return len({curve.name in self.training_names for curve in self.data}) > 1

    def _key(self) -> str:
        if not self._both:
            return ""
        return "dotted: training data" if len(self.data[0].epoch) > 1 else "hollow: training data"

    def _finish(self, ax: "Axes") -> None:
        epoch_axis(ax)
        ax.set_ylabel(self.ylabel)
