"""How sure is it of this case? Distributions from dropout and seeds, their quality, the choice of the rate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
