from .declaration import Study as Study
from .loading import load as load
