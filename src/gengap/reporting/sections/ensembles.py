"""The mean forecast of every variant's runs: what it scores, and what it gains over a run alone."""

import math
from collections.abc import Mapping, Sequence

from gengap.analysis.comparison.ensembles import EnsembleRow, ensembles
from gengap.analysis.tables import IntervalEstimate
from gengap.errors import GengapError
from gengap.reporting.material import Material
from gengap.reporting.numbers import MISSING, decimals_for, write_estimate, write_number
from gengap.reporting.section import Section


def ensembles_section(material: Material) -> Section | None:
    """Show ensembles of networks; None where there are no forecasts of two seeds, or no mean of them has the score."""
    result, text = material.networks, material.language
    if material.held_out is None or len(result.seeds) < 2:
        return None
    try:
        found = ensembles(result)
    except GengapError:
        return None
    rows = [row for row in found.rows if row.members > 1]
    if not rows:
        return None
    decimals = {
        "score": _decimals([row.score for row in rows]),
        "gain": _decimals([row.gain for row in rows]),
        "difference": _decimals([row.difference for row in rows]),
    }
    return Section(
        "ensembles",
        {
            "rows": [_row(row, decimals) for row in rows],
            "members": max(row.members for row in rows),
            "compared": len(rows) > 1,
            "part": text(f"part.{found.part}"),
            "rule": text(f"rule.{found.rule}"),
            "score": text.name_of("score", found.score),
            "better": text("larger" if found.larger_is_better else "smaller"),
            "confidence": f"{100 * found.confidence:.4g} %",
            "folds": material.resampled is not None,
        },
    )


def _decimals(column: Sequence[IntervalEstimate]) -> int:
    """Return the decimals of a column: those that its narrowest interval leaves room for."""
    widths = [(one.high - one.low) / 2 for one in column if math.isfinite(one.low)]
    return decimals_for(min(widths, default=abs(column[0].value) / 100))


def _row(row: EnsembleRow, decimals: Mapping[str, int]) -> dict[str, object]:
    return {
        "variant": row.variant,
        "cells": {
            "score": (row.score.value, _written(row.score, decimals["score"])),
            "single": (row.single, write_number(row.single, decimals["score"])),
            "gain": (row.gain.value, _written(row.gain, decimals["gain"], sign=True)),
            "difference": (row.difference.value, _written(row.difference, decimals["difference"], sign=True)),
        },
    }


def _written(one: IntervalEstimate, decimals: int, *, sign: bool = False) -> str:
    if not math.isfinite(one.value):
        return MISSING
    return write_estimate(one.value, one.low, one.high, decimals=decimals, sign=sign)
