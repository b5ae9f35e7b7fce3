from .writing import findings as findings
from .writing import render_report as render_report
from .writing import report as report
