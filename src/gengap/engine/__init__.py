"""How runs are trained: many Keras models as one program, or one after another in Keras' own loop."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
