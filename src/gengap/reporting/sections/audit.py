"""What the curves show and what the audit found, with codes, the serious first."""

from dataclasses import dataclass

from gengap.analysis.codes import Finding, describe
from gengap.reporting.material import Material
from gengap.reporting.section import Section

_ORDER = ("serious", "warning", "info")


@dataclass(frozen=True)
class Row:
    """One line of the table: the finding, what its code is called, what to do, its rank for sorting."""

    finding: Finding
    title: str
    advice: str
    rank: int


def audit_section(material: Material) -> Section | None:
    """Show the coded findings of diagnosis and audit."""
    found = sorted(material.findings, key=lambda one: _ORDER.index(one.severity))
    if not found:
        return None
    rows = tuple(
        Row(one, describe(one.code).title, describe(one.code).remedy, _ORDER.index(one.severity)) for one in found
    )
    return Section("audit", {"rows": rows})
