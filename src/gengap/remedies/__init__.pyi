from .clone import clone_compiled as clone_compiled
from .stopping import StoppingRule as StoppingRule
