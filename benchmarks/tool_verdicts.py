"""What the tool's comparison makes of many simulated studies at once: its estimates, intervals and errors."""

from typing import Any

import numpy as np

from gengap.analysis.inference.components import MeanEstimate, seeds_share, with_skewness
from gengap.analysis.inference.intervals import limits
from gengap.analysis.inference.skewness import (
    Skewness,
    pooled_range,
    share_of_variants,
    skewness_of_difference,
    skewness_of_units,
)
from simulated_results import Floats


def as_the_tool_does(estimate: MeanEstimate, treated: Floats, untreated: Floats, of_units: Floats) -> MeanEstimate:
    """Estimates of many studies with the skewness that they allow, as `gengap.analysis.comparison.contrasts` has it.

    Scores of seeds have the shape `(studies, variants, seeds)`, those of the baseline `(studies, 1, seeds)`, the
    L-skewness of differences of units `(studies, variants)`.
    """
    variants = range(treated.shape[1])
    low, high = pooled_range([untreated[:, 0], *(treated[:, k] for k in variants)])
    usual = share_of_variants([(treated[:, k], untreated[:, 0]) for k in variants])
    noise = skewness_of_difference(treated, untreated, (low[:, None], high[:, None]), typical_share=usual[:, None])
    units = skewness_of_units([of_units[:, k] for k in variants], estimate.units)
    lean = Skewness(*(np.stack([getattr(one, side) for one in units], axis=1) for side in ("left", "right")))
    share = seeds_share(estimate).mean(axis=1, keepdims=True)
    return with_skewness(estimate, seeds=noise, units=lean, typical_share=share)


def wrong(estimate: MeanEstimate, level: float) -> Any:
    """Whether an interval leaves out the truth, which is 0."""
    low, high = limits(estimate, level)
    return (low > 0) | (high < 0)
