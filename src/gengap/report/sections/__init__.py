"""The sections of the report, in the order in which a reader needs them; one file per section."""

from gengap.report.section import Builder
from gengap.report.sections.audit import audit_section
from gengap.report.sections.cases import cases_section
from gengap.report.sections.comparison import comparison_section
from gengap.report.sections.curves import curves_section
from gengap.report.sections.findings import findings_section
from gengap.report.sections.provenance import provenance_section
from gengap.report.sections.scores import scores_section
from gengap.report.sections.verification import verification_section
from gengap.report.sections.weights import weights_section

SECTIONS: tuple[Builder, ...] = (
    findings_section,
    comparison_section,
    scores_section,
    curves_section,
    verification_section,
    cases_section,
    weights_section,
    audit_section,
    provenance_section,
)
