from .anatomy import Anatomy as Anatomy
from .anatomy import Call as Call
from .clone import clone_compiled as clone_compiled
