"""Recorded and compiled steps against the steps themselves."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import torch
from keras import layers
from keras.regularizers import OrthogonalRegularizer
from scipy import sparse
from tests.engine.test_fused import (
    CONVOLUTIONS,
    FAST,
    TIME_AND_ATTENTION,
    chain,
    data_for,
    image,
    largest_difference,
    one_per_cell,
)

from gengap.engine import planner, recording
from gengap.engine.fused import plan_fused, prepare_runs, train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.recording import CompiledStep
from gengap.engine.runs import Run
from gengap.engine.trainer import Trainer
from gengap.errors import GengapWarning

MORE = {
    "dropout": lambda: chain(layers.Dense(5, activation="relu"), layers.Dropout(0.4), layers.GaussianDropout(0.2)),
    "noise": lambda: chain(layers.GaussianNoise(0.3), layers.Dense(4, activation="tanh")),
    "spatial": lambda: image(layers.Conv2D(4, 3, activation="relu"), layers.SpatialDropout2D(0.3)),
    "block": lambda: image(
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.SpatialDropout2D(0.3),
        layers.AveragePooling2D(2),
    ),
    "own penalty": lambda: chain(layers.Dense(4, kernel_regularizer=OrthogonalRegularizer(0.1)), layers.Dense(2)),
}  # fmt: skip
RUN_BY_RUN = {"activity", "own layer"}
"""They take the slow door, whose code may do anything."""

pytestmark = pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")


def compiled_plan(runs):
    names = tuple((run.variant, run.seed) for run in runs)
    return Plan("cpu", "float32", (Chunk("chunk-000", names, "fused", "test", compiled_steps=True),))


def plain_plan(runs):
    plan = compiled_plan(runs)
    return replace(plan, chunks=tuple(replace(chunk, compiled_steps=False) for chunk in plan.chunks))


def compiled_nets(build, number=3, loss="binary_crossentropy"):
    models = [build() for _ in range(number)]
    for model in models:
        model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    return [Run(f"net {position}", position % 2, model) for position, model in enumerate(models)]


@pytest.fixture
def uncompiled(monkeypatch):
    """Play recordings back as they are, and count them."""
    seen = []
    monkeypatch.setattr(torch, "compile", lambda play, **_: seen.append(play) or play)
    return seen


ALWAYS = {"dense", "conv2d", "batch norm", "functional", "masked", "einsum", "embedding"}
"""What is recorded in every suite; the other layers when there is time."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow)
        for name in [*FAST, *CONVOLUTIONS, *MORE, *TIME_AND_ATTENTION]
    ],
)
def test_recordings_equal_the_steps_to_the_bit(name, make_data, settings, collect, uncompiled):
    build = {**FAST, **CONVOLUTIONS, **MORE, **TIME_AND_ATTENTION}[name]
    runs, data = compiled_nets(build), data_for(build, make_data)
    plain = collect(train_fused, runs, data, settings(), plan=plain_plan(runs))
    assert not uncompiled
    looped = name in RUN_BY_RUN
    with pytest.warns(GengapWarning, match="some layers are called run by run") if looped else nullcontext():
        played = collect(train_fused, runs, data, settings(), plan=compiled_plan(runs))
    for run, record in played.items():
        assert largest_difference(record, plain[run]) == 0, run
    sizes = 2  # 53 cases in batches of 16: the last has 5
    assert len(uncompiled) == (0 if looped else sizes)


def test_sparse_rows_and_weights_of_cases_are_arguments(settings, collect, make_data, uncompiled):
    runs = compiled_nets(lambda: chain(layers.Dense(5, activation="relu"), layers.Dropout(0.3), shape=(40,)))
    data = make_data((40,))
    counts = [sparse.csr_matrix(np.maximum(split.x, 0)) for split in (data.train, data.validation)]
    weight = np.random.default_rng(0).uniform(0.5, 2, len(data.train)).astype(np.float32)
    data = replace(
        data,
        train=replace(data.train, x=counts[0], sample_weight=weight),
        validation=replace(data.validation, x=counts[1]),
        test=None,
    )
    plain = collect(train_fused, runs, data, settings(), plan=plain_plan(runs))
    played = collect(train_fused, runs, data, settings(), plan=compiled_plan(runs))
    for run, record in played.items():
        assert largest_difference(record, plain[run]) == 0, run
    assert len(uncompiled) == 2


@keras.saving.register_keras_serializable("tests")
class Branching(layers.Layer):
    """Doubles a batch whose mean is above 0: what it does depends on numbers."""

    def call(self, x):
        return 2 * x if float(x.detach().mean()) > 0 else x


@keras.saving.register_keras_serializable("tests")
class Remembering(layers.Layer):
    """Multiplies by the largest number that its first call saw: nothing in the operations tells."""

    def call(self, x):
        if not hasattr(self, "_seen"):
            self._seen = torch.full((), 1.0)
        self._seen = self._seen + x.detach().abs().max().item()
        return x * self._seen


def branching(y_true, y_pred):
    """A loss that doubles what a batch whose mean is above a half costs."""
    loss = keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)
    return 2 * loss if float(y_pred.detach().mean()) > 0.5 else loss


BY_RUN = "some layers are called run by run"


@pytest.mark.parametrize(
    ("layer", "loss", "reason"),
    [
        (layers.ReLU, branching, "depends on the numbers"),
        (Branching, "binary_crossentropy", BY_RUN),
        (Remembering, "binary_crossentropy", BY_RUN),
    ],
)
def test_what_depends_on_numbers_is_not_recorded(layer, loss, reason, make_data, settings, uncompiled):
    data, runs = make_data(), compiled_nets(lambda: chain(layers.Dense(4), layer()), loss=loss)
    trainer = Trainer("x", prepare_runs(runs, data, settings()), data, settings(), compile_steps=True)
    with pytest.warns(GengapWarning, match=f"goes on without compiling: .*{reason}"):
        trainer.advance()
    assert set(trainer._take._tapes.values()) == {None}
    assert not uncompiled


@pytest.mark.filterwarnings("ignore:Training goes on without compiling")
def test_a_trace_that_breaks_off_leaves_moving_averages_alone(make_data, settings):
    data, runs = make_data(), compiled_nets(lambda: chain(layers.BatchNormalization(), layers.Dense(4)), loss=branching)
    plain, tried = (
        Trainer("x", prepare_runs(runs, data, settings()), data, settings(), compile_steps=compiled)
        for compiled in (False, True)
    )
    plain.advance()
    tried.advance()
    for k in range(len(runs)):
        for ours, theirs in zip(tried.stack.of_run(k), plain.stack.of_run(k), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_recording_that_is_right_for_one_batch_only_is_not_used(make_data, settings, uncompiled, monkeypatch):
    def constant(function):
        def trace(*arguments):
            results = function(*arguments)
            return lambda *_: results

        return trace

    monkeypatch.setattr(recording, "make_fx", constant)
    data, runs = make_data(), compiled_nets(FAST["dense"])
    trainer = Trainer("x", prepare_runs(runs, data, settings()), data, settings(), compile_steps=True)
    with pytest.warns(GengapWarning, match="recorded does not give the numbers of the step itself"):
        trainer.advance()
    assert set(trainer._take._tapes.values()) == {None}


def test_a_smaller_stack_is_not_compiled_anew(make_data, settings, uncompiled):
    data, runs = make_data(), compiled_nets(FAST["dense"])
    trainer = Trainer("x", prepare_runs(runs, data, settings()), data, settings(), compile_steps=True)
    assert isinstance(trainer._take, CompiledStep)
    trainer._keep([0, 2])
    assert not isinstance(trainer._take, CompiledStep)


def test_where_compiling_fails_training_goes_on_and_says_so(make_data, settings, collect, monkeypatch):
    def fail(_play, **_):
        def play(*_):
            raise NotImplementedError("no such operation\nand a long trace")

        return play

    monkeypatch.setattr(torch, "compile", fail)
    data, runs = make_data(), compiled_nets(MORE["dropout"])
    plain = collect(train_fused, runs, data, settings(), plan=plain_plan(runs))
    with pytest.warns(GengapWarning, match="goes on without compiling: no such operation\\."):
        played = collect(train_fused, runs, data, settings(), plan=compiled_plan(runs))
    for run, record in played.items():
        assert largest_difference(record, plain[run]) == 0, run


@pytest.mark.parametrize(("against", "said"), [(None, ", then compiled"), ("no g++", ", not compiled: no g++")])
def test_a_plan_says_whether_steps_are_compiled(against, said, make_data, settings, monkeypatch):
    monkeypatch.setattr(planner, "why_not_compiled", lambda _: against)
    plan = plan_fused(compiled_nets(FAST["dense"]), make_data(), settings(compile=True))
    assert said in str(plan)
    assert {chunk.compiled_steps for chunk in plan.chunks} == {against is None}
    assert Plan.from_json(plan.to_json()) == plan


def test_without_a_compiler_the_reason_is_a_sentence(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("No C++ compiler\nmore")))
    recording.why_not_compiled.cache_clear()
    try:
        assert recording.why_not_compiled() == "torch.compile does not work here (No C++ compiler)"
    finally:
        recording.why_not_compiled.cache_clear()


@pytest.mark.filterwarnings("ignore")  # torch's compiler uses what others have deprecated
@pytest.mark.slow
def test_compiled_steps_are_the_steps_to_rounding_and_resume_to_the_bit(make_data, settings, collect):
    if recording.why_not_compiled() is not None:
        pytest.skip(recording.why_not_compiled())
    stack = (layers.Conv1D(4, 3, activation="relu"), layers.SpatialDropout1D(0.3), layers.BatchNormalization())
    runs = compiled_nets(lambda: one_per_cell(*stack))
    data, wanted = data_for(lambda: runs[0].model, make_data), settings(epochs=3)
    plain = collect(train_fused, runs, data, wanted, plan=plain_plan(runs))
    states = []
    listener = SimpleNamespace(
        on_epoch=lambda *_: None, on_record=lambda *_: None, on_checkpoint=lambda _, state: states.append(state)
    )
    train_fused(runs, data, wanted, listener, plan=compiled_plan(runs), checkpoint_seconds=0)
    whole = collect(train_fused, runs, data, wanted, plan=compiled_plan(runs))
    resumed = collect(train_fused, runs, data, wanted, plan=compiled_plan(runs), states={"chunk-000": states[5]})
    for run, record in whole.items():
        assert 0 < largest_difference(record, plain[run]) < 2e-5, run
        assert largest_difference(record, resumed[run]) == 0, run
