"""Outputs of a notebook: one that can be changed, and none where a library would leave an empty one."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Protocol, cast


class Handle(Protocol):
    """An output of a notebook that can be changed, as `IPython.display.display(..., display_id=True)` returns it."""

    def update(self, obj: Any, **kwargs: Any) -> None:
        """Show something else in its place."""


def notebook_display() -> Callable[[dict[str, str]], Handle] | None:
    """Return what opens a changeable output, or None where this process serves no notebook."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it; we never do so by ourselves
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or "IPKernelApp" not in shell.config:
        return None
    display = import_module("IPython.display").display
    return lambda bundle: cast("Handle", display(bundle, raw=True, display_id=True))


def without_displays() -> AbstractContextManager[Any]:
    """Keep what runs inside from adding outputs to a notebook; rich, which Keras' summary uses, adds empty ones."""
    if notebook_display() is None:
        return nullcontext()
    capture: AbstractContextManager[Any] = import_module("IPython.utils.capture").capture_output(
        stdout=False, stderr=False
    )
    return capture
