from . import datasets as datasets
from . import errors as errors
from . import plots as plots
from . import verification as verification

__version__: str
