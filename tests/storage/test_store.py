import json
import os
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from gengap.engine.state import ChunkState
from gengap.errors import GengapWarning, StoreError
from gengap.storage import Store, files, lock, schema


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs" / "x"


@pytest.fixture
def filled(folder, manifest, make_record):
    with Store.create(folder, manifest) as store:
        for seed in range(3):
            store.put(make_record(seed=seed))
        store.put_checkpoint("chunk 1", ChunkState({"weights": np.arange(4.0)}, {"epoch": 2, "note": None}))
        store.put_epochs([("baseline", 7, 1, {"loss": 0.5})])
    return folder


def flip(path, position=-1):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def files_of(folder, key):
    with Store.open(folder) as store:
        row = store._ledger.run(key)
    return [files.path_of(folder / "arrays", blob.digest) for blob in (row.results, row.weights)]


def test_records_come_back_as_they_went(filled, make_record, assert_same):
    with Store.open(filled) as store:
        back = list(store.records())
        assert [(r.variant, r.seed) for r in back] == [("baseline", 0), ("baseline", 1), ("baseline", 2)]
        for record in back:
            assert_same(record, make_record(seed=record.seed))
        assert store.done() == {("baseline", seed) for seed in range(3)}
        assert store.damaged() == {}


def test_equal_weights_are_written_once(folder, manifest, make_record, assert_same):
    from dataclasses import replace

    record = make_record()
    record = replace(record, weights_best=[w.copy() for w in record.weights_last])
    with Store.create(folder, manifest) as store:
        store.put(record)
        assert_same(next(store.records()), record)
    with Store.open(folder) as store:
        size = store._ledger.run(("baseline", 0)).weights.size
    assert size < 60 + 15 * 4 * 2 + 400


def test_runs_with_equal_weights_do_not_share_a_file(folder, manifest, make_record):
    from dataclasses import replace

    with Store.create(folder, manifest) as store:
        store.put(make_record("a"))
        store.put(replace(make_record("a"), variant="b"))
        store.discard([("a", 0)])
        assert store.done() == {("b", 0)}


def test_names_never_become_paths(tmp_path, manifest, make_record):
    wild = ["../../out", "/etc/passwd", "a/b\\c", "<script>", "nul\0", "", "..", "長い" * 200, "'; DROP TABLE run; --"]
    with Store.create(tmp_path / "s", manifest) as store:
        for seed, name in enumerate(wild):
            store.put(make_record(name, seed))
            store.put_epochs([(name, seed, 1, {"loss": 1.0})])
            store.put_checkpoint(name, ChunkState({}, {"epoch": 1}))
        assert [r.variant for r in store.records()] == wild
        assert sorted(store.checkpoints()) == sorted(wild)
    assert [p.name for p in tmp_path.iterdir()] == ["s"]
    names = {p.name for p in (tmp_path / "s").rglob("*")}
    assert names == {"arrays", "ledger.sqlite", "lock.sqlite", "manifest.json"} | {
        p.name for p in (tmp_path / "s" / "arrays").iterdir()
    }


def test_a_second_record_of_a_run_replaces_the_first(filled, make_record, assert_same):
    with Store.open(filled, mode="w") as store:
        before = len(list((filled / "arrays").iterdir()))
        store.put(make_record(seed=1, scale=3.0))
        assert len(list((filled / "arrays").iterdir())) == before
        assert_same({r.seed: r for r in store.records()}[1], make_record(seed=1, scale=3.0))


def test_discarded_runs_are_gone(filled):
    with Store.open(filled, mode="w") as store:
        store.discard([("baseline", 0), ("nobody", 9)])
        assert store.done() == {("baseline", 1), ("baseline", 2)}
    assert len(list((filled / "arrays").iterdir())) == 2 * 2 + 1


def test_checkpoints_replace_each_other_and_go(filled):
    with Store.open(filled, mode="w") as store:
        state = store.checkpoint("chunk 1")
        np.testing.assert_array_equal(state.arrays["weights"], np.arange(4.0))
        assert state.scalars == {"epoch": 2, "note": None}
        assert store.checkpoint("chunk 2") is None
        before = len(list((filled / "arrays").iterdir()))
        store.put_checkpoint("chunk 1", ChunkState({"weights": np.zeros(4)}, {"epoch": 3}))
        assert len(list((filled / "arrays").iterdir())) == before
        assert store.checkpoint("chunk 1").scalars["epoch"] == 3
        store.drop_checkpoint("chunk 1")
        store.drop_checkpoint("chunk 1")
        assert store.checkpoints() == []
        assert len(list((filled / "arrays").iterdir())) == before - 1


def test_what_belongs_to_the_study_is_kept(filled):
    with Store.open(filled, mode="w") as store:
        assert store.study("answers") is None
        store.put_study("answers", {"y": np.arange(3)}, {"groups": ["a", "b", "b"]})
    (filled / "ledger.sqlite").unlink()
    with pytest.warns(GengapWarning, match="it is missing"):
        store = Store.open(filled)
    with store:
        arrays, values = store.study("answers")
        np.testing.assert_array_equal(arrays["y"], [0, 1, 2])
        assert values == {"groups": ["a", "b", "b"]}
        assert store.checkpoints() == ["chunk 1"]


def test_progress_tells_of_runs_under_way_and_finished(filled):
    with Store.open(filled, mode="w") as store:
        store.put_epochs([("baseline", 7, 2, {"loss": 0.25}), ("baseline", 0, 3, {"loss": float("nan")})])
    with Store.open(filled) as store:
        rows = {(p.variant, p.seed): p for p in store.progress()}
    assert rows["baseline", 7].epoch == 2
    assert rows["baseline", 7].logs == {"loss": 0.25}
    assert not rows["baseline", 7].finished
    assert rows["baseline", 0].finished
    assert np.isnan(rows["baseline", 0].logs["loss"])
    assert rows["baseline", 1].epoch == 0


def test_the_manifest_comes_back_and_keeps_its_id(filled, manifest):
    with Store.open(filled, mode="w") as store:
        first = store.manifest
        store.update_manifest(manifest | {"plan": {"chunks": [1, 2]}, "id": "another"})
        assert store.manifest == manifest | {"plan": {"chunks": [1, 2]}, "id": first["id"]}
    with Store.open(filled) as store:
        assert store.manifest["plan"] == {"chunks": [1, 2]}


# Damage --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1], ids=["results", "weights"])
@pytest.mark.parametrize("how", ["flip", "truncate", "remove"])
def test_a_damaged_file_costs_one_run(filled, make_record, assert_same, which, how):
    path = files_of(filled, ("baseline", 1))[which]
    {"flip": flip, "truncate": lambda p: p.write_bytes(p.read_bytes()[:100]), "remove": lambda p: p.unlink()}[how](path)
    with Store.open(filled, mode="w") as store:
        assert store.done() == {("baseline", 0), ("baseline", 2)}
        (sentence,) = store.damaged().values()
        assert sentence.startswith("the run of 'baseline' with seed 1 is damaged (")
        assert sentence.endswith("running the study again trains it anew")
        store.put(make_record(seed=1))
        assert store.damaged() == {}
        assert len(list((filled / "arrays").iterdir())) == 7
        assert_same({r.seed: r for r in store.records()}[1], make_record(seed=1))


def test_reading_leaves_a_damaged_run_out_aloud(filled):
    flip(files_of(filled, ("baseline", 1))[0])
    with Store.open(filled) as store, pytest.warns(GengapWarning, match="seed 1 is damaged .*trains it anew"):
        assert [r.seed for r in store.records()] == [0, 2]


def test_damaged_weights_are_said_when_they_are_looked_at(filled):
    flip(files_of(filled, ("baseline", 1))[1])
    with Store.open(filled) as store:
        record = {r.seed: r for r in store.records()}[1]
        with pytest.raises(StoreError, match="checksum is wrong"):
            record.weights_last[0]


def test_a_changed_row_is_dropped_and_its_run_taken_up_again(filled, make_record, assert_same):
    with sqlite3.connect(filled / "ledger.sqlite") as connection:
        connection.execute("UPDATE run SET seed = 4 WHERE seed = 1")
    connection.close()
    with Store.open(filled) as store, pytest.warns(GengapWarning, match="seed 4 is damaged .*row"):
        assert [r.seed for r in store.records()] == [0, 2]
    with Store.open(filled, mode="w") as store:
        assert store.done() == {("baseline", seed) for seed in range(3)}
        assert_same({r.seed: r for r in store.records()}[1], make_record(seed=1))


@pytest.mark.parametrize("how", ["remove", "truncate", "header", "empty", "middle"])
def test_a_lost_ledger_is_built_again_from_the_files(filled, make_record, assert_same, how):
    ledger = filled / "ledger.sqlite"
    content = bytearray(ledger.read_bytes())
    if how == "remove":
        ledger.unlink()
    elif how == "middle":
        content[4096:8192] = b"\xff" * 4096
        ledger.write_bytes(content)
    else:
        ledger.write_bytes({"truncate": content[:5000], "header": b"garbage!" * 512, "empty": b""}[how])
    with pytest.warns(GengapWarning, match="what the files tell is read instead"):
        store = Store.open(filled)
    with store:
        assert store.done() == {("baseline", seed) for seed in range(3)}
        with pytest.raises(StoreError, match="opened for reading"):
            store.drop_checkpoint("chunk 1")
    with pytest.warns(GengapWarning, match=r"ledger .* is damaged"):
        store = Store.open(filled, mode="w")
    with store:
        assert store.done() == {("baseline", seed) for seed in range(3)}
        assert store.checkpoint("chunk 1").scalars["epoch"] == 2
        for record in store.records():
            assert_same(record, make_record(seed=record.seed))
    with Store.open(filled) as store:
        assert len(store.keys()) == 3


def test_a_damaged_manifest_is_restored_from_its_other_copy(filled, manifest):
    (filled / "manifest.json").write_text("{")
    with Store.open(filled, mode="w") as store:
        assert store.manifest["data"] == manifest["data"]
    with sqlite3.connect(filled / "ledger.sqlite") as connection:
        connection.execute("UPDATE manifest SET content = replace(content, 'abc', 'abd')")
    connection.close()
    for mode in ("r", "w", "r"):
        with Store.open(filled, mode=mode) as store:
            assert store.manifest["data"] == manifest["data"]


def test_a_manifest_damaged_twice_is_said(filled):
    (filled / "manifest.json").write_text('{"digest": "0", "manifest": "{}"}')
    (filled / "ledger.sqlite").write_bytes(b"")
    with pytest.raises(StoreError, match="both damaged"), pytest.warns(GengapWarning):
        Store.open(filled, mode="w")


def test_a_damaged_checkpoint_starts_its_chunk_again(filled):
    with Store.open(filled) as store:
        blob = store._ledger.states()["checkpoint", "chunk 1"]
    flip(files.path_of(filled / "arrays", blob.digest))
    with Store.open(filled, mode="w") as store:
        with pytest.warns(GengapWarning, match="checkpoint of chunk 'chunk 1' is damaged, so the chunk starts again"):
            assert store.checkpoint("chunk 1") is None
        store.put_checkpoint("chunk 1", ChunkState({}, {"epoch": 1}))
        assert store.checkpoint("chunk 1").scalars == {"epoch": 1}


def test_what_a_crash_left_is_put_in_order(filled, make_record, assert_same):
    """A run whose files were whole but not in the ledger is taken up; halves and leftovers go."""
    arrays = filled / "arrays"
    with Store.open(filled, mode="w") as store:
        store.put(make_record("late", 5))
        store._ledger.drop_runs([("late", 5)])
    (arrays / f"{'ab' * 16}.part").write_bytes(b"half")
    (filled / f"manifest.json.{'ab' * 16}.part").write_bytes(b"half")
    files.write_arrays(arrays, {"last/0": np.ones(3)}, {})  # weights whose results were never written
    files.write_arrays(arrays, {}, {"study": "another", "variant": "v", "seed": 1, "weights": ["0" * 64, 1]})
    with Store.open(filled, mode="w") as store:
        assert ("late", 5) in store.done()
        assert_same(list(store.records())[-1], make_record("late", 5))
        assert len(list(arrays.iterdir())) == 4 * 2 + 1
    assert not list(filled.rglob("*.part"))


def test_a_tampered_ledger_cannot_point_out_of_the_folder(filled, tmp_path):
    secret = tmp_path / "secret.safetensors"
    secret.write_text("keep me")
    with sqlite3.connect(filled / "ledger.sqlite") as connection:
        connection.execute("UPDATE state SET file = '../../../secret'")
    connection.close()
    with Store.open(filled) as store, pytest.warns(GengapWarning, match="a file that no store writes"):
        assert store.checkpoint("chunk 1") is None
    with Store.open(filled, mode="w") as store:
        assert store.checkpoint("chunk 1").scalars["epoch"] == 2  # found again among the files
        store.drop_checkpoint("chunk 1")
    assert secret.read_text() == "keep me"


def test_nothing_is_unpickled(filled, monkeypatch):
    import pickle

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, lambda *_: pytest.fail("unpickled"))
    with Store.open(filled, mode="w") as store:
        assert [len(r.weights_last) for r in store.records()] == [2, 2, 2]
        assert store.checkpoint("chunk 1") is not None


CUT = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript(f"PRAGMA journal_mode = {sys.argv[2]}; PRAGMA cache_size = 1; BEGIN IMMEDIATE")
for number in range(2000):
    connection.execute("INSERT INTO epoch VALUES (?, ?, ?, ?)", ("long" * 50, number, 1, "{}"))
os._exit(9)
"""


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_reader_finds_a_ledger_that_was_cut_in_a_transaction_as_it_was_before(filled, journal):
    ended = subprocess.run([sys.executable, "-c", CUT, filled / "ledger.sqlite", journal], check=False)
    assert ended.returncode == 9
    assert len(list(filled.glob("ledger.sqlite-*"))) > 0
    with Store.open(filled) as store:  # a warning would be an error
        assert len(store.done()) == 3
        assert [p.epoch for p in store.progress() if p.seed == 7] == [1]
        assert len(store.progress()) == 4


# Opening -------------------------------------------------------------------------------------------------------------


def test_folders_that_are_no_store_are_refused(tmp_path, manifest):
    with pytest.raises(StoreError, match="there is no folder"):
        Store.open(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="contains no stored study"):
        Store.open(tmp_path)
    (tmp_path / "ledger.sqlite").write_bytes(b"hello")
    with pytest.raises(StoreError, match="contains no stored study"):
        Store.open(tmp_path, mode="w")
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"holds other files \(ledger.sqlite, thesis.tex\); choose an empty folder"):
        Store.create(tmp_path, manifest)
    with pytest.raises(StoreError, match="is a file"):
        Store.create(tmp_path / "thesis.tex", manifest)
    assert {p.name for p in tmp_path.iterdir()} == {"ledger.sqlite", "thesis.tex"}


def test_a_store_is_not_made_twice(filled, manifest):
    with pytest.raises(StoreError, match="holds a study already"):
        Store.create(filled, manifest)
    with Store.open(filled) as store:
        assert len(store.keys()) == 3


def test_what_was_killed_inside_its_first_write_is_swept_away(folder, manifest):
    folder.mkdir(parents=True)
    (folder / f"writer.json.{'ab' * 16}.part").write_text("{")
    with Store.create(folder, manifest):
        assert not list(folder.rglob("*.part"))


def test_a_store_whose_making_was_killed_is_made_again(folder, manifest, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("gengap.storage.schema.migrate", killed)
    with pytest.raises(KeyboardInterrupt):
        Store.create(folder, manifest)
    monkeypatch.undo()
    assert not Store.exists(folder)
    with Store.create(folder, manifest):
        assert Store.exists(folder)


def test_another_programs_database_is_left_alone(tmp_path, manifest):
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("CREATE TABLE bank (account)")
    connection.close()
    before = (tmp_path / "ledger.sqlite").read_bytes()
    with pytest.raises(StoreError, match="was not written by gengap"):
        Store.create(tmp_path, manifest)
    assert (tmp_path / "ledger.sqlite").read_bytes() == before


def test_a_newer_schema_is_refused(filled):
    with sqlite3.connect(filled / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for mode in ("r", "w"):
        with pytest.raises(StoreError, match=r"schema version 99 .* install a newer gengap"):
            Store.open(filled, mode=mode)


def test_an_older_schema_is_brought_up_to_date_by_a_writer(filled, monkeypatch):
    step = "ALTER TABLE epoch ADD COLUMN note TEXT;"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    with pytest.raises(StoreError, match="older gengap; open it once for writing"):
        Store.open(filled)
    with Store.open(filled, mode="w") as store:
        assert len(store.done()) == 3
    with sqlite3.connect(filled / "ledger.sqlite") as connection:
        assert "note" in [row[1] for row in connection.execute("PRAGMA table_info(epoch)")]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_a_failing_migration_changes_nothing(filled, monkeypatch):
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE new (x); SELECT * FROM nowhere;"))
    with pytest.raises(sqlite3.Error):
        Store.open(filled, mode="w")
    monkeypatch.undo()
    with Store.open(filled, mode="w") as store:
        assert len(store.done()) == 3


@pytest.mark.parametrize(("journal", "kind"), [("wal", "wal"), ("rollback", "delete"), ("auto", "wal")])
def test_the_journal_can_be_chosen(folder, manifest, make_record, journal, kind):
    with Store.create(folder, manifest, journal=journal) as store:
        assert store._ledger._connection.execute("PRAGMA journal_mode").fetchone() == (kind,)
        store.put(make_record())
        with Store.open(folder) as reader:
            assert len(list(reader.records())) == 1
    assert {p.name for p in folder.iterdir()} == {"arrays", "ledger.sqlite", "lock.sqlite", "manifest.json"}


def test_network_file_systems_are_recognised(monkeypatch, tmp_path):
    from pathlib import Path

    text = f"/dev/sda / ext4 rw 0 0\nserver:/export {tmp_path}/nfs\\040share nfs4 rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert schema.is_on_network(tmp_path / "nfs share" / "runs")
    assert not schema.is_on_network(tmp_path / "elsewhere")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_store_in_a_folder_without_the_right_to_write_is_read(filled, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere, so the answer is set
    with Store.open(filled) as store:
        assert len(list(store.records())) == 3


# Writers -------------------------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_and_the_first_named(filled):
    with Store.open(filled, mode="w"):
        with pytest.raises(StoreError, match=rf"is being written to by process {os.getpid()} on \S+ since 20\d\d"):
            Store.open(filled, mode="w")
        with Store.open(filled) as reader:
            assert len(reader.done()) == 3
    with Store.open(filled, mode="w") as store:
        assert len(store.done()) == 3


HOLD = """
import sys, time
from gengap.storage import Store
store = Store.open(sys.argv[1], mode="w")
print("ready", flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_killed_writer_is_free(filled):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, filled], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "ready\n"
        with pytest.raises(StoreError, match=f"by process {holder.pid} on "):
            Store.open(filled, mode="w")
    finally:
        holder.kill()
        holder.communicate()
    assert json.loads((filled / "writer.json").read_text())["pid"] == holder.pid
    with Store.open(filled, mode="w") as store:
        assert len(store.done()) == 3


def test_a_writer_on_another_machine_is_believed_while_it_gives_signs_of_life(filled):
    holder = filled / "writer.json"
    holder.write_text(json.dumps({"pid": 12, "host": "elsewhere", "since": "2026-01-01"}))
    with pytest.raises(StoreError, match=r"by process 12 on elsewhere since 2026-01-01, alive \d s ago; .* wait 120 s"):
        Store.open(filled, mode="w")
    past = time.time() - lock.SILENCE - 1
    os.utime(holder, (past, past))
    with Store.open(filled, mode="w") as store:
        assert len(store.done()) == 3


@pytest.mark.parametrize("text", ["", "[]", "{", '{"host": 3}'])
def test_a_spoilt_holders_file_blocks_nobody_for_long(filled, text):
    holder = filled / "writer.json"
    holder.write_text(text)
    os.utime(holder, (0, 0))
    with Store.open(filled, mode="w") as store:
        assert len(store.done()) == 3


def test_a_writer_gives_signs_of_life(filled, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.01)
    with Store.open(filled, mode="w"):
        os.utime(filled / "writer.json", (0, 0))
        deadline = time.monotonic() + 5
        while (filled / "writer.json").stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (filled / "writer.json").stat().st_mtime > 0


def test_a_reader_changes_nothing(filled, make_record):
    with Store.open(filled) as store:
        for change in (
            lambda: store.put(make_record("new", 9)),
            lambda: store.put_epochs([("v", 0, 1, {})]),
            lambda: store.discard([("baseline", 0)]),
            lambda: store.put_checkpoint("c", ChunkState({}, {})),
            lambda: store.update_manifest({}),
        ):
            with pytest.raises(StoreError, match="opened for reading"):
                change()
        assert len(store.done()) == 3
