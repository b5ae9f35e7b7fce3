"""Every variant against the baseline: verdict, differences at both epochs, and where their intervals lie."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gengap.analysis.comparison.comparison import Comparison
from gengap.analysis.comparison.contrasts import Contrast
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_number, write_p, write_tick
from gengap.reporting.section import Section
from gengap.reporting.sections.findings import needs

_MOST_TICKS = 3


@dataclass(frozen=True)
class Reading:
    """A difference at one epoch.

    Attributes:
        rule: Which epoch.
        contrast: The numbers.
        text: Difference with its interval, as text.
        primary: Whether the verdict is about it.
    """

    rule: str
    contrast: Contrast
    text: str
    primary: bool


@dataclass(frozen=True)
class Scale:
    """The axis that the pictures of all rows share.

    Attributes:
        low: Value at its left end.
        high: Value at its right end.
        ticks: Round values on it, and how they are written.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float) -> float:
        """Return where a value lies, between 0 and 100."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the table, ready to be shown.

    Attributes:
        contrast: The numbers that carry the verdict.
        readings: Differences at the best and at the last epoch; one where the result knows no epochs.
        p: Holm's adjusted p value, as text.
        wins: Share of pairs won, as text.
        needs: What a verdict would take; empty where there is one.
    """

    contrast: Contrast
    readings: tuple[Reading, ...]
    p: str
    wins: str
    needs: str


def comparison_section(material: Material) -> Section | None:
    """Show all contrasts, the declared epoch rule beside the other one."""
    found = material.comparison
    if found is None or not found.contrasts:
        return None
    text = material.language
    rows = tuple(_row(material, found, one) for one in found.contrasts)
    readings = [reading for row in rows for reading in row.readings]
    return Section(
        "comparison",
        {
            "rows": rows,
            "open": any(row.needs for row in rows),
            "rules": tuple(reading.rule for reading in rows[0].readings),
            "scale": scale_of(reading.contrast for reading in readings),
            "claim": text(f"claim.{'these' if found.claim == 'this test set' else 'new'}"),
            "score": text.name_of("score", found.score),
            "baseline": text("the.baseline")
            if found.baseline == "baseline"
            else text("the.other", name=found.baseline),
            "rule": text(f"rule.{found.rule}"),
            "part": text(f"part.{found.part}"),
            "confidence": f"{100 * found.confidence:.4g} %",
            "better": text("larger" if found.larger_is_better else "smaller"),
            "side": text("kind.worse" if found.larger_is_better else "kind.better"),
        },
    )


def _row(material: Material, comparison: Comparison, found: Contrast) -> ComparisonRow:
    other = [one for one in comparison.descriptive if one.variant == found.variant and material.has_curves]
    readings = [_reading(found, primary=True), *(_reading(one, primary=False) for one in other)]
    return ComparisonRow(
        contrast=found,
        readings=tuple(sorted(readings, key=lambda one: one.rule)),
        p=write_p(found.p_holm),
        wins=write_number(100 * found.probability_better, 0) + " %" if math.isfinite(found.probability_better) else "–",
        needs=needs(material, found, "short"),
    )


def _reading(found: Contrast, *, primary: bool) -> Reading:
    return Reading(found.rule, found, f"{found.shown:+}", primary)


def scale_of(contrasts: Iterable[Contrast]) -> Scale:
    """Return the scale that shows nothing (0) and every interval."""
    ends = [end for one in contrasts for end in (one.low, one.high, one.difference) if math.isfinite(end)]
    low, high = min(0.0, *ends, 0.0), max(0.0, *ends, 0.0)
    if low == high:
        return Scale(-1.0, 1.0, ((0.0, "0"),))
    step = next(size for size in _round_sizes((high - low) / _MOST_TICKS) if size >= (high - low) / _MOST_TICKS)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    marks = [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return Scale(low, high, tuple((mark, write_tick(mark, decimals)) for mark in marks))


def _round_sizes(rough: float) -> tuple[float, ...]:
    power = 10.0 ** math.floor(math.log10(rough))
    return tuple(factor * power for factor in (1, 2, 5, 10))
