"""What a result means: comparison, diagnosis, audit; all from saved numbers, without Keras or torch."""

from gengap.analysis.comparison import Comparison, compare
from gengap.analysis.contrasts import Contrast
from gengap.analysis.summary import summarize
from gengap.analysis.tables import Table

__all__ = ["Comparison", "Contrast", "Table", "compare", "summarize"]
