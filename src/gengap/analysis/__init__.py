"""What a result means: comparison, diagnosis, audit; all from saved numbers, without Keras or torch."""

from gengap.analysis.comparison.comparison import Comparison, compare
from gengap.analysis.comparison.contrasts import Contrast
from gengap.analysis.decision.gate import Gate, gate
from gengap.analysis.decision.recommendation import Recommendation, recommend
from gengap.analysis.diagnosis.auditing import Audit, audit
from gengap.analysis.diagnosis.diagnosis import Diagnosis, diagnose
from gengap.analysis.diagnosis.stopping import early_stopping
from gengap.analysis.diagnosis.verify import verify
from gengap.analysis.summary import summarize
from gengap.analysis.tables import Table

__all__ = [
    "Audit",
    "Comparison",
    "Contrast",
    "Diagnosis",
    "Gate",
    "Recommendation",
    "Table",
    "audit",
    "compare",
    "diagnose",
    "early_stopping",
    "gate",
    "recommend",
    "summarize",
    "verify",
]
