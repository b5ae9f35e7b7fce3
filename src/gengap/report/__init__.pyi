from .writing import render_report as render_report
from .writing import write_report as write_report
