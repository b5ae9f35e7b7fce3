"""Ray on this machine: two one-core workers. Every worker imports Keras and torch, so what kills many is slow."""

import os
import signal
import threading
import time
import warnings

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.engine.fused import plan_fused, train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.runs import Collector
from gengap.engine.state import ChunkState
from gengap.errors import DataError, GengapError, GengapWarning, MissingExtraError, SlowPathWarning
from gengap.runners import RayRunner
from gengap.runners import ray as module
from gengap.storage import interruptible

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")


@pytest.fixture(scope="module")
def cluster():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        with module.keeping_sigterm():
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


class Remembering(Collector):
    """A listener that keeps epochs and checkpoints as well."""

    def __init__(self):
        super().__init__()
        self.epochs, self.states = [], {}

    def on_epoch(self, run, epoch, logs):
        self.epochs.append((run.variant, run.seed, epoch))
        assert logs["loss"] > 0

    def on_checkpoint(self, chunk_id, state):
        self.states[chunk_id] = state


def in_three_chunks(runs):
    """One chunk for each seed, whatever a measurement would say."""
    own = {seed: tuple((run.variant, run.seed) for run in runs if run.seed == seed) for seed in range(3)}
    return Plan("cpu", "float32", tuple(Chunk(f"chunk-00{seed}", names, "fused", "") for seed, names in own.items()))


def by_run(records):
    return {(r.variant, r.seed): r for r in records}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key, record in one.items():
        for a, b in zip(record.weights_last, other[key].weights_last, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(record.history["val_score"], other[key].history["val_score"])
        np.testing.assert_array_equal(record.predictions["validation"].last, other[key].predictions["validation"].last)


def test_a_cluster_gives_the_numbers_of_one_machine(cluster, runs, data, settings):
    runner, far, near = RayRunner(), Remembering(), Collector()
    with runner.session():
        planned = runner.plan(plan_fused, runs, data, settings)
        assert {run for chunk in planned.chunks for run in chunk.runs} == {(run.variant, run.seed) for run in runs}
        plan = in_three_chunks(runs)
        runner.execute(train_fused, runs, data, settings, far, plan=plan)
    train_fused(runs, data, settings, near, plan=plan)
    assert_equal(by_run(far.records), by_run(near.records))
    assert sorted(far.epochs) == sorted((r.variant, r.seed, e) for r in runs for e in (1, 2, 3))
    assert ray.is_initialized()  # a session that was there stays


@pytest.mark.slow
def test_folds_train_on_a_cluster_as_here(cluster, rng, tmp_path):
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    study = gg.Study(model, remedies=["l2(0.01)"], seeds=2)
    fit = {"cv": 3, "preprocess": keras.layers.Normalization(axis=-1), "epochs": 2, "progress": False}
    near = study.run(x, y, **fit)
    for far in (study.stored_in(None, runner="ray"), study.stored_in(tmp_path, runner="ray")):
        found = far.run(x, y, **fit)
        for name in ("prediction_best", "prediction_last", "fold"):
            np.testing.assert_allclose(found.test[name], near.test[name], atol=1e-6)


def plain(runs, data, settings, listener, *, plan, states):
    """Stands in for Keras' own loop: no plan, no states."""
    assert plan is None
    assert states is None
    train_fused(runs, data, settings, listener)


@pytest.mark.slow
def test_without_a_plan_every_run_is_a_task(cluster, runs, data, settings):
    far, near = Collector(), Collector()
    RayRunner().execute(plain, runs, data, settings, far)
    for run in runs:
        train_fused([run], data, settings, near)
    assert_equal(by_run(far.records), by_run(near.records))


def dying(runs, data, settings, listener, *, plan, states):
    """Sends a state of its first chunk and dies; goes on when it gets the state back."""
    chunk = plan.chunks[0].id
    if chunk != "chunk-000":
        train_fused(runs, data, settings, listener, plan=plan)
        return
    if not states:
        listener.on_checkpoint(chunk, ChunkState({"w": np.arange(3)}, {"epoch": 2, "runs": []}))
        os.kill(os.getpid(), signal.SIGKILL)
    assert states[chunk].scalars["epoch"] == 2
    train_fused(runs, data, settings, listener, plan=plan)


@pytest.mark.slow
def test_a_lost_worker_costs_nothing_before_its_last_checkpoint(cluster, runs, data, settings):
    listener, near = Remembering(), Collector()
    plan = in_three_chunks(runs)
    with pytest.warns(GengapWarning, match=r"worker was lost .* goes on from its last checkpoint on another"):
        RayRunner().execute(dying, runs, data, settings, listener, plan=plan)
    train_fused(runs, data, settings, near, plan=plan)
    assert_equal(by_run(listener.records), by_run(near.records))
    assert set(listener.states) == {"chunk-000"}


def always_dying(runs, data, settings, listener, *, plan, states):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_chunk_that_loses_every_worker_is_given_up(cluster, runs, data, settings):
    with (
        pytest.warns(GengapWarning, match="worker was lost"),
        pytest.raises(GengapError, match="lost its worker 2 times"),
    ):
        RayRunner(retries=1).execute(always_dying, runs[:1], data, settings, Collector())


def failing(runs, data, settings, listener, *, plan, states):
    warnings.warn("the slow door", SlowPathWarning, stacklevel=1)
    if runs[0].seed == 1:
        raise DataError("one sentence")


@pytest.mark.slow
def test_errors_and_warnings_arrive_as_they_were(cluster, runs, data, settings):
    with pytest.warns(SlowPathWarning, match="the slow door") as caught:
        RayRunner().execute(failing, runs[:2], data, settings, Collector())
    assert len([one for one in caught if one.category is SlowPathWarning]) == 1
    with pytest.raises(DataError, match=r"^one sentence$"):
        RayRunner().execute(failing, runs[2:3], data, settings, Collector())


def patient(runs, data, settings, listener, *, plan, states):
    """Trains until it is interrupted, then hands out its state, as the fused engine does."""
    listener.on_epoch(runs[0], 1, {"loss": 1.0})
    try:
        for _ in range(600):
            time.sleep(0.1)
    except KeyboardInterrupt:
        listener.on_checkpoint(plan.chunks[0].id, ChunkState({}, {"epoch": 5, "runs": []}))
        raise


@pytest.mark.slow
def test_ctrl_c_brings_the_states_home(cluster, runs, data, settings):
    listener = Remembering()
    plan = plan_fused(runs, data, settings)

    def press():
        deadline = time.monotonic() + 30
        while not listener.epochs and time.monotonic() < deadline:
            time.sleep(0.05)
        signal.raise_signal(signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        RayRunner().execute(patient, runs, data, settings, listener, plan=plan)
    presser.join()
    assert {name: state.scalars["epoch"] for name, state in listener.states.items()} == {
        chunk.id: 5 for chunk in plan.chunks
    }


def test_a_cluster_without_room_is_said(cluster, runs, data, settings):
    with pytest.raises(GengapError, match=r"asks for 64 CPU and the whole Ray cluster has 2: lower `num_cpus`"):
        RayRunner(num_cpus=64).execute(train_fused, runs, data, settings, Collector())
    with pytest.raises(GengapError, match="asks for 1 GPU"):
        RayRunner(num_gpus=1).plan(plan_fused, runs, data, settings)


def test_rays_handler_of_sigterm_does_not_stay(monkeypatch):
    """It would end a study without saving it."""

    def init(**_):
        signal.signal(signal.SIGTERM, lambda *_: pytest.fail("Ray's own handler was called"))

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(module.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(module.ray, "init", init)
    monkeypatch.setattr(module.ray, "shutdown", lambda: None)
    with RayRunner()._connected():
        assert signal.getsignal(signal.SIGTERM) is before
    with interruptible(), RayRunner()._connected(), pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gengap\[ray\]'"):
        RayRunner()
