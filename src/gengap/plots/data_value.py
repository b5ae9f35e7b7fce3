"""The value of data as a figure: score against number of training cases, with the law and where it may be believed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gengap.analysis.diagnosis.data_value import FARTHEST, PowerLaw
from gengap.analysis.tables import IntervalEstimate
from gengap.deprecated import old_attribute
from gengap.plots.style import COLOURS, REFERENCE, axes_for, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from gengap.analysis.diagnosis.data_value import DataValue
    from gengap.verification.inputs import Floats


@dataclass(frozen=True, eq=False)
class DataValueDisplay:
    """Scores on shares of the data, and what is predicted for twice as many.

    Attributes:
        data: Mean score of every share and seed, shape `(shares, seeds)`.
        cases: Training cases of every share.
        law: The power law, in units of all cases.
        predicted: Score with twice the data, with its 95 % interval.
        answer: Whether more data would help.
        score: Name of the score.
    """

    data: "Floats"
    cases: "NDArray[np.int64]"
    law: PowerLaw
    predicted: IntervalEstimate
    answer: str
    score: str = "score"

    foretold = old_attribute("gengap.plots.DataValueDisplay", "foretold")

    @classmethod
    def from_value(cls, value: "DataValue", *, score: str = "score", ax: "Axes | None" = None) -> "DataValueDisplay":
        """Take the numbers of a verdict.

        Args:
            value: The `verdict` of what `gengap.value_of_data` returns, or of `judge_data`.
            score: Name of the score.
            ax: Axes to draw on at once; None draws nothing yet.
        """
        now, gain = value.law(1.0), value.gain
        predicted = IntervalEstimate(now - gain.value, now - gain.high, now - gain.low)
        display = cls(value.scores, value.cases, value.law, predicted, value.answer, score)
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw every seed, the law through their means, and the interval at twice the data; beyond it, nothing.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        full = float(self.cases[-1])
        with style():
            ax = axes_for(ax, figsize=(6.4, 4.0))
            ax.plot(self.cases, self.data, color=COLOURS[0], linewidth=0.5, alpha=0.35)
            ax.plot(self.cases, self.data.mean(axis=1), "o", color=COLOURS[0], label="mean of seeds")
            share = np.geomspace(float(self.cases[0]) / full, FARTHEST, 100)
            curve = np.asarray([self.law(one) for one in share])
            seen = share <= 1
            ax.plot(full * share[seen], curve[seen], color=COLOURS[1], label="power law")
            ax.plot(full * share[~seen], curve[~seen], color=COLOURS[1], linestyle="--")
            at = self.predicted
            reach = [[at.value - at.low], [at.high - at.value]]
            label = "twice the data (predicted, 95 %)"
            ax.errorbar([FARTHEST * full], [at.value], reach, fmt="D", color=COLOURS[1], capsize=4, label=label)
            ax.axvline(full, color=REFERENCE, linewidth=0.8)
            ax.annotate("your data", (full, 0.0), xycoords=("data", "axes fraction"), xytext=(-4, 5), rotation=90,
                        textcoords="offset points", ha="right", va="bottom", fontsize=8, color=REFERENCE)  # fmt: skip
            ax.set_xscale("log", base=2)
            ax.set_xticks(
                [*self.cases.tolist(), FARTHEST * full], [f"{int(n):,d}" for n in [*self.cases, FARTHEST * full]]
            )
            ax.minorticks_off()
            ax.set_xlabel("Training cases")
            ax.set_ylabel(self.score.replace("_", " ").capitalize())
            ax.set_title(f"Would more data help? {self.answer.capitalize()}")
            ax.legend()
        return ax
