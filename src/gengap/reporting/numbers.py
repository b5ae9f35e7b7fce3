"""Numbers as people read them: the page and the tables write them alike."""

from gengap.analysis.numbers import (
    MISSING,
    decimals_for,
    write_estimate,
    write_number,
    write_p,
    write_score,
    write_spread,
    write_tick,
)

__all__ = [
    "MISSING",
    "decimals_for",
    "write_estimate",
    "write_number",
    "write_p",
    "write_score",
    "write_spread",
    "write_tick",
]
