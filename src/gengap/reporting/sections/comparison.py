"""Every variant against the baseline: verdict, difference, and where its interval lies."""

import math
from dataclasses import dataclass

from gengap.analysis.contrasts import Contrast
from gengap.reporting.material import Material
from gengap.reporting.numbers import decimals_for, write_estimate, write_number
from gengap.reporting.section import Section
from gengap.reporting.sections.findings import needs


@dataclass(frozen=True)
class Row:
    """One line of the table, ready to be shown.

    Attributes:
        contrast: The numbers.
        difference: Difference with its interval, as text.
        p: Holm's adjusted p value, as text.
        wins: Share of pairs won, as text.
        needs: What would settle the comparison; empty where it is settled.
    """

    contrast: Contrast
    difference: str
    p: str
    wins: str
    needs: str


def comparison_section(material: Material) -> Section | None:
    """Show all contrasts at the declared epoch rule."""
    found = material.comparison
    if found is None or not found.contrasts:
        return None
    text = material.language
    rows = tuple(_row(material, one) for one in found.contrasts)
    return Section(
        "comparison",
        {
            "rows": rows,
            "reach": _reach(found.contrasts),
            "claim": text(f"claim.{'new' if found.claim == 'new cases and seeds' else 'these'}"),
            "score": text.name_of("score", found.score),
            "baseline": found.baseline,
            "rule": text(f"rule.{found.rule}"),
            "part": text(f"part.{found.part}"),
            "confidence": f"{100 * found.confidence:.4g} %",
            "better": text("larger" if found.larger_is_better else "smaller"),
        },
    )


def _reach(contrasts: tuple[Contrast, ...]) -> float:
    """Return how far the picture reaches to either side of nothing."""
    ends = [abs(end) for one in contrasts for end in (one.low, one.high, one.difference) if math.isfinite(end)]
    return max(ends, default=0.0) or 1.0


def _row(material: Material, found: Contrast) -> Row:
    return Row(
        contrast=found,
        difference=write_estimate(found.difference, found.low, found.high, sign=True),
        p=write_p(found.p_holm),
        wins=write_number(100 * found.probability_better, 0) + " %",
        needs=needs(material, found),
    )


def write_p(p: float) -> str:
    """Write a p value; below a thousandth its size says nothing more.

    Example:
        >>> write_p(0.0342), write_p(0.00001)
        ('0.034', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else write_number(p, min(decimals_for(p), 3))
