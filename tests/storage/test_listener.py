import numpy as np

from gengap.engine.runs import Collector, Run
from gengap.engine.state import ChunkState
from gengap.storage import Store, StoreListener
from gengap.storage import listener as module


def test_what_an_engine_tells_reaches_the_store_and_the_next_listener(tmp_path, manifest, make_record):
    then = Collector()
    with Store.create(tmp_path / "x", manifest) as store:
        listener = StoreListener(store, then)
        listener.on_record(make_record())
        listener.on_checkpoint("c", ChunkState({"w": np.ones(2)}, {"epoch": 1}))
        assert store.done() == {("baseline", 0)}
        assert store.checkpoints() == ["c"]
    assert [r.seed for r in then.records] == [0]


def test_a_run_that_is_stored_already_is_neither_written_nor_told_again(tmp_path, manifest, make_record):
    with Store.create(tmp_path / "x", manifest) as store:
        store.put(make_record())
        then = Collector()
        StoreListener(store, then).on_record(make_record(scale=2.0))
        np.testing.assert_array_equal(next(store.records()).weights_last[0], make_record().weights_last[0])
        assert then.records == []


def test_the_checkpoint_of_a_chunk_goes_with_its_last_run(tmp_path, manifest, make_record):
    with Store.create(tmp_path / "x", manifest) as store:
        store.put(make_record(seed=0))
        listener = StoreListener(store, chunks={"a": {("baseline", s) for s in range(3)}, "b": {("baseline", 9)}})
        for chunk in ("a", "b"):
            listener.on_checkpoint(chunk, ChunkState({}, {}))
        listener.on_record(make_record(seed=1))
        assert store.checkpoints() == ["a", "b"]
        listener.on_record(make_record(seed=2))
        assert store.checkpoints() == ["b"]


def test_epochs_are_written_together_every_now_and_then(tmp_path, manifest, monkeypatch):
    clock = iter([0.0, 0.1, 0.2, 1.5, 1.5, 1.6, 9.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with Store.create(tmp_path / "x", manifest) as store:
        listener = StoreListener(store)
        run = Run("baseline", 3, model=None)
        seen = []
        for epoch in (1, 2, 3, 4):
            listener.on_epoch(run, epoch, {"loss": 1 / epoch})
            seen.append([p.epoch for p in store.progress()])
        assert seen == [[], [], [3], [3]]
        listener.flush()
        assert [p.epoch for p in store.progress()] == [4]
        assert store.progress()[0].logs == {"loss": 0.25}
