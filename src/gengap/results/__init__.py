"""A result: what a study leaves, as named arrays that open without Keras or torch; also of other tools' runs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
