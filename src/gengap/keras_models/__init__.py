"""The one room that opens Keras' private parts: graph, anatomy, clone, compile state, weights, noise."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
