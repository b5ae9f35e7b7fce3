"""Frozen weights of many runs lie in the store once, and are found, checked and mended like all others."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.errors import GengapWarning
from gengap.storage import Store

LARGE = np.random.default_rng(0).normal(size=(200, 100)).astype("float32")


def with_backbone(record):
    """A record of weights of its own around a backbone of 80 kB."""
    first, second = record.weights_last
    best = [array.copy() for array in (record.weights_best[0], LARGE, record.weights_best[1])]
    return replace(record, weights_last=[first, LARGE, second], weights_best=best, frozen=(1,))


@pytest.fixture
def store(tmp_path, manifest, make_record):
    with Store.create(tmp_path / "s", manifest) as opened:
        for seed in range(4):
            opened.put(with_backbone(make_record(seed=seed)))
    return tmp_path / "s"


def large_files(folder):
    return [path for path in (folder / "arrays").iterdir() if path.stat().st_size > LARGE.nbytes]


def test_runs_share_one_file_and_come_back_whole(store, make_record):
    assert len(large_files(store)) == 1
    with Store.open(store) as opened:
        records = list(opened.records())
        assert len(opened.done()) == 4
    for seed, record in enumerate(records):
        expected = with_backbone(make_record(seed=seed))
        for kind in ("weights_last", "weights_best"):
            pairs = zip(getattr(record, kind), getattr(expected, kind), strict=True)
            assert all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def test_other_frozen_weights_are_another_file_and_ones_that_moved_are_the_runs_own(store, make_record):
    other = with_backbone(make_record(variant="other"))
    moved = [other.weights_best[0], LARGE + 1, other.weights_best[2]]
    with Store.open(store, mode="w") as opened:
        opened.put(replace(other, weights_best=moved))
        opened.put(with_backbone(make_record(seed=0)))
        opened.discard([("baseline", 1)])
    with Store.open(store) as opened:
        (found,) = [one for one in opened.records() if one.variant == "other"]
        assert np.array_equal(found.weights_best[1], LARGE + 1)
        assert len(opened.done()) == 4
    assert len(large_files(store)) == 2


def test_a_damaged_common_file_is_said_of_its_runs_and_written_again(store, make_record):
    (path,) = large_files(store)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with Store.open(store, mode="w") as opened:
        assert opened.done() == set()
        assert "checksum is wrong" in opened.damaged()["baseline", 2]
        for seed in range(4):
            opened.put(with_backbone(make_record(seed=seed)))
        assert len(opened.done()) == 4


def test_a_lost_ledger_finds_it_again(store):
    (store / "ledger.sqlite").unlink()
    with pytest.warns(GengapWarning, match="ledger"), Store.open(store, mode="w") as opened:
        assert len(opened.done()) == 4
    assert len(large_files(store)) == 1


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_a_study_on_a_frozen_embedding_stores_it_once_and_goes_on(tmp_path, engine):
    words = keras.layers.Embedding(5000, 8, name="words")
    body = [words, keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((4,), dtype="int32"), *body])
    words.trainable = False
    model.compile("adam", "binary_crossentropy")
    x = np.random.default_rng(0).integers(0, 5000, (20, 4)).astype("int32")
    given = {"epochs": 1, "batch_size": 10, "progress": False, "validation_data": (x[:8], x[:8, 0] % 2)}
    study = {"remedies": ["l2(0.1)"], "engine": engine, "storage": tmp_path / "s"}
    for seeds in (1, 2):
        result = gg.Study(model, seeds=seeds, **study).run(x[8:], x[8:, 0] % 2, **given)
    assert sum(path.stat().st_size > 100_000 for path in (tmp_path / "s" / "arrays").iterdir()) == 1
    assert np.array_equal(result.model("l2(0.1)", seed=1).layers[0].get_weights()[0], words.get_weights()[0])


def test_weights_are_found_from_another_folder_than_the_study_was_run_from(store, tmp_path, monkeypatch, make_record):
    monkeypatch.chdir(tmp_path)
    with Store.open("s") as opened:
        records = list(opened.records())
    monkeypatch.chdir("/")
    for seed, record in enumerate(records):
        expected = with_backbone(make_record(seed=seed)).weights_last
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(record.weights_last, expected, strict=True))
