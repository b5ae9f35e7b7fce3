"""How a store comes to be, is opened, and is put in order after whatever happened to it."""

import json
import sqlite3
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gengap.errors import GengapWarning, StoreError
from gengap.storage import files, schema
from gengap.storage.belongings import ARRAYS, LEDGER, MANIFEST, foreign, is_manifest, ledger_files, refuse_links
from gengap.storage.files import Blob, saying_unwritable
from gengap.storage.ledger import Files, Ledger, digest, now
from gengap.storage.lock import WriterLock


def exists(folder: Path) -> bool:
    """Say whether a folder holds a store that was made completely."""
    if is_manifest(folder / MANIFEST):
        return True
    if not (folder / LEDGER).is_file():
        return False
    try:
        connection = schema.connect(folder / LEDGER, writable=False)
    except sqlite3.DatabaseError:
        return False
    try:
        return schema.version(connection) > 0 and Ledger(connection, writable=False).manifest is not None
    finally:
        connection.close()


def create(folder: Path, content: str, journal: schema.Journal) -> tuple[Ledger, WriterLock]:
    """Make a store whose manifest is `content`; see `Store.create`."""
    with saying_unwritable(folder, new=True):
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder} is a file; a study needs a folder of its own")
        _refuse_second(folder)
        strangers = foreign(folder)
        if strangers:
            raise StoreError(f"{folder} holds other files ({', '.join(strangers[:3])}); choose an empty folder")
        (folder / ARRAYS).mkdir(parents=True, exist_ok=True)
        lock = WriterLock(folder)
    try:
        _refuse_second(folder)
        files.remove_parts(folder)
        connection = _new_ledger(folder, journal)
        with schema.closed_on_failure(connection):
            ledger = Ledger(connection, writable=True)
            ledger.put_manifest(content)
            write_manifest_copy(folder, content)
    except BaseException:
        lock.release()
        raise
    return ledger, lock


def open_for_reading(folder: Path) -> Ledger:
    """Open a store's ledger, or what the files tell in its place where it is damaged."""
    _require(folder)
    try:
        connection = _connect_whole(folder / LEDGER, writable=False)
    except sqlite3.DatabaseError as error:
        message = f"the ledger of {folder} is damaged ({error}); what the files tell is read instead"
        warnings.warn(message, GengapWarning, stacklevel=3)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        _rebuild(folder, connection)
    with schema.closed_on_failure(connection):
        if schema.version(connection) != len(schema.MIGRATIONS):
            raise StoreError(
                f"{folder} was written by an older gengap; open it once for writing to bring it up to date"
            )
    return Ledger(connection, writable=False)


def open_for_writing(folder: Path, journal: schema.Journal) -> tuple[Ledger, WriterLock]:
    """Open a store alone, bring it to today's schema and put it in order; see `Store.open`."""
    _require(folder)
    refuse_links(folder)
    with saying_unwritable(folder):
        (folder / ARRAYS).mkdir(exist_ok=True)
        lock = WriterLock(folder)
    try:
        connection = _repaired(folder, journal)
        with schema.closed_on_failure(connection):
            ledger = Ledger(connection, writable=True)
            _tidy(folder, ledger)
    except BaseException:
        lock.release()
        raise
    return ledger, lock


def manifest(folder: Path, ledger: Ledger) -> str:
    """Return the manifest's text from the ledger, or from its copy where that is damaged.

    Raises:
        StoreError: Both are damaged.
    """
    content = ledger.manifest or _manifest_copy(folder)
    if content is None:
        raise StoreError(f"the manifest of {folder} is damaged in both of its copies; the runs in it cannot be used")
    return content


def write_manifest_copy(folder: Path, content: str) -> None:
    """Write the second copy of the manifest."""
    files.write_text(folder / MANIFEST, json.dumps({"digest": digest(content), "manifest": content}))


def _manifest_copy(folder: Path) -> str | None:
    try:
        copy = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return str(copy["manifest"]) if copy["digest"] == digest(copy["manifest"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _refuse_second(folder: Path) -> None:
    if exists(folder):
        raise StoreError(f"{folder} holds a study already; open it to continue it, or choose another folder")


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise StoreError(f"there is no folder {folder}")
    if not exists(folder):
        raise StoreError(
            f"{folder} contains no stored study (made with --storage); for a saved result: gengap report {folder}"
        )


def _new_ledger(folder: Path, journal: schema.Journal) -> sqlite3.Connection:
    try:
        connection = schema.connect(folder / LEDGER, writable=True, journal=journal)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"the ledger of {folder} cannot be written ({error}); choose another folder") from error
    with schema.closed_on_failure(connection):
        schema.migrate(connection)
    return connection


def _repaired(folder: Path, journal: schema.Journal) -> sqlite3.Connection:
    path = folder / LEDGER
    try:
        connection = _connect_whole(path, writable=True, journal=journal)
    except sqlite3.DatabaseError as error:
        if path.exists() and _is_passing(error):
            raise StoreError(f"the ledger of {folder} cannot be opened ({error})") from error
        message = f"the ledger of {folder} is damaged ({error}); it was set aside and built again from the files"
        warnings.warn(message, GengapWarning, stacklevel=4)
        aside = f"damaged-{now().replace(':', '')}-{uuid.uuid4().hex[:8]}"
        for part in ledger_files(folder):
            part.rename(folder / f"{aside}-{part.name}")
        connection = schema.connect(path, writable=True, journal=journal)
        _rebuild(folder, connection)
    with schema.closed_on_failure(connection):
        schema.migrate(connection)
    return connection


def _connect_whole(path: Path, *, writable: bool, journal: schema.Journal = "auto") -> sqlite3.Connection:
    """Open a ledger that has something in it; one that is missing or empty counts as damaged."""
    if not path.exists():
        raise sqlite3.DatabaseError("it is missing")
    connection = schema.connect(path, writable=writable, journal=journal)
    if schema.version(connection) == 0:
        connection.close()
        raise sqlite3.DatabaseError("it is empty")
    return connection


def _is_passing(error: sqlite3.DatabaseError) -> bool:
    """Say whether an error is about the moment (locked, no right, full) instead of about the file's content."""
    return isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error)


def _rebuild(folder: Path, connection: sqlite3.Connection) -> None:
    """Fill a new ledger with what the files tell; where that cannot be it is closed."""
    content = _manifest_copy(folder)
    with schema.closed_on_failure(connection):
        if content is None:
            raise StoreError(f"the ledger and the manifest of {folder} are both damaged; the runs in it cannot be used")
        schema.migrate(connection)
        ledger = Ledger(connection, writable=True)
        ledger.put_manifest(content)
        _adopt(folder, ledger, files.whole_or_damaged(folder / ARRAYS))


def _tidy(folder: Path, ledger: Ledger) -> None:
    """Mend the manifest, take up whole runs and checkpoints that the ledger missed, remove what belongs to nothing."""
    content = manifest(folder, ledger)
    if ledger.manifest is None:
        ledger.put_manifest(content)
    if _manifest_copy(folder) != content:
        write_manifest_copy(folder, content)
    rows = ledger.runs()
    ledger.drop_runs(key for key, row in rows.items() if row is None)
    named = {blob.digest for row in rows.values() if row is not None for blob in (row.results, row.weights)}
    named |= {blob.digest for blob in ledger.states().values()}
    stray = {path for path in files.whole_or_damaged(folder / ARRAYS) if path.stem not in named}
    for path in stray - _adopt(folder, ledger, stray):
        files.remove_if_ours(path)
    files.remove_parts(folder)
    files.remove_parts(folder / ARRAYS)


def _adopt(folder: Path, ledger: Ledger, strays: set[Path]) -> set[Path]:
    """Enter runs and checkpoints of this study whose files are whole and that the ledger lacks; return these files."""
    study = json.loads(manifest(folder, ledger))["id"]
    kept: set[Path] = set()
    # the newest first: of two checkpoints of a chunk it is the one to continue from
    for path in sorted(strays, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        blob = Blob(path.stem, path.stat().st_size)
        try:
            _, meta = files.read_arrays(path.parent, blob)
        except StoreError:
            continue
        if meta.get("study") == study:
            kept |= _enter(ledger, path.parent, blob, meta)
    return kept


def _enter(ledger: Ledger, arrays: Path, blob: Blob, meta: Mapping[str, Any]) -> set[Path]:
    """Enter one file of results or of a checkpoint, and return what it needs; nothing where the ledger knows better."""
    if "state" in meta:
        kind, name = meta["name"]
        known = ledger.states().get((kind, name))
        if known is not None and files.find_damage(arrays, known) is None:
            return set()
        ledger.put_state((kind, name), blob)
        return {files.path_of(arrays, blob.digest)}
    key, weights = (meta["variant"], meta["seed"]), Blob(*meta["weights"])
    if ledger.run(key) is not None or files.find_damage(arrays, weights) is not None:
        return set()
    ledger.put_run(key, Files(blob, weights))
    return {files.path_of(arrays, b.digest) for b in (blob, weights)}
