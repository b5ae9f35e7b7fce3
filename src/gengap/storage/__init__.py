"""The crash-safe store of a study: a folder that survives `kill -9`, a full disk and two writers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
