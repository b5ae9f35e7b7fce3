"""A section of the report: a title, a template and the plain values that the template shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gengap.reporting.material import Material


@dataclass(frozen=True, eq=False)
class Section:
    """One section.

    Attributes:
        name: Anchor of the section, stem of its template, and part of its texts' keys: `"title.<name>"`,
            `"lead.<name>"`.
        content: What the template shows.
    """

    name: str
    content: Mapping[str, Any]


Builder = Callable[[Material], Section | None]
"""Makes a section from the material, or None where the result holds nothing for it."""
