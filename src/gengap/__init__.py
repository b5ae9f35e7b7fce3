"""Does my Keras model overfit, what closes the gap, is it real, and how sure is it of this case?

Every public name is listed in `__init__.pyi` and loaded when it is first used, so `import gengap` stays quick.
"""

import lazy_loader

from gengap._version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
