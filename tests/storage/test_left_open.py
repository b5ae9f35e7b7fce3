"""Whatever fails while a store is made or opened, its databases are closed and it may be opened again.

That they are closed is asked after every test of this folder, by the fixture in `conftest.py`.
"""

import sqlite3
import warnings

import pytest

from gengap.errors import GengapWarning, StoreError
from gengap.storage import Store

MAKING = ("schema.migrate", "ledger.Ledger.put_manifest", "opening.write_manifest_copy", "files.remove_parts")
OPENING = ("schema.migrate", "schema._check", "opening._tidy", "opening._adopt", "ledger.Ledger.runs")


@pytest.fixture
def folder(tmp_path, manifest, make_record):
    with Store.create(tmp_path / "s", manifest) as store:
        store.put(make_record())
    return tmp_path / "s"


@pytest.fixture
def stopped(monkeypatch):
    """Return a function that lets a part of the storage be stopped, as by Ctrl-C."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    return lambda part: monkeypatch.setattr(f"gengap.storage.{part}", stop)


@pytest.mark.parametrize("part", MAKING)
def test_a_store_is_stopped_while_it_is_made(tmp_path, manifest, stopped, monkeypatch, part):
    stopped(part)
    with pytest.raises(KeyboardInterrupt):
        Store.create(tmp_path / "s", manifest)
    monkeypatch.undo()
    if not Store.exists(tmp_path / "s"):
        Store.create(tmp_path / "s", manifest).close()
    with Store.open(tmp_path / "s", mode="w") as store:
        assert store.keys() == []


@pytest.mark.parametrize("part", OPENING)
def test_a_store_is_stopped_while_it_is_opened(folder, stopped, monkeypatch, part):
    stopped(part)
    with pytest.raises(KeyboardInterrupt):
        Store.open(folder, mode="w")
    monkeypatch.undo()
    with Store.open(folder, mode="w") as store:
        assert store.done() == {("baseline", 0)}


@pytest.mark.parametrize("mode", ["r", "w"])
@pytest.mark.parametrize("part", ["schema.migrate", "ledger.Ledger.put_manifest", "opening._adopt"])
def test_a_store_is_stopped_while_its_ledger_is_built_again(folder, stopped, monkeypatch, part, mode):
    (folder / "ledger.sqlite").write_bytes(b"garbage!" * 512)
    stopped(part)
    with pytest.raises(KeyboardInterrupt), pytest.warns(GengapWarning, match="is damaged"):
        Store.open(folder, mode=mode)
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GengapWarning)  # of what is still not built again
        with Store.open(folder, mode="w") as store:
            assert store.done() == {("baseline", 0)}


def test_a_manifest_damaged_in_the_ledger_and_beside_it_is_said(folder):
    connection = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    connection.execute("UPDATE manifest SET digest = 'x'")
    connection.close()
    (folder / "manifest.json").write_text('{"digest": "x", "manifest": "{}"}')
    with pytest.raises(StoreError, match="damaged in both of its copies"):
        Store.open(folder, mode="w")
