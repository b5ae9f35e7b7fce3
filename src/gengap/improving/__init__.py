"""One call that does it all: strengths searched within a time, judged beside references, reported and shipped."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
