"""How runs are trained: many Keras models as one program, or one after another in Keras' own loop."""

from typing import Any

import lazy_loader

from gengap.deprecated import NAMES, moved

_loaded, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    return moved(__name__, name) if name in NAMES[__name__] else _loaded(name)
