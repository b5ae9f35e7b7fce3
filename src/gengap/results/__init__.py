"""A result: what a study leaves, as named arrays that open without Keras or torch; also of other tools' runs."""

from gengap.results.files import is_result
from gengap.results.result import EpochRule, Result

__all__ = ["EpochRule", "Result", "is_result"]
