"""What in a folder belongs to a store, by names that no user would choose and by content: the rest is never touched."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from gengap.errors import StoreError
from gengap.storage import schema
from gengap.storage.files import is_part
from gengap.storage.lock import HOLDER, LOCK, is_holder

LEDGER = "ledger.sqlite"
MANIFEST = "manifest.json"
ARRAYS = "arrays"

_BESIDE = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to the name of a database for the files beside it."""


def foreign(folder: Path) -> list[str]:
    """Return what keeps a folder from becoming a new store: everything that a store's making would not have left there.

    A making that was killed leaves an empty `arrays`, a ledger without runs, the lock, the writer's name, and files
    with random names.
    """
    if not folder.exists():
        return []
    return sorted(name for path in folder.iterdir() for name in _foreign(path))


def is_manifest(path: Path) -> bool:
    """Say whether a file is the copy of a manifest, whole or with a wrong checksum."""
    try:
        copy = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(copy, dict) and copy.keys() == {"digest", "manifest"}


def ledger_files(folder: Path) -> list[Path]:
    """Return the ledger and what SQLite keeps beside it."""
    return [path for beside in _BESIDE if (path := folder / f"{LEDGER}{beside}").exists()]


def refuse_links(folder: Path) -> None:
    """Check that no part of a store is a link, through which a writer would change what lies elsewhere.

    Raises:
        StoreError: One is.
    """
    for name in (ARRAYS, MANIFEST, HOLDER, LEDGER, LOCK):
        if (folder / name).is_symlink():
            raise StoreError(
                f"{folder / name} is a link, and a store does not write through links: put the whole folder where the "
                "link leads, and give that folder"
            )


def _foreign(path: Path) -> list[str]:
    name = path.name
    if path.is_symlink():
        return [name]
    if name == ARRAYS and path.is_dir():
        return [f"{ARRAYS}/{inner.name}" for inner in path.iterdir() if not is_part(inner)]
    if not path.is_file():
        return [name]
    if name == LEDGER:
        ours = _is_empty_ledger(path)
    elif name == LOCK:
        ours = path.stat().st_size == 0  # locks are taken on it, nothing is ever written into it
    elif name == HOLDER:
        ours = is_holder(path)
    else:
        beside = {f"{database}{suffix}" for database in (LEDGER, LOCK) for suffix in _BESIDE[1:]}
        ours = is_part(path) or name in beside
    return [] if ours else [name]


def _is_empty_ledger(path: Path) -> bool:
    """Say whether a file is a ledger without runs, or one whose making was killed before its tables were there."""
    if path.stat().st_size == 0:
        return True
    try:
        with closing(schema.connect(path, writable=False)) as connection:
            if schema.version(connection) == 0:
                return True
            (runs,) = connection.execute("SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM state)").fetchone()
    except sqlite3.DatabaseError:
        return False
    return not runs
