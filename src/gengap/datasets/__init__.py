"""Data sets with splits, units, provenance and groups; and generators whose true probabilities are known.

Real: `soundings` (embedded), `digits`, `diabetes` (scikit-learn's), `imdb` (downloaded, or a path), `storms` (a path).
Drawn by a generator: `synthetic_storms`, `reviews`. Each returns a `Dataset`; `load` finds one by name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
