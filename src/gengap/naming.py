"""What may be a name: text that stays one name, and a legible one, in files, terminals, tables and figures."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from itertools import chain, count
from typing import Any

from gengap.errors import DataError, GengapError

_JOINERS = "\u200c\u200d"
"""Characters without a glyph of their own that Persian, Hindi and emoji are written with."""
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of control and format characters, halves of a pair, and breaks of lines and paragraphs."""

_ALIKE = 0.7
"""How much of two names must agree (Ratcliff and Obershelp's measure) for one to be taken for the other mistyped."""


def check_names(names: Iterable[Any], what: str, *, error: type[GengapError] = DataError) -> tuple[str, ...]:
    r"""Check names and return them as text.

    Whole numbers become their digits. Two names that differ only in white space around them, in the way accents are
    coded, or as a number does from its digits, are one to whoever reads them.

    Args:
        names: The names.
        what: What they are names of, in the plural, for messages.
        error: What is raised.

    Raises:
        GengapError: The given kind: one is not text, is empty, looks like another, or has invisible characters.

    Example:
        >>> check_names([16, "wide"], "models")
        ('16', 'wide')
    """
    given = list(names)
    texts = tuple(_as_text(name, what, error) for name in given)
    seen: dict[str, Any] = {}
    for name, text in zip(given, texts, strict=True):
        alike = unicodedata.normalize("NFC", " ".join(text.split()))
        if alike in seen:
            raise error(
                f"Names of {what} must differ; {seen[alike]!r} and {name!r} would both be shown as {alike!r}: "
                "rename one of them."
            )
        seen[alike] = name
    return texts


def did_you_mean(name: Any, names: Iterable[Any]) -> str:
    """Return a hint at the known name that is most like one that does not exist; nothing where none is like it.

    Example:
        >>> f"There is no remedy 'dorpout'{did_you_mean('dorpout', ['l2', 'dropout'])}."
        "There is no remedy 'dorpout' (did you mean 'dropout'?)."
    """
    known = {str(one).casefold(): str(one) for one in names}
    near = difflib.get_close_matches(str(name).casefold(), known, n=1, cutoff=_ALIKE)
    return f" (did you mean {known[near[0]]!r}?)" if near else ""


def name_apart(name: str, known: dict[str, str], *, kept: str) -> str:
    """Return a name of the characters that a place takes, which is no other name's there; numbered where it would be.

    Args:
        name: The name.
        known: What other names have become, by name; this one is added.
        kept: The characters that the place takes, as in a class of a regular expression; the others become `_`.

    Example:
        >>> known = {}
        >>> [name_apart(name, known, kept="a-z") for name in ("two layers", "two_layers", "two layers")]
        ['two_layers', 'two_layers-2', 'two_layers']
    """
    if name not in known:
        safe = re.sub(rf"[^{kept}]", "_", name)
        safe = safe.replace(".", "_") if not safe.strip(".") else safe  # `..` would be the folder above
        taken = {one.casefold() for one in known.values()}  # not every file system tells capital letters apart
        numbered = (f"{safe}-{number}" for number in count(2))
        known[name] = next(one for one in chain([safe], numbered) if one.casefold() not in taken)
    return known[name]


def _as_text(name: Any, what: str, error: type[GengapError]) -> str:
    if hasattr(name, "__index__") and not isinstance(name, bool):
        return str(name.__index__())
    if not isinstance(name, str):
        raise error(f"Names of {what} must be text; received {name!r} of type {type(name).__name__}.")
    if not name.strip():
        raise error(f"Names of {what} must not be empty; received {name!r}.")
    unseen = sorted({c for c in name if unicodedata.category(c) in _UNSEEN and c not in _JOINERS})
    if unseen:
        raise error(
            f"Names of {what} must hold characters that can be seen; {name!a} holds "
            f"{', '.join(f'U+{ord(c):04X}' for c in unseen)}: leave them out."
        )
    return str(name)
