"""Exceptions and warnings, as one tree.

```text
GengapError
├── DataError (ValueError)          the data cannot be used: NaN, one class, lengths that differ, an empty split
├── ModelError (ValueError)         the model cannot be used: not compiled, subclassed where a graph is needed
├── RemedyError (ValueError)        the surgery is impossible on this model
├── UnknownNameError (LookupError)  no such variant, layer, score, data set or file entry
├── StoreError (OSError)            a store is damaged, locked, full or not ours
│   └── StudyChangedError           a store holds another study than the one that wants to continue it
└── MissingExtraError (ImportError) an optional library is not installed
GengapWarning (UserWarning)
├── StatisticsWarning               the statistical claim is weaker than it looks
├── DataWarning                     duplicates, imbalance, a dropped remainder
├── SlowPathWarning                 a layer or optimizer takes the slow door of the engine
└── NoiseWarning                    noise is left off where it would be part of the answer, or cannot be taken out
```

Plain `ValueError` and `TypeError` are raised where nobody would want to catch one of ours in particular.
"""

from importlib import import_module
from types import ModuleType


class GengapError(Exception):
    """Base of every exception that gengap raises on purpose."""


class DataError(GengapError, ValueError):
    """The data cannot be used as given; the message says what to change."""


class ModelError(GengapError, ValueError):
    """The model cannot be used as given; the message says what to change."""


class RemedyError(GengapError, ValueError):
    """The remedy cannot be applied to this model; the message says what to do instead."""


class UnknownNameError(GengapError, LookupError):
    """Nothing has this name; the message lists the names that exist."""


class StoreError(GengapError, OSError):
    """A store on disk is damaged, locked by another process, full, or not a store of gengap."""


class StudyChangedError(StoreError):
    """The store holds a study with another model, data or specification; the message names the difference."""


class MissingExtraError(GengapError, ImportError):
    """An optional library is needed; the message gives the command that installs it."""


def need(library: str, how: str) -> ModuleType:
    """Return an optional library.

    Args:
        library: What it is imported as.
        how: What needs it, and the command that installs it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(library)
    except ImportError as reason:
        raise MissingExtraError(how) from reason


class GengapWarning(UserWarning):
    """Base of every warning that gengap gives on purpose."""


class StatisticsWarning(GengapWarning):
    """A statistical claim is weaker than it looks: too few seeds or cases, an approximation at its edge."""


class DataWarning(GengapWarning):
    """The data hold something a careful user would want to know."""


class SlowPathWarning(GengapWarning):
    """A layer or an optimizer takes the slow, always right door of the engine; said once."""


class NoiseWarning(GengapWarning):
    """Some noise of a model is left off a predictive distribution, or stays on in its deterministic forecast."""
