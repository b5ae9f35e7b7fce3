"""The rows of a store: manifest, runs, epochs and states, each read with its checksum."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Literal, final

from gengap.errors import StoreError
from gengap.storage.files import Blob

Key = tuple[str, int]
"""A run's name: its variant and its seed."""

StateName = tuple[Literal["checkpoint", "study"], str]
"""A state's kind and name: a chunk under way, or something that belongs to the study as a whole."""


@dataclass(frozen=True)
class Files:
    """Where a finished run lies: the file of its results, which names the other, and that of its weights."""

    results: Blob
    weights: Blob


@final
class Ledger:
    """What one SQLite file says about a study. It knows digests of files, and never touches a file itself."""

    def __init__(self, connection: sqlite3.Connection, *, writable: bool) -> None:
        """Read and, if `writable`, change the ledger behind `connection`, whose schema is today's."""
        self._connection = connection
        self._writable = writable

    def close(self) -> None:
        """Close the file; a writer leaves the write-ahead log folded into it, where nobody reads at the moment."""
        if self._writable:
            # where somebody reads, the log stays beside the ledger, which is as safe
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    @property
    def manifest(self) -> str | None:
        """The manifest as text, or None where there is none or its checksum is wrong."""
        row = self._connection.execute("SELECT content, digest FROM manifest").fetchone()
        return None if row is None or digest(row[0]) != row[1] else str(row[0])

    def put_manifest(self, content: str) -> None:
        """Replace the manifest."""
        with self._changing() as connection:
            connection.execute("INSERT OR REPLACE INTO manifest VALUES (1, ?, ?)", (content, digest(content)))

    def runs(self) -> dict[Key, Files | None]:
        """Return the files of every finished run in the order of their finish; None where a row's checksum is wrong."""
        rows = self._connection.execute("SELECT * FROM run ORDER BY rowid")
        return {(row[0], row[1]): _files(row) for row in rows}

    def run(self, key: Key) -> Files | None:
        """Return the files of one finished run, or None where it has no row or one whose checksum is wrong."""
        row = self._connection.execute("SELECT * FROM run WHERE variant = ? AND seed = ?", key).fetchone()
        return None if row is None else _files(row)

    def put_run(self, key: Key, files: Files) -> None:
        """Enter a finished run, in place of an older entry."""
        told = (*key, files.results.digest, files.results.size, files.weights.digest, files.weights.size)
        with self._changing() as connection:
            connection.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?)", (*told, digest(_text(told))))

    def drop_runs(self, keys: Iterable[Key]) -> None:
        """Forget runs and their epochs."""
        keys = list(keys)
        with self._changing() as connection:
            connection.executemany("DELETE FROM run WHERE variant IS ? AND seed IS ?", keys)
            connection.executemany("DELETE FROM epoch WHERE variant IS ? AND seed IS ?", keys)

    def put_epochs(self, rows: Iterable[tuple[str, int, int, Mapping[str, float]]]) -> None:
        """Enter finished epochs as (variant, seed, epoch, logs)."""
        values = [(v, s, e, _text({name: float(value) for name, value in logs.items()})) for v, s, e, logs in rows]
        with self._changing() as connection:
            connection.executemany("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?, ?)", values)

    def last_epochs(self) -> dict[Key, tuple[int, dict[str, float]]]:
        """Return the last epoch of every run that has begun, and what was noted then."""
        rows = self._connection.execute("SELECT variant, seed, max(epoch), logs FROM epoch GROUP BY variant, seed")
        return {(variant, seed): (epoch, json.loads(logs)) for variant, seed, epoch, logs in rows}

    def states(self) -> dict[StateName, Blob]:
        """Return the file of every state: checkpoints of chunks under way, and what belongs to the whole study."""
        rows = self._connection.execute("SELECT kind, name, file, size FROM state ORDER BY kind, name")
        return {(kind, name): Blob(file, size) for kind, name, file, size in rows}

    def put_state(self, name: StateName, blob: Blob) -> None:
        """Enter a state, in place of an older one."""
        with self._changing() as connection:
            row = (*name, blob.digest, blob.size, now())
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?)", row)

    def drop_state(self, name: StateName) -> None:
        """Forget a state."""
        with self._changing() as connection:
            connection.execute("DELETE FROM state WHERE kind = ? AND name = ?", name)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        if not self._writable:
            raise StoreError("the store was opened for reading; open it with mode='w' to change it")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            if "readonly" in str(error) or "unable to open" in str(error):
                raise StoreError(
                    f"the ledger can no longer be written ({error}): its folder was moved, removed or made read-only. "
                    "What is stored is safe; put the folder back and run again to continue"
                ) from error
            if "full" not in str(error) and "disk I/O" not in str(error):
                raise
            raise StoreError(
                f"the disk became full while the ledger was written ({error}). "
                "What is stored is safe; free some space and run again to continue"
            ) from error


def digest(text: str) -> str:
    """Return the checksum of a text."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def now() -> str:
    """Return the time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _files(row: tuple[Any, ...]) -> Files | None:
    if digest(_text(row[:6])) != row[6]:
        return None
    return Files(Blob(row[2], row[3]), Blob(row[4], row[5]))


def _text(value: object) -> str:
    return json.dumps(value)
