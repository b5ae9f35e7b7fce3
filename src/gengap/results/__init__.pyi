from .files import is_result as is_result
from .result import EpochRule as EpochRule
from .result import Result as Result
