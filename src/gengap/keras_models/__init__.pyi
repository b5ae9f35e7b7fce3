from .clone import clone_compiled as clone_compiled
