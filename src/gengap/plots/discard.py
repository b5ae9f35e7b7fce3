"""Discard diagram: what is left of the error when the most uncertain cases are set aside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from gengap.plots.names import Forecasts, by_name
from gengap.plots.style import appearance, axes_for, key, room_for_key, shortened, style
from gengap.verification import DiscardCurve, discard_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.analysis.uncertainty import ClassifierUncertainty, RegressionUncertainty


@dataclass(frozen=True, eq=False)
class DiscardDisplay:
    """Discard curves for one or several measures of uncertainty.

    Attributes:
        data: The curves, by name.
        ylabel: What the loss is.
    """

    data: Mapping[str, DiscardCurve]
    ylabel: str

    @classmethod
    def from_losses(
        cls,
        losses: Forecasts,
        uncertainty: Forecasts,
        *,
        ylabel: str = "Mean loss of the cases left",
        ax: "Axes | None" = None,
    ) -> "DiscardDisplay":
        """Compute the curves.

        Args:
            losses: Loss of each case, shape `(n,)`, such as `case_brier_scores` gives; or a mapping from names.
            uncertainty: Uncertainty of each case, shape `(n,)`; or a mapping from names to such. Where only one of the
                two is a mapping, the other serves all names.
            ylabel: What the loss is, for the axis.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The cases are invalid.
        """
        left, right = by_name(losses), by_name(uncertainty)
        names = right if len(right) >= len(left) else left
        curves = {
            name: discard_curve(_of(left, name), _of(right, name))
            for name in names
        }  # fmt: skip
        display = cls(curves, ylabel)
        if ax is not None:
            display.plot(ax)
        return display

    @classmethod
    def from_uncertainty(
        cls, uncertainty: "Mapping[str, ClassifierUncertainty | RegressionUncertainty]", *, ax: "Axes | None" = None
    ) -> "DiscardDisplay":
        """Take the curves of some judged distributions, such as before and after the choice of the rate.

        Args:
            uncertainty: What `classifier_uncertainty` or `regression_uncertainty` returned, by name.
            ax: Axes to draw on at once; None draws nothing yet.
        """
        scores = {getattr(one, "score", "squared_error").replace("_", " ") for one in uncertainty.values()}
        curves = {name: one.discard for name, one in uncertainty.items()}
        display = cls(curves, f"Mean {' or '.join(sorted(scores))} of the cases left".replace("brier", "Brier"))
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves; a falling one means that the uncertainty knows where the errors are.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            labels = {name: self._label(name, short) for name, short in shortened(self.data).items()}
            ax = axes_for(ax, figsize=(4.8, 3.6 + room_for_key(labels.values(), inside=True)))
            for index, (name, curve) in enumerate(self.data.items()):
                look = appearance(index, marker=True)
                ax.plot(curve.fraction, curve.loss, **look, markeredgecolor="white", label=labels[name])
            ax.set(xlabel="Share of cases discarded, most uncertain first", ylabel=self.ylabel)
            ax.set_ylim(bottom=0)
            key(ax, inside="lower left", below=-0.2)
        return ax

    def _label(self, name: str, short: str) -> str:
        text = f"monotonic at {self.data[name].monotonicity_fraction:.0%} of steps"
        return f"{short}: {text}" if name else text.capitalize()


def _of(named: Mapping[str, ArrayLike], name: str) -> ArrayLike:
    return named[name] if name in named else named[""]
