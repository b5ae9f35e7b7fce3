"""What penalties and capacity leave of the weights: their norm, and the share of them near zero."""

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from gengap.reporting.figures import inline_svg
from gengap.reporting.material import Material
from gengap.reporting.numbers import MISSING, decimals_for, write_number
from gengap.reporting.section import Section
from gengap.verification.inputs import Floats

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
class WeightsRow:
    """One variant."""

    variant: str
    parameters: int
    norm: Quantity
    sparsity: Quantity


def weights_section(material: Material) -> Section | None:
    """Show norms and sparsity at the last epoch; None where the result did not record them."""
    runs = material.networks.runs
    if not {"weight_norm", "sparsity", "parameters"} <= set(runs.data_vars):
        return None
    if not bool(runs["weight_norm"].notnull().any()):
        return None
    rows = tuple(
        WeightsRow(
            variant,
            int(runs["parameters"].sel(variant=variant).max()),
            _quantity(material, variant, "weight_norm"),
            _quantity(material, variant, "sparsity"),
        )
        for variant in material.networks.variants
    )
    return Section("weights", {"rows": rows, "threshold": f"{SPARSE_BELOW:g}", "figure": _figure(material)})


def _quantity(material: Material, variant: str, name: str) -> Quantity:
    everything = material.networks.runs[name]
    top = float(everything.max()) or 1.0
    values = _finite(material, variant, name)
    mean = float(values.mean()) if len(values) else math.nan
    factor, unit = (100.0, " %") if name == "sparsity" else (1.0, "")
    decimals = _decimals(material, name)
    if not len(values):
        return Quantity(MISSING, mean, ())
    spread = f" ± {write_number(factor * float(values.std(ddof=1)), decimals)}" if len(values) > 1 else ""
    return Quantity(write_number(factor * mean, decimals) + spread + unit, mean, tuple(values / top))


def _finite(material: Material, variant: str, name: str) -> Floats:
    values = material.networks.runs[name].sel(variant=variant).to_numpy().astype(np.float64)
    return values[np.isfinite(values)]


def _decimals(material: Material, name: str) -> int:
    """One number of decimals for a column: shares have one, norms what most variants leave room for."""
    if name == "sparsity":
        return 1
    found = [_finite(material, variant, name) for variant in material.networks.variants]
    widths = [float(one.std(ddof=1)) if len(one) > 1 else 0.01 * abs(float(one.mean())) for one in found if len(one)]
    return decimals_for(float(np.quantile(widths, 0.75))) if widths else 2


def _figure(material: Material) -> Markup | None:
    """Draw sparsity against its threshold where the weights themselves are there."""
    if not material.networks.weights:
        return None
    from gengap.plots.sparsity import SparsityDisplay

    display = SparsityDisplay.from_result(material.networks, declared=SPARSE_BELOW)
    label = material.language("diagram.sparsity")
    return inline_svg(
        display.plot,
        name="sparsity",
        label=label,
        language=material.language,
        names=material.networks.variants,
        figsize=(6.4, 3.9),
    )
