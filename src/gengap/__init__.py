"""Does my Keras model overfit, what closes the gap, is it real, and how sure is it of this case?

Every public name is listed in `__init__.pyi` and loaded when it is first used, so `import gengap` stays quick.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import lazy_loader

from gengap._version import __version__


def _choose_backend() -> None:
    """Take torch where Keras would otherwise fail to import: no backend is set, or the one that is set is absent."""
    if "KERAS_BACKEND" in os.environ or "keras" in sys.modules:
        return
    settings = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        backend = json.loads(settings.read_text()).get("backend", "tensorflow")
    except (OSError, ValueError):
        backend = "tensorflow"
    if find_spec(backend) is None:
        os.environ["KERAS_BACKEND"] = "torch"


_choose_backend()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
