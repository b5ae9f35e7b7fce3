"""What dropout does: to fields of ones, value by value or map by map, and to the mean, by each way of scaling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.plots.style import COLOURS, REFERENCE, axes_for, style
from gengap.remedies.masks import drop_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class DropoutMasksDisplay:
    """Dropout beside spatial dropout on the same field of ones.

    Attributes:
        dropout: The field after `Dropout` in training, shape `(height, width, maps)`.
        spatial: The field after `SpatialDropout2D`, same shape.
        rate: Share dropped.
    """

    dropout: NDArray[np.float64]
    spatial: NDArray[np.float64]
    rate: float

    @classmethod
    def from_rate(
        cls, rate: float = 0.5, *, shape: tuple[int, int, int] = (10, 10, 3), seed: int = 1
    ) -> "DropoutMasksDisplay":
        """Drop out of a field of ones, as the storm tutorial does.

        Args:
            rate: Share dropped, in [0, 1).
            shape: Height, width, maps.
            seed: Fixes the masks.
        """
        ones = np.ones(shape)
        single = drop_out(ones, rate, seed=seed).training
        return cls(single, drop_out(ones, rate, spatial=True, seed=seed).training, rate)

    def plot(self) -> "Figure":
        """Draw one panel for each map, dropout above and spatial dropout below, with maximum and count of non-zeros."""
        import matplotlib.pyplot as plt

        maps = self.dropout.shape[-1]
        with style():
            figure, axes = plt.subplots(2, maps, figsize=(max(2.3 * maps, 3.4), 5.2), squeeze=False)
            top = 1 / (1 - self.rate)
            for row, (name, field) in enumerate((("Dropout", self.dropout), ("SpatialDropout2D", self.spatial))):
                for column in range(maps):
                    ax, panel = axes[row, column], field[..., column]
                    ax.pcolormesh(panel, vmin=0, vmax=top, cmap="Blues", edgecolors="white", linewidth=0.5)
                    ax.set(xticks=[], yticks=[], title=f"{name}, map {column + 1}")
                    ax.set_xlabel(f"max {panel.max():.3g}, non-zero {np.count_nonzero(panel)} of {panel.size}")
                    ax.set_aspect("equal")
                    ax.spines[:].set_visible(True)
            figure.suptitle(f"A field of ones in training, rate {self.rate:g}", x=0.02, ha="left")
        return figure


@dataclass(frozen=True, eq=False)
class DropoutScalingDisplay:
    """Mean activation in training against inference, by each way of scaling, at several rates.

    Attributes:
        rates: Shares dropped, shape `(r,)`.
        means: Rule -> mean over masks and values in training divided by what inference gives, shape `(r,)`; 1 is right.
        errors: Rule -> standard error of that ratio over masks, shape `(r,)`.
    """

    rates: tuple[float, ...]
    means: dict[str, NDArray[np.float64]]
    errors: dict[str, NDArray[np.float64]]

    @classmethod
    def from_rates(
        cls, rates: Sequence[float] = (0.5, 0.2), *, num_masks: int = 2000, seed: int = 0
    ) -> "DropoutScalingDisplay":
        """Drop out of a small matrix many times, by each rule.

        Args:
            rates: Shares dropped.
            num_masks: How many masks are averaged.
            seed: Fixes matrix and masks.
        """
        x = np.random.default_rng(seed).random((4, 5)) + 0.5
        ratios: dict[str, list[NDArray[np.float64]]] = {"scaled up in training": [], "scaled down at inference": []}
        wrong = ratios["divided by the rate (wrong)"] = []
        for rate in rates:
            seeds = range(seed + 1, seed + 1 + num_masks)
            up = [drop_out(x, rate, seed=one) for one in seeds]
            down = [drop_out(x, rate, scaling="inference", seed=one) for one in seeds]
            for rule, found in zip(ratios, (up, down), strict=False):
                ratios[rule].append(np.array([each.training.mean() / each.inference.mean() for each in found]))
            wrong.append(np.array([(x * each.mask / rate).mean() / x.mean() for each in up]))
        means = {rule: np.array([r.mean() for r in found]) for rule, found in ratios.items()}
        errors = {rule: np.array([r.std(ddof=1) / np.sqrt(len(r)) for r in found]) for rule, found in ratios.items()}
        return cls(tuple(rates), means, errors)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw one group of bars for each rate; the line at 1 is where training and inference agree."""
        with style():
            ax = axes_for(ax, figsize=(5.6, 3.6))
            width = 0.8 / len(self.means)
            for index, (rule, means) in enumerate(self.means.items()):
                places = np.arange(len(self.rates)) + (index - (len(self.means) - 1) / 2) * width
                look: dict[str, Any] = {"color": COLOURS[index], "label": rule, "hatch": ("", "//", "xx")[index % 3]}
                ax.bar(places, means, width * 0.92, yerr=1.96 * self.errors[rule], edgecolor="white", **look)
            ax.axhline(1, color=REFERENCE, linewidth=1, linestyle="--")
            ax.set_xticks(np.arange(len(self.rates)), [f"rate {rate:g}" for rate in self.rates])
            ax.set_ylabel("Training mean / inference value")
            ax.legend(loc="upper left")
        return ax
