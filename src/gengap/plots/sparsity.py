"""Sparsity of the weights at every threshold: a claim that rests on one threshold should hold over a range of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import DataError
from gengap.plots.style import REFERENCE, appearance, axes_for, key, room_for_key, shortened, style
from gengap.results.result import run_seeds
from gengap.verification.inputs import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gengap.results import EpochRule, Result


@dataclass(frozen=True, eq=False)
class SparsityDisplay:
    """Share of kernel weights whose size is below a threshold.

    Attributes:
        data: Shares by variant, shape `(runs, thresholds)`: seeds, of each of them all folds.
        thresholds: Sizes of weights, shape `(thresholds,)`.
        declared: The threshold at which sparsity is quoted.
    """

    data: Mapping[str, Floats]
    thresholds: Floats
    declared: float

    @classmethod
    def from_result(
        cls,
        result: "Result",
        *,
        variants: Sequence[str] | None = None,
        epoch: "EpochRule" = "last",
        declared: float = 1e-3,
        ax: "Axes | None" = None,
    ) -> "SparsityDisplay":
        """Count the weights of every run; biases and other vectors are left out.

        Args:
            result: A result with its weights.
            variants: Which variants; None takes all that kept their weights.
            epoch: Weights of the best or of the last epoch.
            declared: The threshold at which sparsity is quoted.
            ax: Axes to draw on at once; None draws nothing yet.

        Raises:
            DataError: The result has no weights of these variants.
        """
        thresholds = np.logspace(-6, 0, 61)
        data = {}
        for variant in variants or result.variants:
            keys = [(variant, seed, epoch) for seed in run_seeds(result) if (variant, seed, epoch) in result.weights]
            if keys:
                data[variant] = np.stack([_shares(result.weights[key], thresholds) for key in keys])
        if not data:
            raise DataError("The result has no weights of these variants; load it from the folder of its study.")
        display = cls(data, thresholds, declared)
        if ax is not None:
            display.plot(ax)
        return display

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw every run thin and the mean of each variant thick, over a logarithmic axis of thresholds.

        Args:
            ax: Axes to draw on; None makes new ones.
        """
        with style():
            names = shortened(self.data)
            room = room_for_key(names.values(), inside=True)
            ax = axes_for(ax, figsize=(6.4, 3.8 + room))
            ax.axvline(self.declared, color=REFERENCE, linewidth=0.9, linestyle=":")
            for index, (variant, shares) in enumerate(self.data.items()):
                look = appearance(index)
                for run in shares:
                    ax.plot(self.thresholds, run, **(look | {"linewidth": 0.4, "alpha": 0.35}))
                ax.plot(self.thresholds, shares.mean(axis=0), **look, label=names[variant])
            ax.set_xscale("log")
            ax.set(xlabel="Threshold", ylabel="Share of weights below it", ylim=(0, 1))
            key(ax, inside="upper left", below=-0.2)
        return ax


def _shares(weights: Sequence[NDArray[Any]], thresholds: Floats) -> Floats:
    kernels = [np.abs(one.ravel()) for one in weights if one.ndim > 1 and one.dtype.kind == "f"]
    sizes = np.sort(np.concatenate(kernels or [np.zeros(0)])).astype(np.float64)
    return np.searchsorted(sizes, thresholds, side="left") / max(1, len(sizes))
