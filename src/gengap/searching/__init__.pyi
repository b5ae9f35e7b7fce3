from .finding import SearchResult as SearchResult
from .ranges import Choice as Choice
from .ranges import Range as Range
from .space import Dimension as Dimension
from .space import Space as Space
from .trial_search import search as search
from .trials import Trial as Trial
