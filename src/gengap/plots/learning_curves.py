"""Learning curves of variants: training and held-out score over epochs, every seed thin, the mean with its band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gengap.analysis.curves import Curve, learning_curves
from gengap.plots.style import appearance, axes_for, band, epoch_axis, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.results import Result

Which = Literal["both", "validation", "training"]

_LABELS = {"log_loss": "Log loss", "brier_score": "Brier score", "squared_error": "Mean squared error"}
_MAX_SEEDS_DRAWN = 30


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

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves; bands are pointwise 95 % intervals of the mean over seeds.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(6.4, 4.2))
            variants = list(dict.fromkeys(curve.variant for curve in self.data))
            kinds = len({curve.name in self.training_names for curve in self.data})
            for curve in self.data:
                training = curve.name in self.training_names
                look = appearance(variants.index(curve.variant)) | ({"linestyle": ":"} if training else {})
                for seed in curve.seeds[:_MAX_SEEDS_DRAWN]:
                    ax.plot(curve.epoch, seed, **(look | {"linewidth": 0.5, "alpha": 0.3}))
                suffix = (" (training)" if training else " (validation)") if kinds > 1 else ""
                ax.plot(curve.epoch, curve.mean, **look, label=f"{curve.variant}{suffix}")
                band(ax, curve.epoch, curve.low, curve.high, color=look["color"])
            epoch_axis(ax)
            ax.set_ylabel(self.ylabel)
            ax.legend()
        return ax
