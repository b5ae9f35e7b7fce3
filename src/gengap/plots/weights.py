"""Norms and sparsity of the weights that each variant ended with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.plots.style import COLOURS, REFERENCE, appearance, literal, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gengap.remedies.weights import WeightSummary


@dataclass(frozen=True, eq=False)
class WeightsDisplay:
    """Weights of variants: Euclidean norm, absolute sum, and the share near zero at every threshold.

    Attributes:
        data: Variant -> one summary for each seed.
        threshold: The declared threshold below which a weight counts as zero.
    """

    data: Mapping[str, Sequence["WeightSummary"]]
    threshold: float

    @classmethod
    def from_models(cls, models: Mapping[str, Any], *, threshold: float = 1e-3) -> "WeightsDisplay":
        """Summarize trained models.

        Args:
            models: Variant -> a trained Keras model, or a sequence of them, one for each seed.
            threshold: Below which size a weight counts as zero, declared before looking.
        """
        from gengap.remedies.weights import weight_summary

        listed = {name: found if isinstance(found, Sequence) else [found] for name, found in models.items()}
        return cls({name: [weight_summary(model) for model in found] for name, found in listed.items()}, threshold)

    def plot(self) -> "Figure":
        """Draw the norms at the left and the sensitivity curve of the sparsity at the right; each seed is a point."""
        import matplotlib.pyplot as plt

        with style():
            figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.8))
            for index, (name, summaries) in enumerate(self.data.items()):
                norms = np.array([summary.l2 for summary in summaries])
                left.plot(norms, np.full(len(norms), index), "o", color=COLOURS[index % len(COLOURS)], alpha=0.6)
                left.plot([norms.mean()], [index], "|", markersize=16, color=COLOURS[index % len(COLOURS)])
                curve = np.mean([summary.sparsity for summary in summaries], axis=0)
                right.plot(summaries[0].thresholds, curve, **appearance(index), label=literal(name))
            left.set_yticks(range(len(self.data)), [literal(name) for name in self.data])
            left.invert_yaxis()
            left.set(xlabel="Euclidean norm of all kernels", xlim=(0, None), title="Size of the weights")
            right.axvline(self.threshold, color=REFERENCE, linestyle="--", linewidth=1)
            right.set(xscale="log", ylim=(0, 1), xlabel="Threshold", ylabel="Share of weights below it")
            right.set_title("Sparsity at every threshold")
            right.legend(loc="upper left")
        return figure
