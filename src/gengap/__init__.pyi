from . import datasets as datasets
from . import errors as errors
from . import plots as plots
from . import verification as verification
from .remedies import L1 as L1
from .remedies import L1L2 as L1L2
from .remedies import L2 as L2
from .remedies import Dropout as Dropout
from .remedies import EarlyStopping as EarlyStopping
from .remedies import Remedy as Remedy
from .remedies import SpatialDropout as SpatialDropout
from .remedies import Subsample as Subsample
from .remedies import Width as Width
from .remedies import remedy as remedy
from .results import Result as Result
from .study import Study as Study

__version__: str
