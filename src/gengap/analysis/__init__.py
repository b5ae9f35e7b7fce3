"""What a result means: comparison, diagnosis, audit; all from saved numbers, without Keras or torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
