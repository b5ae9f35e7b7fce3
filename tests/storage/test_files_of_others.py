"""A store removes, replaces and renames only what it wrote; every other file, folder and link stays as it was."""

import json
import sqlite3

import numpy as np
import pytest

from gengap.engine.state import ChunkState
from gengap.errors import GengapWarning, StoreError
from gengap.storage import Store, files

HEX = "0123456789abcdef"
NAMES = [
    "thesis.part",
    "mine.npy",
    "model.safetensors",
    f"{HEX * 4}.safetensors",  # named like a digest, with other content
    f"{HEX * 4}.bin",
    f"{HEX.upper() * 2}.part",
    "manifest.json.part",
    "manifest.json.1.part",
    "writer.json.bak",
    "ledger.sqlite.backup",
    "ledger.sqlite-old",
    "lock.sqlite2",
    ".hidden",
    "über mich.part",
]


def tree(folder):
    """Every entry below a folder: where a link leads, or what a file holds."""
    return {
        path.relative_to(folder): path.readlink() if path.is_symlink() else path.is_dir() or path.read_bytes()
        for path in folder.rglob("*")
    }


def strew(folder):
    """Put files, folders and links of somebody else into a folder, and return what lies there of theirs."""
    for number, name in enumerate(NAMES):
        (folder / name).write_text(f"mine {number}")
    (folder / "kept.part").mkdir()
    (folder / "kept.part" / f"{HEX * 2}.part").write_text("inside")
    (folder / f"{HEX * 4}f.safetensors").mkdir()
    for name in ("link.part", f"{HEX[::-1] * 2}.part", f"{HEX[::-1] * 4}.safetensors"):
        (folder / name).symlink_to(folder / "mine.npy")
    (folder / "nowhere.part").symlink_to("nowhere")


@pytest.fixture
def filled(tmp_path, manifest, make_record):
    folder = tmp_path / "study"
    with Store.create(folder, manifest) as store:
        for seed in range(2):
            store.put(make_record(seed=seed))
        store.put_checkpoint("chunk", ChunkState({"w": np.arange(3.0)}, {"epoch": 1}))
    return folder


def use(folder, make_record):
    """Everything that a writer does that removes, replaces or renames something."""
    for again in range(2):
        with Store.open(folder, mode="w") as store:
            store.put(make_record(seed=0, scale=2.0 + again))
            store.put_checkpoint("chunk", ChunkState({"w": np.arange(3.0) + again}, {"epoch": 2}))
            store.drop_checkpoint("chunk")
            store.discard([("baseline", 1)])
            store.put(make_record(seed=1))
            store._ledger.drop_runs([("baseline", 1)])


@pytest.mark.parametrize("where", ["", "arrays"])
def test_a_store_in_use_leaves_the_files_of_others_alone(filled, make_record, where):
    strew(filled / where)
    before = tree(filled)
    theirs = {path for path in before if path.name in {*NAMES} or ".part" in str(path)}
    theirs |= {path for path in before if (filled / path).is_symlink() or path.name == f"{HEX * 4}f.safetensors"}
    use(filled, make_record)
    (filled / "ledger.sqlite").write_bytes(b"damaged" * 100)
    with pytest.warns(GengapWarning, match="built again"):
        use(filled, make_record)
    after = tree(filled)
    assert len(theirs) >= len(NAMES) + 6
    assert {path: after.get(path) for path in theirs} == {path: before[path] for path in theirs}
    with Store.open(filled, mode="w") as store:
        assert store.done() == {("baseline", 0), ("baseline", 1)}


def test_a_ledger_set_aside_replaces_no_ledger_set_aside_before(filled):
    for _ in range(3):
        (filled / "ledger.sqlite").write_bytes(b"damaged" * 100)
        with pytest.warns(GengapWarning, match="set aside"):
            Store.open(filled, mode="w").close()
    assert len(list(filled.glob("damaged-*-ledger.sqlite"))) == 3


OTHERS = {
    "a draft": lambda f: (f / "thesis.part").write_text("chapter 1"),
    "an array": lambda f: (f / "arrays" / "mine.npy").write_text("array"),
    "a part of another program": lambda f: (f / "arrays" / "movie.part").write_text("array"),
    "a file named like a digest": lambda f: (f / "arrays" / f"{HEX * 4}.safetensors").write_text("weights"),
    "a web application's manifest": lambda f: (f / "manifest.json").write_text('{"name": "my site"}'),
    "a manifest that is not JSON": lambda f: (f / "manifest.json").write_text("{"),
    "a writer": lambda f: (f / "writer.json").write_text('{"name": "Kafka"}'),
    "a lock": lambda f: (f / "lock.sqlite").write_text("closed"),
    "a ledger in words": lambda f: (f / "ledger.sqlite").write_text("rent: 900"),
    "a copy of a ledger": lambda f: (f / "ledger.sqlite.backup").write_text("rent: 900"),
    "a folder of a part's name": lambda f: (f / "x.part").mkdir(),
    "a folder for a ledger": lambda f: (f / "ledger.sqlite").mkdir(),
    "a file for the arrays": lambda f: ((f / "arrays").rmdir(), (f / "arrays").write_text("list")),
    "a link for the arrays": lambda f: ((f / "arrays").rmdir(), (f / "arrays").symlink_to(f.parent / "photos")),
    "a link for the ledger": lambda f: (f / "ledger.sqlite").symlink_to(f.parent / "photos" / "1.jpg"),
    "a link for the manifest": lambda f: (f / "manifest.json").symlink_to(f.parent / "photos" / "1.jpg"),
    "a dangling link": lambda f: (f / "lock.sqlite").symlink_to(f.parent / "photos" / "2.jpg"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_folder_with_something_of_somebody_else_does_not_become_a_store(tmp_path, manifest, name):
    folder = tmp_path / "p"
    (folder / "arrays").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"")
    OTHERS[name](folder)
    before = tree(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"holds other files|was not written by gengap"):
            Store.create(folder, manifest)
        with pytest.raises(StoreError, match="contains no stored study"):
            Store.open(folder, mode="w")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("part", ["arrays", "manifest.json", "ledger.sqlite", "lock.sqlite", "writer.json"])
def test_a_store_does_not_write_through_links(filled, tmp_path, part):
    moved = tmp_path / f"moved-{part}"
    if (filled / part).exists():
        (filled / part).rename(moved)
    else:
        moved.write_text("{}")
    (filled / part).symlink_to(moved)
    before = tree(tmp_path)
    with pytest.raises(StoreError, match=r"is a link, and a store does not write through links: put the whole folder"):
        Store.open(filled, mode="w")
    assert tree(tmp_path) == before


def test_a_store_whose_folder_is_a_link_is_used_as_the_sentence_says(filled, tmp_path, make_record):
    (tmp_path / "link").symlink_to(filled)
    with Store.open(tmp_path / "link", mode="w") as store:
        store.put(make_record(seed=5))
    with Store.open(filled) as store:
        assert ("baseline", 5) in store.done()


def test_a_store_without_its_manifest_and_ledger_is_not_taken_for_an_empty_folder(filled, manifest):
    for name in ("manifest.json", "ledger.sqlite"):
        (filled / name).unlink()
    before = tree(filled)
    with pytest.raises(StoreError, match="holds other files"):
        Store.create(filled, manifest)
    assert tree(filled) == before


def test_a_ledger_with_runs_whose_manifest_is_lost_is_not_written_over(filled, manifest):
    (filled / "manifest.json").unlink()
    with sqlite3.connect(filled / "ledger.sqlite") as connection:
        connection.execute("DELETE FROM manifest")
    connection.close()
    with pytest.raises(StoreError, match="holds other files"):
        Store.create(filled, manifest)


def test_a_writers_file_of_somebody_else_is_set_aside(filled):
    (filled / "writer.json").write_text(json.dumps({"name": "Kafka"}))
    Store.open(filled, mode="w").close()
    (aside,) = filled.glob("damaged-*-writer.json")
    assert json.loads(aside.read_text()) == {"name": "Kafka"}


def test_a_damaged_file_of_arrays_that_the_ledger_does_not_name_stays(filled):
    """Its content no longer shows that a store wrote it; it costs some bytes and takes part in nothing."""
    stray = files.write_arrays(filled / "arrays", {"a": np.ones(3)}, {})
    whole = files.write_arrays(filled / "arrays", {"a": np.zeros(3)}, {})
    path = files.path_of(filled / "arrays", stray.digest)
    path.write_bytes(path.read_bytes()[:-1])
    Store.open(filled, mode="w").close()
    assert path.exists()
    assert not files.path_of(filled / "arrays", whole.digest).exists()
