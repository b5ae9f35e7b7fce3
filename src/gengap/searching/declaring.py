"""What a search in a folder is, written down beside its trials, so that no other search continues it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gengap.errors import StoreError, StudyChangedError
from gengap.searching.drawing import JOURNAL
from gengap.searching.space import Space
from gengap.storage import Store
from gengap.storage.files import saying_unwritable, write_text

_NAME = "search.json"
_TOGETHER = 16
"""Trials of a round in the versions that did not write it down."""


def declare(
    folder: Path, space: Space, *, seed: int, pruning: int | None, epoch: str, seeds: Sequence[int], together: int
) -> int:
    """Write down what the search is; refuse to continue another one.

    Args:
        folder: Folder of the search, which is made where there is none.
        space: Where strengths are sought.
        seed: Fixes the draws.
        pruning: Factor of the halving.
        epoch: The epoch that runs are read at.
        seeds: Seeds of every trial.
        together: Trials of a round, of a search that begins now.

    Returns:
        Trials of a round: a search goes on as it began, to the same trials.

    Raises:
        StudyChangedError: The folder holds another search; the sentence names the difference.
        StoreError: The folder cannot be written to, what it says of its search cannot be read, or it holds a journal
            of somebody else's.
    """
    told = {"space": space.describe(), "seed": seed, "pruning": pruning, "epoch": epoch, "seeds": list(seeds)}
    path = folder / _NAME
    with saying_unwritable(folder, new=True):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _refuse_what_is_not_ours(folder)
            write_text(path, json.dumps({**told, "together": together}, indent=1))
            return together
    kept = _read(path)
    together = kept.pop("together")
    for name, known in kept.items():
        if told.get(name) != known:
            raise StudyChangedError(
                f"{folder} holds another search: {name} is {known!r} there and {told.get(name)!r} now; undo the "
                "change, or choose another folder."
            )
    return together


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        known = None
    known = {"together": _TOGETHER, **known} if isinstance(known, dict) else {}
    if not isinstance(known.get("together"), int) or known["together"] < 1:
        raise StoreError(
            f"{path} is damaged, which says what the search of this folder is: delete it, and search with the settings "
            "of before; the trials beside it are kept."
        )
    return known


def _refuse_what_is_not_ours(folder: Path) -> None:
    """Refuse a folder whose journal would be written over, and was not written by a search."""
    if (folder / JOURNAL).exists() and not Store.exists(folder / "trials"):
        raise StoreError(
            f"{folder / JOURNAL} was not written by a search of gengap, and would be written over: choose another "
            "folder."
        )
