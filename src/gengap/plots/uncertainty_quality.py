"""Figures of how good the uncertainty is: discard test, entropy against error, spread against error, the rate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gengap.plots.style import COLOURS, REFERENCE, axes_for, band, style
from gengap.sampling.quality import ClassifierUncertainty, RegressionUncertainty
from gengap.verification import DiscardCurve, SpreadSkillCurve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from gengap.sampling.rate_choice import RateChoice


@dataclass(frozen=True, eq=False)
class DiscardDisplay:
    """Loss of the cases that are left when the most uncertain ones are set aside, one line per forecast.

    Attributes:
        data: Discard curves by name.
        ylabel: What the loss is.
    """

    data: "Mapping[str, DiscardCurve]"
    ylabel: str = "Loss of the rest"

    @classmethod
    def from_uncertainty(
        cls, uncertainty: "Mapping[str, ClassifierUncertainty | RegressionUncertainty]"
    ) -> "DiscardDisplay":
        """Take the curves of some judged distributions, such as before and after the choice of the rate.

        Args:
            uncertainty: What `classifier_uncertainty` or `regression_uncertainty` returned, by name.
        """
        first = next(iter(uncertainty.values()))
        name = _plain(first.score) if isinstance(first, ClassifierUncertainty) else "squared error"
        return cls({name: one.discard for name, one in uncertainty.items()}, f"Mean {name} of the rest")

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves; a falling one says that uncertain cases are worse.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(5.2, 3.6))
            for (name, curve), colour in zip(self.data.items(), COLOURS, strict=False):
                label = f"{name} (falls at {curve.monotonicity_fraction:.0%} of the steps)"
                ax.plot(100 * curve.fraction, curve.loss, marker="o", color=colour, label=label)
            ax.set_xlabel("Most uncertain cases set aside, %")
            ax.set_ylabel(self.ylabel)
            ax.legend()
        return ax


@dataclass(frozen=True, eq=False)
class EntropyErrorDisplay:
    """Error rate in classes of entropy of equally many cases.

    Attributes:
        data: `entropy`, `error_rate` and `cases` of the classes.
    """

    data: pd.DataFrame

    @classmethod
    def from_uncertainty(cls, uncertainty: ClassifierUncertainty) -> "EntropyErrorDisplay":
        """Take the classes of a judged classifier."""
        return cls(uncertainty.entropy_error)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the error rate over the entropy.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(5.2, 3.6))
            ax.plot(self.data["entropy"], self.data["error_rate"], marker="o", color=COLOURS[0])
            ax.set_xlabel("Entropy of the mean forecast, nats")
            ax.set_ylabel("Share of wrong decisions")
            ax.set_ylim(bottom=0)
        return ax


@dataclass(frozen=True, eq=False)
class SpreadSkillDisplay:
    """Error against spread of a regression, in classes of equally many cases.

    Attributes:
        data: The curve.
    """

    data: SpreadSkillCurve

    @classmethod
    def from_uncertainty(cls, uncertainty: RegressionUncertainty) -> "SpreadSkillDisplay":
        """Take the curve of a judged regression."""
        return cls(uncertainty.spread_skill)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curve with the diagonal, on which spread equals error; above it the spread is too small.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax)
            top = 1.05 * float(max(self.data.spread.max(), self.data.error.max()))
            ax.plot([0, top], [0, top], color=REFERENCE, linewidth=1, linestyle="--", label="spread = error")
            label = f"SSRAT {self.data.ratio:.2f}, SSREL {self.data.reliability:.3g}"
            ax.plot(self.data.spread, self.data.error, marker="o", color=COLOURS[0], label=label)
            ax.set_xlabel("Mean spread")
            ax.set_ylabel("Root-mean-square error")
            ax.set_xlim(0, top)
            ax.set_ylim(0, top)
            ax.legend()
        return ax


@dataclass(frozen=True, eq=False)
class RateChoiceDisplay:
    """Gain of every candidate of a sweep on validation, with its interval.

    Attributes:
        data: The candidates of the grid: `gain`, `low`, `high`, by setting.
        xlabel: What was swept.
        ylabel: What the gain is.
    """

    data: pd.DataFrame
    xlabel: str
    ylabel: str

    @classmethod
    def from_choice(cls, choice: "RateChoice") -> "RateChoiceDisplay":
        """Take the candidates of a choice of the rate."""
        table = choice.table.drop(index=["deterministic", "trained"])
        values = [float(str(name).split()[-1]) for name in table.index]
        data = table[["gain", "low", "high"]].set_index(pd.Index(values, name=choice.swept)).sort_index()
        return cls(data, f"{choice.swept.capitalize()} at inference", f"Gain in {_plain(choice.score)}")

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the gains with their pointwise intervals; above zero is better than the reference.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            ax = axes_for(ax, figsize=(5.2, 3.6))
            at = np.asarray(self.data.index, dtype=np.float64)
            ax.axhline(0, color=REFERENCE, linewidth=1, linestyle="--")
            ax.plot(at, self.data["gain"], marker="o", color=COLOURS[0])
            band(ax, at, self.data["low"].to_numpy(), self.data["high"].to_numpy(), color=COLOURS[0])
            ax.set_xlabel(self.xlabel)
            ax.set_ylabel(self.ylabel)
        return ax


def _plain(score: str) -> str:
    return {"brier_score": "Brier score", "crps_ensemble": "CRPS"}.get(score, score.replace("_", " "))
