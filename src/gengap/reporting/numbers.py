"""Numbers as people read them: the page and the tables write them alike."""

from gengap.analysis.numbers import MISSING, decimals_for, write_estimate, write_number, write_p, write_spread

__all__ = ["MISSING", "decimals_for", "write_estimate", "write_number", "write_p", "write_spread"]
