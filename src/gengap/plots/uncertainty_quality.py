"""Figures of how good the uncertainty is: discard test, entropy against error, spread against error, the rate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gengap.analysis.uncertainty.quality import ClassifierUncertainty
from gengap.plots.style import COLOURS, REFERENCE, axes_for, band, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.analysis.uncertainty.chosen_rate import RateChoice


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
