"""The listener that writes what an engine tells into a store."""

import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import final

from gengap.engine.runs import Listener, Run, RunRecord
from gengap.engine.state import ChunkState
from gengap.storage.ledger import Key
from gengap.storage.store import Store

EPOCHS_EVERY = 1.0
"""Seconds between two writes of finished epochs: they are for people who watch, so none is waited for."""


@final
class StoreListener:
    """Writes records and checkpoints at once and epochs every now and then, and passes everything on.

    Args:
        store: Where everything goes, open for writing. Runs in its ledger count as stored: discard damaged ones first.
        then: Is told what the store has been told; None for nobody.
        chunks: Variant and seed of the runs of each chunk; the checkpoint of a chunk goes when its last run is stored.
    """

    def __init__(
        self, store: Store, then: Listener | None = None, *, chunks: Mapping[str, AbstractSet[Key]] | None = None
    ) -> None:
        self._store, self._then = store, then
        self._done = set(store.keys())
        self._chunks = dict(chunks or {})
        self._epochs: list[tuple[str, int, int, Mapping[str, float]]] = []
        self._written = time.monotonic()

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        """Note a finished epoch, to be written within `EPOCHS_EVERY` seconds of training."""
        self._epochs.append((run.variant, run.seed, epoch, dict(logs)))
        if time.monotonic() - self._written >= EPOCHS_EVERY:
            self.flush()
        if self._then is not None:
            self._then.on_epoch(run, epoch, logs)

    def on_record(self, record: RunRecord) -> None:
        """Store a finished run, unless it is stored already: a chunk that resumes finishes some of its runs again."""
        key = (record.variant, record.seed)
        if key in self._done:
            return
        self._store.put(record)
        self._done.add(key)
        for chunk in [name for name, keys in self._chunks.items() if key in keys and keys <= self._done]:
            self._store.drop_checkpoint(chunk)
        if self._then is not None:
            self._then.on_record(record)

    def on_checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        """Store the state of a chunk under way."""
        self._store.put_checkpoint(chunk_id, state)

    def flush(self) -> None:
        """Write the epochs noted so far."""
        if self._epochs:
            self._store.put_epochs(self._epochs)
            self._epochs.clear()
        self._written = time.monotonic()
