"""What early stopping would have done, for any patience: computed in the page."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gengap.analysis.cases import Floats
from gengap.analysis.curves import stopping_epochs
from gengap.analysis.run_curves import choosing_curves, curves_on_test, has_fold_curves, has_test_curves
from gengap.reporting.material import Material
from gengap.reporting.numbers import MISSING, decimals_for, write_number
from gengap.reporting.section import Section

_DIGITS = 8


@dataclass(frozen=True, eq=False)
class VariantCurves:
    """Curves of one variant.

    Attributes:
        variant: Its name.
        chosen_on: Validation score that epochs are chosen on, shape `(runs, epochs)`; NaN after the end of a run. Runs
            are those of seeds, in a resampled study those of all folds of all passes.
        read: Score that is shown, test where it is known for every epoch, else validation; same shape.
    """

    variant: str
    chosen_on: Floats
    read: Floats


@dataclass(frozen=True)
class ShownMean:
    """What people read, and what the table sorts by; None where every run of the variant diverged at once."""

    text: str
    value: float | None


@dataclass(frozen=True)
class StoppingRow:
    """One line of the table.

    Attributes:
        variant: Name of the variant.
        last: At the last epoch.
        best: At the best epoch.
        stopped: With the stopping rule that the page opens with.
        stops: At which epoch the runs would stop, mean over seeds.
        saved: Share of the epochs that are not trained.
    """

    variant: str
    last: ShownMean
    best: ShownMean
    stopped: ShownMean
    stops: ShownMean
    saved: ShownMean


def stopping_section(material: Material) -> Section | None:
    """Show the last epoch, the best one and the one that early stopping would have kept."""
    result, text = material.networks, material.language
    if "val_score" not in result.history or result.history.sizes["epoch"] < 3:
        return None
    if material.resampled is not None and not has_fold_curves(result, "validation"):
        return None
    curves = [curves_of(material, variant) for variant in result.variants]
    patience = max(1, round(result.history.sizes["epoch"] / 10))
    rows = rows_of(curves, patience=patience)
    lowest = {
        name: min(rows, key=lambda row: _mean(getattr(row, name))).variant for name in ("last", "best", "stopped")
    }
    part = "test" if has_test_curves(result) else "validation"
    return Section(
        "stopping",
        {
            "rows": rows,
            "patience": patience,
            "decimals": decimals_of(curves),
            "epochs": result.history.sizes["epoch"],
            "score": text.name_of("score", result.score),
            "part": text(f"part.{part}"),
            "on_validation": part == "validation",
            "lowest": lowest,
            "folds": material.resampled is not None,
            "data": [
                {"chosen_on": _plain(one.chosen_on), "read": _plain(one.read) if part == "test" else None}
                for one in curves
            ],
        },
    )


def curves_of(material: Material, variant: str) -> VariantCurves:
    """Read the curves that choose the epoch and those that are shown, rounded as the page's script sees them."""
    result = material.networks
    chosen_on = choosing_curves(result, variant)
    read = curves_on_test(result, variant) if has_test_curves(result) else chosen_on
    return VariantCurves(variant, chosen_on, np.where(np.isfinite(chosen_on), read, np.nan))


def rows_of(curves: list[VariantCurves], *, patience: int, min_delta: float = 0.0) -> tuple[StoppingRow, ...]:
    """Fill in the table for one stopping rule."""
    trained = [np.isfinite(one.chosen_on).sum(axis=1) for one in curves]
    never = [stopping_epochs(one.chosen_on, patience=one.chosen_on.shape[1])[1] for one in curves]
    rules = [stopping_epochs(one.chosen_on, patience=patience, min_delta=min_delta) for one in curves]
    decimals = decimals_of(curves)
    last, best, stopped = (
        [_with_spread(_at(one.read, at), decimals) for one, at in zip(curves, epochs, strict=True)]
        for epochs in (trained, never, [kept for _, kept in rules])
    )
    return tuple(
        StoppingRow(
            one.variant,
            last=last[at],
            best=best[at],
            stopped=stopped[at],
            stops=_shown(stops[stops > 0], 1),
            saved=_shown((100 * (1 - stops / np.maximum(trained[at], 1)))[stops > 0], 0, " %"),
        )
        for at, (one, (stops, _)) in enumerate(zip(curves, rules, strict=True))
    )


def decimals_of(curves: list[VariantCurves]) -> int:
    """Decimals of the whole table: two digits of the usual scatter between seeds at the last epoch."""
    last = [_at(one.read, np.isfinite(one.chosen_on).sum(axis=1)) for one in curves]
    spreads = [float(np.std(kept, ddof=1)) for one in last if len(kept := one[np.isfinite(one)]) > 1]
    return decimals_for(float(np.median(spreads))) if spreads else 4


def _mean(shown: ShownMean) -> float:
    return math.inf if shown.value is None else shown.value


def _with_spread(values: Floats, decimals: int) -> ShownMean:
    kept = values[np.isfinite(values)]
    shown = _shown(kept, decimals)
    spread = f" ± {write_number(float(kept.std(ddof=1)), decimals)}" if len(kept) > 1 else ""
    return ShownMean(shown.text + spread, shown.value)


def _shown(values: Floats, decimals: int, unit: str = "") -> ShownMean:
    if not len(values):
        return ShownMean(MISSING, None)
    mean = float(values.mean())
    return ShownMean(write_number(mean, decimals) + unit, mean)


def _at(curves: Floats, epochs: Floats) -> Floats:
    return np.array([curve[epoch - 1] if epoch else np.nan for curve, epoch in zip(curves, epochs, strict=True)])


def _plain(curves: Floats) -> list[list[Any]]:
    """Enough digits that no two epochs change places; JSON knows no NaN."""
    return [[float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in row] for row in curves]
