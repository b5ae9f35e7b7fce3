"""Data sets with splits, units, provenance and groups.

Embedded: `soundings`, `digits`, `diabetes` (scikit-learn's). From files: `imdb` (downloaded, or a path), `storms` (a
path), `read_split`. Each returns a `Dataset` or a `Split`; `load` finds one by name. Generators whose true
probabilities are known, `reviews` and `synthetic_storms`, are in `gengap_examples`.
"""

from typing import Any

import lazy_loader

from gengap.deprecated import NAMES, moved

_listed, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    return moved(__name__, name) if name in NAMES[__name__] else _listed(name)
