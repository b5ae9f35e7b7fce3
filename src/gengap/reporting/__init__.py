"""Result -> one self-contained HTML page: findings first, then what they rest on; no Keras, no network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
