"""A search as a figure: strength against held-out score, with the spread over seeds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.errors import DataError, UnknownNameError
from gengap.plots.style import COLOURS, REFERENCE, axes_for, band, key, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.results import Result
    from gengap.verification.inputs import Floats


@dataclass(frozen=True, eq=False)
class StrengthsDisplay:
    """Trials of a search along one of its dimensions.

    Attributes:
        data: For each trial that was not halted: strength (NaN for off), mean score over the seeds, and their standard
            deviation (NaN for one seed); shape `(trials, 3)`.
        baseline: The same of the model as it was given: mean score and standard deviation.
        best: Place in `data` of the best trial.
        strongest: Place in `data` of the strongest trial within one standard error of it.
        dimension: Name of the dimension.
        log: Whether equal ratios of strengths are equally far apart.
        score: The score; smaller is better.
        alone: Whether it is the only dimension that was searched: then trials are joined by a line with a band.
    """

    data: "Floats"
    baseline: tuple[float, float]
    best: int
    strongest: int
    dimension: str
    log: bool
    score: str
    alone: bool

    @classmethod
    def from_result(
        cls, result: "Result", dimension: str | None = None, *, ax: "Axes | None" = None
    ) -> "StrengthsDisplay":
        """Take the trials of a search.

        Args:
            result: `SearchResult.result`, which holds the account of the search.
            dimension: Name of a dimension with numbers; None takes the most important one.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The result is not of a search, or has no dimension with numbers.
            UnknownNameError: There is no such dimension.
        """
        told = result.manifest.get("search")
        if not told:
            raise DataError("This result is of no search: give `found.result`, where `found = gg.search(...)`.")
        dimension = _chosen(told, dimension)
        shown = [one for one in told["trials"] if one["state"] == "complete"]
        rows = [(_number(one["strengths"][dimension]), *_spread(one["scores"])) for one in shown]
        numbers = [one["number"] for one in shown]
        display = cls(
            np.asarray(rows, dtype=np.float64),
            _spread(told["baseline"]["scores"]),
            numbers.index(told["best"]),
            numbers.index(told["strongest"]),
            dimension,
            bool(told["log"][dimension]),
            result.score,
            len(told["space"]) == 1,
        )
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the trials; bars and band are one standard deviation over seeds, on validation, which flatters the best.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        strength, mean, deviation = self.data.T
        places = self._places(strength)
        spread = np.nan_to_num(deviation)
        with style():
            ax = axes_for(ax, figsize=(6.4, 4.8))
            if self.log:
                ax.set_xscale("log")
            level, width = self.baseline[0], np.nan_to_num(self.baseline[1])
            ax.axhline(level, color=REFERENCE, linestyle=":", label="the model as it is")
            ax.axhspan(level - width, level + width, color=REFERENCE, alpha=0.12, linewidth=0)
            if self.alone:
                order = np.argsort(places)
                ax.plot(places[order], mean[order], color=COLOURS[0])
                band(ax, places[order], (mean - spread)[order], (mean + spread)[order], color=COLOURS[0])
                ax.plot(places, mean, "o", color=COLOURS[0], label="trials of the search")
            else:
                ax.errorbar(places, mean, spread, fmt="o", color=COLOURS[0], alpha=0.55, label="trials of the search")
            for at, label, marker, colour in (
                (self.strongest, "strongest within one standard error", "s", COLOURS[2]),
                (self.best, "best trial", "D", COLOURS[1]),
            ):
                ax.plot(
                    places[at], mean[at], marker, color=colour, markersize=8, label=label, linestyle="none", zorder=3
                )
            self._name_off(ax, strength, places)
            if self.log:
                _label_decades(ax, places)
            ax.set_xlabel(f"Strength of {self.dimension.replace('_', ' ')}")
            ax.set_ylabel(f"Validation {self.score.replace('_', ' ')}")
            key(ax, below=-0.19)  # these axes are low
        return ax

    def _places(self, strength: "Floats") -> "Floats":
        """Return where strengths stand on the axis; off to the left of all others."""
        known = strength[np.isfinite(strength) & ((strength > 0) | (not self.log))]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.1, 1.0)
        off = low / max(high / low, 10.0) ** 0.15 if self.log else low - 0.15 * max(high - low, 0.1 * abs(high), 1e-9)
        return np.where(np.isfinite(strength), strength, off)

    def _name_off(self, ax: "Axes", strength: "Floats", places: "Floats") -> None:
        if np.isfinite(strength).all():
            return
        at = float(places[~np.isfinite(strength)][0])
        ax.axvline(at, color=REFERENCE, linewidth=0.6, zorder=0)
        ax.text(at, 1.01, "remedy off", transform=ax.get_xaxis_transform(), ha="center", fontsize=9, color=REFERENCE)


def _label_decades(ax: "Axes", places: "Floats") -> None:
    """Label powers of ten; below two decades, where they would be a single label, round numbers between them, too."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    ratio = places.max() / places.min()
    if ratio < 100:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if ratio > 10 else MaxNLocator(5))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _chosen(told: Mapping[str, Any], dimension: str | None) -> str:
    """Return the dimension to draw: the one asked for, else the most important one whose values are numbers."""
    numeric = [name for name in told["space"] if any(
        isinstance(one["strengths"][name], int | float) for one in told["trials"])]  # fmt: skip
    if dimension is None:
        ranked = [name for name in told["importances"] if name in numeric] or numeric
        if not ranked:
            raise DataError("This search chose among remedies, not among strengths: there is no axis to draw them on.")
        return str(ranked[0])
    if dimension not in numeric:
        raise UnknownNameError(f"There is no dimension {dimension!r} with numbers; there are {', '.join(numeric)}.")
    return dimension


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _spread(scores: list[float | None]) -> tuple[float, float]:
    known = np.array([math.nan if one is None else one for one in scores], dtype=np.float64)
    return float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else math.nan
