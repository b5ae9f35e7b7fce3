"""Result -> one ordinary Keras model with a card that says what it is, how good it is, and what it is not."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
