"""What a result means: comparison, diagnosis, audit; all from saved numbers, without Keras or torch."""

from gengap.analysis.auditing import Audit, audit
from gengap.analysis.comparison import Comparison, compare
from gengap.analysis.contrasts import Contrast
from gengap.analysis.diagnosis import Diagnosis, diagnose
from gengap.analysis.stopping import early_stopping
from gengap.analysis.summary import summarize
from gengap.analysis.tables import Table
from gengap.analysis.verify import verify

__all__ = [
    "Audit",
    "Comparison",
    "Contrast",
    "Diagnosis",
    "Table",
    "audit",
    "compare",
    "diagnose",
    "early_stopping",
    "summarize",
    "verify",
]
