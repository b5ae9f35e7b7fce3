"""The block of verification scores of every variant, with intervals for new cases and new seeds."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from gengap.analysis.cases import HeldOut
from gengap.analysis.climatology import SKILL_OF, climatology_scores
from gengap.analysis.comparison.estimators import ScoreName, carriers, case_values, to_units
from gengap.analysis.diagnosis.verify import verify
from gengap.analysis.tables import IntervalEstimate
from gengap.errors import GengapError
from gengap.reporting.material import Material, estimate_of
from gengap.reporting.numbers import decimals_for, write_estimate, write_number
from gengap.verification.inputs import Floats

_MEASURES: Mapping[str, tuple[str, ...]] = {
    "binary": ("roc_auc", "brier_score", "brier_skill_score"),
    "multiclass": ("accuracy", "brier_score", "brier_skill_score"),
    "regression": ("squared_error", "absolute_error", "squared_error_skill_score"),
}


@dataclass(frozen=True)
class Measure:
    """One cell: what people read, and what the table sorts by."""

    text: str
    value: float


def measures_table(material: Material) -> dict[str, object] | None:
    """Return head, rows and climatology's own score; None where there are no predictions of single targets."""
    held, task = material.held_out, material.result.task
    if held is None or held.y_true.ndim > 1:
        return None
    columns = {name: _column(material, held, name) for name in _MEASURES[task]} | _parts(material, held)
    known = {name: column for name, column in columns.items() if any(math.isfinite(one.value) for one in column)}
    if not known:
        return None
    rows = [
        (variant, [_shown(column, at) for column in known.values()])
        for at, variant in enumerate(material.result.variants)
    ]
    constant = climatology_scores(material.result, held, score=SKILL_OF[task])  # with folds a row for every seed
    reference = float(np.average(constant, axis=-1, weights=held.weight).mean())
    return {"names": list(known), "rows": rows, "climatology": write_number(reference, decimals_for(reference / 100))}


def _column(material: Material, held: HeldOut, name: str) -> list[IntervalEstimate]:
    carrying = _carriers(held, name)
    return [
        estimate_of(
            _values(material, held, variant, name),
            carriers=carrying,
            rho=material.convention(variant, material.rule),
        )
        for variant in material.result.variants
    ]


def _carriers(held: HeldOut, name: str) -> int | None:
    """How many units carry the sampling error of a measure; None for all, 0 for too few to have an interval."""
    try:
        found = carriers(held, name)
    except GengapError:
        return 0
    return None if found is None else int(found.sum())


def _parts(material: Material, held: HeldOut) -> dict[str, list[IntervalEstimate]]:
    """Parts of the binary Brier score, means over seeds: there is no interval for new cases."""
    if material.result.task != "binary":
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all runs of a variant may have diverged
        scores = verify(material.result, split=held.part, epoch=material.rule, climatology="evaluation").mean("seed")
    return {
        name: [IntervalEstimate(float(mean), math.nan, math.nan) for mean in scores[name]]
        for name in ("miscalibration", "discrimination")
    }


def _values(material: Material, held: HeldOut, variant: str, name: str) -> Floats:
    """Values of seeds and units whose mean is the measure; empty where these cases do not allow it."""
    if name in {"accuracy", "absolute_error"}:
        prediction = held.predictions(variant, material.rule).astype(np.float64)
        right = np.abs(prediction - held.y_true) if name == "absolute_error" else _right(held, prediction)
        return to_units(right, weight=held.weight, group=held.group)
    try:
        return case_values(material.result, held, variant, rule=material.rule, score=cast("ScoreName", name))
    except GengapError:
        return np.empty((0, 0))


def _right(held: HeldOut, prediction: Floats) -> Floats:
    right: Floats = (prediction.argmax(axis=-1) == held.y_true).astype(np.float64)
    right[~np.isfinite(prediction).all(axis=(1, 2))] = np.nan
    return right


def _shown(column: list[IntervalEstimate], at: int) -> Measure:
    """Write a value with its interval; all of a column have the same decimals."""
    one = column[at]
    widths = [(other.high - other.low) / 2 for other in column if math.isfinite(other.low)]
    if not math.isfinite(one.value):
        return Measure("–", one.value)
    if not widths:
        largest = max(abs(other.value) for other in column if math.isfinite(other.value))
        return Measure(write_number(one.value, decimals_for(largest / 10)), one.value)
    decimals = decimals_for(float(np.median(widths)))
    return Measure(write_estimate(one.value, one.low, one.high, decimals=decimals), one.value)
