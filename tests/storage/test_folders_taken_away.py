"""A folder that is read-only, moved or removed under a store: one sentence, and what was stored is safe."""

import errno
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from gengap.engine.state import ChunkState
from gengap.errors import StoreError
from gengap.storage import Store, files
from gengap.storage.ledger import Ledger


def test_a_folder_moved_under_a_writer_is_said_and_goes_on_when_put_back(tmp_path, manifest, make_record):
    folder = tmp_path / "study"
    with Store.create(folder, manifest) as store:
        store.put(make_record(seed=0))
        folder.rename(tmp_path / "elsewhere")
        for write in (
            lambda: store.put(make_record(seed=1)),
            lambda: store.put_checkpoint("c", ChunkState({"w": np.ones(3)}, {})),
            lambda: store.put_study("answers", {"y": np.ones(2)}, {}),
            lambda: store.require_space(10),
        ):
            with pytest.raises(StoreError, match=r"study/?\S* is gone, .*: it was moved or removed. Put it back"):
                write()
    (tmp_path / "elsewhere").rename(folder)
    with Store.open(folder, mode="w") as store:
        assert store.done() == {("baseline", 0)}
        store.put(make_record(seed=1))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_folder_that_cannot_be_written_to_is_said(tmp_path, manifest, make_record, monkeypatch, number):
    folder = tmp_path / "study"
    with Store.create(folder, manifest) as store:
        opened = Path.open

        def refused(self, mode="r", *arguments, **more):  # root may write everywhere, so the answer is set
            if "x" in mode:
                raise OSError(number, "no")
            return opened(self, mode, *arguments, **more)

        monkeypatch.setattr(Path, "open", refused)
        with pytest.raises(StoreError, match=r"cannot be written to \(no\): ask for the right to write there"):
            store.put(make_record(seed=0))
        with pytest.raises(StoreError, match="cannot be written to"):
            files.write_text(folder / "note.json", "{}")
        monkeypatch.undo()


def test_a_new_folder_that_cannot_be_made_is_said(tmp_path, manifest):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "below", tmp_path / ("n" * 300), Path("/proc/x")):
        with pytest.raises(StoreError, match=r"cannot be written to \(.+\): ask for the right .* another folder"):
            Store.create(folder, manifest)


@pytest.mark.parametrize("said", ["attempt to write a readonly database", "unable to open database file"])
def test_a_ledger_that_cannot_be_written_is_said(said):
    class Refusing:
        in_transaction = False

        def execute(self, *_):
            raise sqlite3.OperationalError(said)

    with pytest.raises(StoreError, match=rf"can no longer be written \({said}\): .* put the folder back"):
        Ledger(Refusing(), writable=True).drop_runs([("a", 0)])
