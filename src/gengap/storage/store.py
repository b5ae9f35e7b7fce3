"""The folder of a study: what is put into it is on disk when the call returns, and is checked when it is read."""

import json
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, final

import numpy as np

from gengap.engine.runs import Array, RunRecord
from gengap.engine.state import ChunkState
from gengap.errors import GengapWarning, StoreError
from gengap.storage import files, opening, records
from gengap.storage.belongings import ARRAYS
from gengap.storage.files import Blob
from gengap.storage.ledger import Files, Key, Ledger, StateName
from gengap.storage.lock import WriterLock
from gengap.storage.schema import Journal


@dataclass(frozen=True)
class Progress:
    """How far one run has come.

    Attributes:
        variant: Name of the variant.
        seed: Seed of the run.
        epoch: Last epoch noted, from 1; 0 where none was.
        logs: What the engine said after that epoch.
        finished: Whether the run's record is in the store.
    """

    variant: str
    seed: int
    epoch: int
    logs: Mapping[str, float]
    finished: bool


@final
class Store:
    """A study on disk: manifest, finished runs, checkpoints of chunks under way, and the epochs seen so far.

    ```text
    runs/x/
      ledger.sqlite   which runs, epochs and checkpoints there are
      manifest.json   a second copy of the manifest, so that a lost ledger can be rebuilt
      arrays/         weights, predictions and checkpoints (safetensors), each file named after its checksum
      lock.sqlite, writer.json   who is writing
    ```

    Nothing in the folder is ever unpickled, and no name of a variant becomes part of a path. Make one with
    `Store.create` or `Store.open`; it is a context manager.
    """

    def __init__(self, folder: Path, ledger: Ledger, lock: WriterLock | None) -> None:
        """Use `Store.create` or `Store.open` instead."""
        self.folder = folder
        self._arrays = folder / ARRAYS
        self._ledger = ledger
        self._lock = lock
        self._common: dict[str, Blob] = {}

    @staticmethod
    def exists(folder: str | Path) -> bool:
        """Say whether a folder holds a store that was made completely."""
        return opening.exists(Path(folder))

    @classmethod
    def create(cls, folder: str | Path, manifest: Mapping[str, Any], *, journal: Journal = "auto") -> Self:
        """Make a store in a folder that does not exist or is empty, and open it for writing.

        Args:
            folder: Where the study goes.
            manifest: What the study is, in values that JSON can hold; the store adds an `id`.
            journal: How the ledger stays whole; see `gengap.storage.schema.Journal`.

        Raises:
            StoreError: The folder holds a store or other files, another process writes there, or the disk is full.
        """
        folder = Path(folder).absolute()  # results read weights when asked for, from wherever the process has gone
        content = json.dumps({**manifest, "id": uuid.uuid4().hex}, indent=1)
        ledger, lock = opening.create(folder, content, journal)
        return cls(folder, ledger, lock)

    @classmethod
    def open(cls, folder: str | Path, *, mode: Literal["r", "w"] = "r", journal: Journal = "auto") -> Self:
        """Open a store.

        Opened for writing, a store puts itself in order: a damaged ledger is rebuilt from the files, runs whose files
        are complete but that the ledger missed are taken up, and what belongs to nothing is removed.

        Args:
            folder: The study's folder.
            mode: `"r"` to read, also while another process writes; `"w"` to continue the study.
            journal: How the ledger stays whole; see `gengap.storage.schema.Journal`.

        Raises:
            StoreError: There is no store, another process writes to it, or it needs a newer gengap.
        """
        folder = Path(folder).absolute()  # results read weights when asked for, from wherever the process has gone
        if mode == "r":
            return cls(folder, opening.open_for_reading(folder), None)
        ledger, lock = opening.open_for_writing(folder, journal)
        return cls(folder, ledger, lock)

    @property
    def manifest(self) -> dict[str, Any]:
        """What the study is: the mapping given to `create` or last to `update_manifest`, and the store's `id`."""
        manifest: dict[str, Any] = json.loads(opening.manifest(self.folder, self._ledger))
        return manifest

    def update_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest, keeping the store's `id`."""
        content = json.dumps({**manifest, "id": self.manifest["id"]}, indent=1)
        self._ledger.put_manifest(content)
        opening.write_manifest_copy(self.folder, content)

    def put(self, record: RunRecord) -> None:
        """Keep a finished run. Its files are whole on disk before the ledger tells of them.

        Raises:
            StoreError: The disk is full; what was stored before stands.
        """
        key = (record.variant, record.seed)
        stale = self._ledger.run(key)
        common = records.common_weights(record)
        shared = self._put_common(common) if common else None
        weights = files.write_arrays(self._arrays, *records.pack_weights(record, shared))
        results = files.write_arrays(self._arrays, *records.pack_results(record, weights, self._study))
        self._ledger.put_run(key, Files(results, weights))
        if stale is not None:
            self._remove({stale.results, stale.weights} - {results, weights})

    def _put_common(self, arrays: Mapping[str, Array]) -> Blob:
        """Keep weights that many runs have in common, once; the first run of a session writes them in any case."""
        content = blake2b(digest_size=16)
        for name, array in arrays.items():
            content.update(f"{name}{array.dtype}{array.shape}".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        name = f"weights/{content.hexdigest()}"
        if name not in self._common:
            self.put_study(name, arrays, {})
            self._common[name] = self._ledger.states()["study", name]
        return self._common[name]

    def keys(self) -> list[Key]:
        """Return variant and seed of every run in the ledger, in the order of their finish, without reading files."""
        return list(self._ledger.runs())

    def done(self) -> set[Key]:
        """Return the runs that are stored and whole: every checksum is computed again."""
        return set(self.keys()) - set(self.damaged())

    def damaged(self) -> dict[Key, str]:
        """Return what is wrong with each damaged run, as a sentence; a store in order returns an empty mapping."""
        looked_at: dict[Blob, str | None] = {}
        found = {key: self._damage(row, looked_at) for key, row in self._ledger.runs().items()}
        return {key: _say_damaged(key, clause) for key, clause in found.items() if clause}

    def records(self) -> Iterator[RunRecord]:
        """Yield the finished runs in the order of their finish, each read and checked when it is reached.

        A damaged run is left out with a `GengapWarning`: continuing the study trains it again. Weights are read, and
        checked, when they are looked at.
        """
        for key, row in self._ledger.runs().items():
            try:
                yield self._read(row)
            except StoreError as error:
                warnings.warn(_say_damaged(key, error), GengapWarning, stacklevel=2)

    def discard(self, keys: Iterable[Key]) -> None:
        """Forget runs and remove their files, so that they are trained again."""
        keys = set(keys)
        rows = [row for key, row in self._ledger.runs().items() if key in keys and row is not None]
        self._ledger.drop_runs(keys)
        self._remove({blob for row in rows for blob in (row.results, row.weights)})

    def put_epochs(self, rows: Iterable[tuple[str, int, int, Mapping[str, float]]]) -> None:
        """Note finished epochs (from 1) of runs under way, as (variant, seed, epoch, logs), for whoever watches."""
        self._ledger.put_epochs(rows)

    def progress(self) -> list[Progress]:
        """Return how far every run has come that has begun, for a live table."""
        finished, last = self.keys(), self._ledger.last_epochs()
        keys = dict.fromkeys([*last, *finished])
        return [Progress(*key, *last.get(key, (0, {})), finished=key in set(finished)) for key in keys]

    def put_checkpoint(self, chunk: str, state: ChunkState) -> None:
        """Keep the state of a chunk under way in place of its last one.

        Args:
            chunk: Name of the chunk, any text.
            state: What the chunk goes on from.

        Raises:
            StoreError: The disk is full; the last state stands.
        """
        self._put_state(("checkpoint", chunk), state.arrays, state.scalars)

    def checkpoint(self, chunk: str) -> ChunkState | None:
        """Return the last state of a chunk, or None where there is none, or (with a warning) where it is damaged."""
        try:
            kept = self._state(("checkpoint", chunk))
        except StoreError as error:
            message = f"the checkpoint of chunk {chunk!r} is damaged, so the chunk starts again: {error}"
            warnings.warn(message, GengapWarning, stacklevel=2)
            return None
        return None if kept is None else ChunkState(*kept)

    def checkpoints(self) -> list[str]:
        """Return the names of the chunks that have a checkpoint."""
        return [name for kind, name in self._ledger.states() if kind == "checkpoint"]

    def drop_checkpoint(self, chunk: str) -> None:
        """Forget the state of a chunk; where it has none nothing happens."""
        blob = self._ledger.states().get(("checkpoint", chunk))
        if blob is not None:
            self._ledger.drop_state(("checkpoint", chunk))
            self._remove({blob})

    def put_study(self, name: str, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        """Keep arrays and JSON values that belong to the study as a whole, such as its held-out answers."""
        self._put_state(("study", name), arrays, values)

    def study(self, name: str) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """Return the arrays and values that `put_study` kept, or None where nothing was kept under this name.

        Raises:
            StoreError: Their file is damaged.
        """
        return self._state(("study", name))

    def require_space(self, size: int) -> None:
        """Check that `size` bytes still fit on the disk.

        Raises:
            StoreError: They do not.
        """
        files.require_space(self.folder, size)

    def close(self) -> None:
        """Close the store; a writer leaves one plain ledger file and gives its lock back."""
        self._ledger.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _study(self) -> str:
        return str(self.manifest["id"])

    def _put_state(self, name: StateName, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        stale = self._ledger.states().get(name)
        meta = {"study": self._study, "name": name, "state": dict(values)}
        blob = files.write_arrays(self._arrays, arrays, meta)
        self._ledger.put_state(name, blob)
        if stale is not None:
            self._remove({stale} - {blob})

    def _state(self, name: StateName) -> tuple[dict[str, Array], dict[str, Any]] | None:
        blob = self._ledger.states().get(name)
        if blob is None:
            return None
        arrays, meta = files.read_arrays(self._arrays, blob)
        return arrays, meta["state"]

    def _read(self, row: Files | None) -> RunRecord:
        if row is None:
            raise StoreError(_DAMAGED_ROW)
        return records.unpack(self._arrays, *files.read_arrays(self._arrays, row.results))

    def _damage(self, row: Files | None, looked_at: dict[Blob, str | None]) -> str | None:
        if row is None:
            return _DAMAGED_ROW
        found = [files.find_damage(self._arrays, row.results)]
        try:
            common = records.common_blob(self._arrays, row.weights)
            if common is not None and common not in looked_at:
                looked_at[common] = files.find_damage(self._arrays, common)
            found.append(None if common is None else looked_at[common])
        except StoreError as error:
            found.append(str(error))
        return "; ".join(clause for clause in found if clause) or None

    def _remove(self, blobs: Iterable[Blob]) -> None:
        for blob in blobs:
            files.path_of(self._arrays, blob.digest).unlink(missing_ok=True)


_DAMAGED_ROW = "its row in the ledger has changed: the row's checksum is wrong"


def _say_damaged(key: Key, clause: object) -> str:
    return f"the run of {key[0]!r} with seed {key[1]} is damaged ({clause}); running the study again trains it anew"
