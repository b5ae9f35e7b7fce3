"""What the curves show and what the audit found, by code, the most important first."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from gengap.analysis.findings.codes import Code, Finding, Severity
from gengap.reporting.languages import Language
from gengap.reporting.material import Material
from gengap.reporting.section import Section

_ORDER: tuple[Severity, ...] = ("serious", "warning", "info")


@dataclass(frozen=True)
class Item:
    """One finding: about what, what was found, how much it weighs."""

    subject: str
    sentence: str
    severity: Severity


@dataclass(frozen=True)
class Entry:
    """All findings of one code, so that what it means and what to do is said once."""

    code: Code
    severity: Severity
    items: tuple[Item, ...]


def audit_section(material: Material) -> Section | None:
    """Show the coded findings of diagnosis and audit."""
    entries = entries_of(material.findings, material.language)
    return Section("audit", {"entries": entries}) if entries else None


def entries_of(findings: Iterable[Finding], language: Language) -> tuple[Entry, ...]:
    """Gather findings by code, the most serious code first, within a code the most serious finding."""
    by_code = sorted(findings, key=lambda one: (one.code, _ORDER.index(one.severity)))
    entries = []
    for code, found in groupby(by_code, key=lambda one: one.code):
        items = [
            Item(language.write(one.subject), with_true_minus(language.write(one.message)), one.severity)
            for one in found
        ]
        entries.append(Entry(language.codes[code], items[0].severity, tuple(items)))
    return tuple(sorted(entries, key=lambda entry: _ORDER.index(entry.severity)))


def with_true_minus(sentence: str) -> str:
    """Set a minus before negative numbers, where Python writes a hyphen; names keep theirs.

    Example:
        >>> with_true_minus("layer-1: 0.02 [-0.01, 0.05]")
        'layer-1: 0.02 [−0.01, 0.05]'
    """
    return re.sub(r"(?<![\w.)-])-(?=\d)", "−", sentence)
