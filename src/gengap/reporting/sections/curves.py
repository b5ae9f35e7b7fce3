"""Learning curves as data for the page's own script, which draws them and answers to pointer and keys."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import stats

from gengap.analysis.curves import Curve, learning_curve
from gengap.analysis.summary import RULES, at_epoch
from gengap.reporting.material import Material
from gengap.reporting.numbers import MISSING, write_number
from gengap.reporting.section import Section
from gengap.results import EpochRule

_DIGITS = 5
_MOST_SHOWN = 4
"""More variants than this start with the baseline and the leader; the others are chosen by the reader."""
_MOST_RUNS = 20
"""More single runs than this would hide the means; the reader can ask for them."""


def curves_section(material: Material) -> Section | None:
    """Hand over every curve that the result holds, with the interval of its mean and every seed."""
    result = material.networks
    if not result.history.sizes.get("epoch"):
        return None
    few = len(result.variants) <= _MOST_SHOWN
    shown = range(len(result.variants)) if few else {0, result.variants.index(material.leader)}
    return Section(
        "curves",
        {
            "data": curve_data(material),
            "split": "both" if "val_score" in result.history else "training",
            "chosen": sorted(shown),
            "show_seeds": len(result.seeds) * len(shown) <= _MOST_RUNS,
        },
    )


def curve_data(material: Material) -> dict[str, Any]:
    """Return what the script draws: plain lists, rounded to what a screen can show."""
    result, text = material.networks, material.language
    quantities = [
        {
            "name": name,
            "label": text.name_of("score", result.score) if name == "score" else text.name_of("curve", name),
            "training": _curves(material, "train_score" if name == "score" else name),
            "heldout": _curves(material, f"val_{name}"),
        }
        for name in quantity_names(material)
    ]
    return {
        "variants": list(result.variants),
        "seeds": list(result.seeds),
        "epochs": [int(epoch) for epoch in result.history["epoch"].values],
        "quantities": quantities,
        "best": _whole(material, "best_epoch"),
        "last": _whole(material, "epochs"),
        "epoch_at": {rule: [_epoch(material, variant, rule) for variant in result.variants] for rule in RULES},
    }


def quantity_names(material: Material) -> list[str]:
    """Name the quantities: the common score, the objective, its penalty, then the metrics."""
    names = [str(name) for name in material.networks.history.data_vars]
    plain = [name for name in names if not name.startswith("val_") and name != "train_score"]
    first = [name for name in ("loss", "penalty") if name in plain]
    return ["score", *first, *(name for name in plain if name not in first)]


def _curves(material: Material, name: str) -> list[dict[str, Any]]:
    result = material.networks
    if name not in result.history or not bool(result.history[name].notnull().any()):
        return []
    return [_plain(material, learning_curve(result, variant, name)) for variant in result.variants]


def _plain(material: Material, curve: Curve) -> dict[str, Any]:
    return {
        "at": {rule: _rounded(reading(material, curve.variant, curve.name, rule)) for rule in RULES},
        "mean": _rounded(curve.mean),
        "low": _rounded(curve.low),
        "high": _rounded(curve.high),
        "seeds": [_rounded(row) for row in curve.seeds],
    }


def reading(material: Material, variant: str, name: str, rule: EpochRule) -> tuple[float, float, float]:
    """Mean over seeds of a curve at each run's best or last epoch, with the 95 % t interval of that mean."""
    values = at_epoch(material.networks, variant, name, rule)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (float(values[0]) if len(values) else math.nan), math.nan, math.nan
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return float(values.mean()), float(values.mean()) - half, float(values.mean()) + half


def _epoch(material: Material, variant: str, rule: EpochRule) -> str:
    """Write at which epochs the runs are read: one, or the mean where they differ."""
    name = "best_epoch" if rule == "best" else "epochs"
    if name not in material.networks.runs:
        return MISSING
    epochs = material.networks.runs[name].sel(variant=variant).to_numpy()
    epochs = epochs[epochs > 0]  # 0: the run diverged before it had one
    if not len(epochs):
        return MISSING
    return write_number(float(epochs.mean()), 0 if np.ptp(epochs) == 0 else 1)


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Round to significant digits; JSON knows no NaN, so a missing epoch is null."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in map(float, values)]


def _whole(material: Material, name: str) -> list[list[int]]:
    runs = material.networks.runs
    if name not in runs:
        return []
    return [[int(epoch) for epoch in runs[name].sel(variant=variant).values] for variant in material.networks.variants]
