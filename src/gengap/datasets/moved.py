"""Names that stood here until the generators moved to `gengap_examples`; they work for one more release."""

import warnings
from importlib import import_module
from typing import Any

MOVED = ("reviews", "rotation_probability", "synthetic_storms")


def moved(name: str) -> Any:
    """Return what stands in `gengap_examples` now, with a warning that says so."""
    warnings.warn(
        f"`gengap.datasets.{name}` has moved and will go with the next release: `from gengap_examples import {name}`.",
        DeprecationWarning,
        stacklevel=3,
    )
    return getattr(import_module("gengap_examples"), name)
