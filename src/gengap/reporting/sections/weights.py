"""What penalties and capacity leave of the weights: their norm, and the share of them near zero."""

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from gengap.reporting.figures import inline_svg
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_spread
from gengap.reporting.section import Section

SPARSE_BELOW = 1e-3
"""Below this a weight counted as zero when the study recorded `sparsity` (`gengap.study.assembly.SPARSE_BELOW`)."""


@dataclass(frozen=True)
class Quantity:
    """One quantity of one variant: what people read, what the table sorts by, and a dot for each seed.

    Attributes:
        text: Mean ± standard deviation over seeds.
        mean: Their mean.
        dots: Where the seeds lie between 0 and the largest value of the whole column.
    """

    text: str
    mean: float
    dots: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """One variant."""

    variant: str
    parameters: int
    norm: Quantity
    sparsity: Quantity


def weights_section(material: Material) -> Section | None:
    """Show norms and sparsity at the last epoch; None where the result did not record them."""
    runs = material.result.runs
    if not {"weight_norm", "sparsity", "parameters"} <= set(runs.data_vars):
        return None
    if not bool(runs["weight_norm"].notnull().any()):
        return None
    rows = tuple(
        Row(
            variant,
            int(runs["parameters"].sel(variant=variant).max()),
            _quantity(material, variant, "weight_norm"),
            _quantity(material, variant, "sparsity"),
        )
        for variant in material.result.variants
    )
    return Section("weights", {"rows": rows, "threshold": f"{SPARSE_BELOW:g}", "figure": _figure(material)})


def _quantity(material: Material, variant: str, name: str) -> Quantity:
    everything = material.result.runs[name]
    values = everything.sel(variant=variant).to_numpy().astype(np.float64)
    values = values[np.isfinite(values)]
    top = float(everything.max()) or 1.0
    mean = float(values.mean()) if len(values) else math.nan
    sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Quantity(write_spread(mean, sd), mean, tuple(values / top))


def _figure(material: Material) -> Markup | None:
    """Draw sparsity against its threshold where the weights themselves are there."""
    if not material.result.weights:
        return None
    from gengap.plots.sparsity import SparsityDisplay

    display = SparsityDisplay.from_result(material.result, declared=SPARSE_BELOW)
    label = material.language("diagram.sparsity")
    return inline_svg(
        display.plot,
        name="sparsity",
        label=label,
        language=material.language,
        names=material.result.variants,
        figsize=(4.8, 3.6),
    )
