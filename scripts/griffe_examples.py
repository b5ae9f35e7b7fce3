"""Lets the reference show `Example:` sections as code, which griffe knows as `Examples:` only."""

import re
from typing import Any

import griffe

HEADING = re.compile(r"^( *)Example:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Renames the heading before docstrings are parsed."""

    def on_object(self, *, obj: Any, **kwargs: Any) -> None:  # noqa: ARG002  griffe's signature
        """Rename it in one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = HEADING.sub(r"\1Examples:", obj.docstring.value)
