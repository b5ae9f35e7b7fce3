"""One writer per store: a lock that the operating system frees with its holder, and the holder's name beside it."""

import json
import os
import socket
import sqlite3
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

from gengap.errors import StoreError
from gengap.storage.files import write_text

LOCK = "lock.sqlite"
HOLDER = "writer.json"
HEARTBEAT = 30.0
"""Seconds between two signs of life of a writer."""
SILENCE = 4 * HEARTBEAT
"""Seconds after which a silent writer on another machine counts as gone."""


@final
class WriterLock:
    """The right to write into a folder, held until `release` or until the process ends, however it ends.

    The lock is SQLite's own lock on an empty file, so the kernel drops it with the process and a killed writer blocks
    nobody. Some cluster file systems keep such locks to one machine only; so the holder's name lies beside it, touched
    every `HEARTBEAT` seconds, and a holder on another machine who was alive within `SILENCE` seconds is believed.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock of `folder`.

        Raises:
            StoreError: Another process has it; the sentence names it.
        """
        self._holder = folder / HOLDER
        self._connection = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
            self._refuse_living_stranger()
        except sqlite3.OperationalError as error:
            self._connection.close()
            if "locked" not in str(error):
                raise StoreError(f"{folder} cannot be written to ({error}); choose another folder") from error
            raise StoreError(f"{folder} is being written to {_describe(_read(self._holder))}; "
                             "wait for it, stop it, or choose another folder") from error  # fmt: skip
        except BaseException:
            self._connection.close()
            raise
        me = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            self._set_aside_what_is_not_ours()
            write_text(self._holder, json.dumps(me))
        except BaseException:
            self._connection.close()
            raise
        self._released = threading.Event()
        threading.Thread(target=self._beat, name="gengap-store-heartbeat", daemon=True).start()

    def release(self) -> None:
        """Give the lock back; doing so twice is harmless."""
        if self._released.is_set():
            return
        self._released.set()
        if is_holder(self._holder):
            with suppress(OSError):  # a folder that became read-only keeps the name of a writer that is gone
                self._holder.unlink(missing_ok=True)
        self._connection.close()

    def _beat(self) -> None:
        while not self._released.wait(HEARTBEAT):
            try:
                os.utime(self._holder)
            except OSError:  # the folder was taken away under us; the next write will say so
                return

    def _set_aside_what_is_not_ours(self) -> None:
        if self._holder.exists() and not is_holder(self._holder):
            self._holder.rename(self._holder.with_name(f"damaged-{uuid.uuid4().hex[:8]}-{HOLDER}"))

    def _refuse_living_stranger(self) -> None:
        holder = _read(self._holder)
        if holder.get("host") in {None, socket.gethostname()}:
            return  # the kernel gave us the lock, so a holder on this machine is gone
        silent = time.time() - self._holder.stat().st_mtime
        if silent < SILENCE:
            raise StoreError(
                f"{self._holder.parent} is being written to {_describe(holder)}, alive {max(silent, 0):.0f} s ago; "
                f"stop it there, or wait {SILENCE:.0f} s if that machine is gone"
            )


def is_holder(path: Path) -> bool:
    """Say whether a file is a writer's name as a lock writes it."""
    return _read(path).keys() == {"pid", "host", "since"}


def _read(path: Path) -> dict[str, Any]:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _describe(holder: dict[str, Any]) -> str:
    if not holder:
        return "by another process"
    return f"by process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
