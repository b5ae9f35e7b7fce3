"""The tutorials retold on gengap: ready-made studies, the books' numbers, synthetic stand-ins for data.

An application of gengap, in the same wheel: `gengap demo` opens it by name, and nothing else in gengap does.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
