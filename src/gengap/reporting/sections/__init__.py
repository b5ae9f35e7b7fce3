"""The sections of the report, in the order in which a reader needs them; one file per section."""

from gengap.reporting.section import Builder
from gengap.reporting.sections.audit import audit_section
from gengap.reporting.sections.cases import cases_section
from gengap.reporting.sections.comparison import comparison_section
from gengap.reporting.sections.curves import curves_section
from gengap.reporting.sections.decision import decision_section
from gengap.reporting.sections.ensembles import ensembles_section
from gengap.reporting.sections.findings import findings_section
from gengap.reporting.sections.noise import noise_section
from gengap.reporting.sections.provenance import provenance_section
from gengap.reporting.sections.scores import scores_section
from gengap.reporting.sections.stopping import stopping_section
from gengap.reporting.sections.verification import verification_section
from gengap.reporting.sections.weights import weights_section

SECTIONS: tuple[Builder, ...] = (
    decision_section,
    findings_section,
    comparison_section,
    scores_section,
    ensembles_section,
    curves_section,
    stopping_section,
    verification_section,
    cases_section,
    noise_section,
    weights_section,
    audit_section,
    provenance_section,
)
