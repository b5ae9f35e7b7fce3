"""Finding the strength: trials that train together, their choice paid for, and one call that does it all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
