"""The ledger's tables, as the steps that lead from an empty SQLite file to today's schema."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from gengap.errors import StoreError

Journal = Literal["auto", "wal", "rollback"]
"""How SQLite keeps a transaction whole: a write-ahead log, or a rollback journal where that log does not work."""

APPLICATION_ID = 0x67656E67
"""Marks an SQLite file as a ledger of gengap ("geng")."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE manifest (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT NOT NULL, digest TEXT NOT NULL);
    CREATE TABLE run (
        variant TEXT, seed INTEGER, results TEXT, results_size INTEGER, weights TEXT, weights_size INTEGER,
        digest TEXT, PRIMARY KEY (variant, seed)
    );
    CREATE TABLE epoch (
        variant TEXT, seed INTEGER, epoch INTEGER, logs TEXT, PRIMARY KEY (variant, seed, epoch)
    ) WITHOUT ROWID;
    CREATE TABLE state (kind TEXT, name TEXT, file TEXT, size INTEGER, saved TEXT, PRIMARY KEY (kind, name));
    """,
)
"""Step i leads from schema version i to i + 1; a new version appends a step and never edits one."""

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs",
}  # fmt: skip


def connect(path: Path, *, writable: bool, journal: Journal = "auto") -> sqlite3.Connection:
    """Open a ledger.

    Args:
        path: The SQLite file.
        writable: Whether it may be made and changed.
        journal: `"auto"` takes the rollback journal on a network file system, where WAL does not work, else WAL.

    Raises:
        sqlite3.DatabaseError: The file is not a SQLite file, or damaged.
        StoreError: The file belongs to another program or to a newer version of gengap.
    """
    connection = _connect_for_writing(path, journal) if writable else _connect_for_reading(path)
    with closed_on_failure(connection):
        _check(connection)
    return connection


@contextmanager
def closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection where what follows fails: left to itself it holds its file, and Python 3.13 warns of it."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def version(connection: sqlite3.Connection) -> int:
    """Return the schema version, 0 for an empty ledger.

    Raises:
        StoreError: The file belongs to another program, or was written by a newer version of gengap.
    """
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and owner != APPLICATION_ID:
        raise StoreError("the folder's ledger.sqlite was not written by gengap; choose another folder")
    if number > len(MIGRATIONS):
        raise StoreError(
            f"the store has schema version {number} and this gengap knows versions up to {len(MIGRATIONS)}; "
            "install a newer gengap to open it"
        )
    return int(number)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a ledger to today's schema, from nothing or from an older version; all steps or none."""
    steps = MIGRATIONS[version(connection) :]
    if not steps:
        return
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {' '.join(steps)} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {len(MIGRATIONS)}; COMMIT"
        )
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def is_on_network(folder: Path) -> bool:
    """Say whether a folder lies on a network file system, by the system's table of mounts (False where it has none)."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    mounts = [(line.split()[1].replace("\\040", " "), line.split()[2]) for line in lines]
    here = folder.resolve()
    _, kind = max(
        ((m, k) for m, k in mounts if here.is_relative_to(m)), key=lambda pair: len(pair[0]), default=("", "")
    )
    return kind in _NETWORK


def _check(connection: sqlite3.Connection) -> None:
    if version(connection) and connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
        raise sqlite3.DatabaseError("its pages contradict each other")


def _connect_for_writing(path: Path, journal: Journal) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    with closed_on_failure(connection):
        if journal == "rollback" or (journal == "auto" and is_on_network(path.parent)):
            connection.executescript("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL")
        else:
            # A power cut may cost WAL's last commits in this mode, never its integrity; the files that these commits
            # told of are on disk, and are taken up again when the store is next opened for writing.
            connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
    return connection


def _connect_for_reading(path: Path) -> sqlite3.Connection:
    # What a killed writer left half done is put right by SQLite when the file is next opened, by a reader too; for that
    # it must be able to write. Where it is not, the file is read as one that nobody changes.
    writable = os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
    mode = "mode=rw" if writable else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=30, isolation_level=None)
    with closed_on_failure(connection):
        connection.execute("PRAGMA query_only = ON")
    return connection
