"""Recurrent layers of K runs: outputs and gradients are those of Keras' own layer, run by run, masks heeded."""

import keras
import numpy as np
import pytest
import torch
from keras import layers

import gengap as gg
from gengap.errors import ModelError
from gengap.keras_models.graph import read_graph
from gengap.layers.doors import PassContext
from gengap.layers.program import Program
from gengap.layers.recurrent import RecurrentDoor
from gengap.layers.stack import Stack

RUNS, CASES, STEPS, FEATURES = 3, 5, 6, 4

LAYERS = {
    "lstm": lambda: layers.LSTM(3),
    "lstm sequences": lambda: layers.LSTM(3, return_sequences=True),
    "lstm backwards": lambda: layers.LSTM(3, return_sequences=True, go_backwards=True),
    "lstm relu": lambda: layers.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid"),
    "lstm without bias": lambda: layers.LSTM(3, use_bias=False, return_sequences=True),
    "lstm zeros where masked": lambda: layers.LSTM(3, return_sequences=True, zero_output_for_mask=True),
    "lstm unrolled": lambda: layers.LSTM(3, unroll=True, return_sequences=True),
    "gru": lambda: layers.GRU(3),
    "gru sequences": lambda: layers.GRU(3, return_sequences=True),
    "gru backwards": lambda: layers.GRU(3, go_backwards=True),
    "gru before": lambda: layers.GRU(3, reset_after=False, return_sequences=True),
    "gru without bias": lambda: layers.GRU(3, use_bias=False, return_sequences=True),
    "gru relu": lambda: layers.GRU(3, activation="relu"),
    "simple": lambda: layers.SimpleRNN(3),
    "simple sequences": lambda: layers.SimpleRNN(3, return_sequences=True, activation="relu"),
    "one unit": lambda: layers.LSTM(1, return_sequences=True),
    "odd units": lambda: layers.GRU(7),
    "bidirectional lstm": lambda: layers.Bidirectional(layers.LSTM(3)),
    "bidirectional lstm sequences": lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
    "bidirectional gru sum": lambda: layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum"),
    "bidirectional mean": lambda: layers.Bidirectional(layers.SimpleRNN(3), merge_mode="ave"),
    "bidirectional product": lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="mul"),
    "bidirectional of two kinds": lambda: layers.Bidirectional(
        layers.LSTM(3), backward_layer=layers.GRU(3, go_backwards=True)
    ),
}
SLOW = {
    "all dropped": lambda: layers.GRU(3, dropout=1.0),
    "an activation of one's own": lambda: layers.LSTM(3, activation=lambda x: keras.ops.tanh(x) * 0.5),
    "softmax": lambda: layers.SimpleRNN(3, activation="softmax"),
    "cells": lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]),
}


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""These laws hold on a card, where there is one."""


def model_of(build, *, masked):
    x = keras.Input((STEPS, FEATURES))
    h = layers.Masking(9.0)(x) if masked else x
    h = build()(h)
    return keras.Model(x, layers.Flatten()(h * 1.0 if masked else h))


def runs_of(build, *, masked):
    model = model_of(build, masked=masked)
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    weights = [[rng.normal(size=w.shape).astype("float32") for w in model.get_weights()] for _ in range(RUNS)]
    stack = Stack(model, weights, device=DEVICE)
    return model, weights, stack, Program([model] * RUNS, list(range(RUNS)), stack)


def inputs(*, masked):
    x = np.random.default_rng(1).normal(size=(RUNS, CASES, STEPS, FEATURES)).astype("float32")
    if masked:  # at the end, at the beginning, in between, everywhere
        x[:, 0, 4:], x[:, 1, :2], x[:, 2, 2:4], x[:, 3] = 9.0, 9.0, 9.0, 9.0
    return x


def doors_of(program):
    return [door for door in program.choices if isinstance(door, RecurrentDoor)]


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.filterwarnings("ignore:.*was passed an input with a mask attached to it")
def ways():
    """Every layer behind a mask, and every second without one; the others when there is time."""
    for place, name in enumerate(LAYERS):
        for masked in (False, True):
            waits = not masked and place % 2
            yield pytest.param(name, masked, marks=pytest.mark.slow if waits else ())


@pytest.mark.filterwarnings("ignore:.*RNN module weights are not part of single contiguous")  # Keras' own, on a card
@pytest.mark.parametrize(("name", "masked"), list(ways()))
def test_outputs_and_gradients_are_those_of_keras(name, masked):
    model, weights, stack, program = runs_of(LAYERS[name], masked=masked)
    x = inputs(masked=masked)
    together = program([torch.from_numpy(x).to(DEVICE)], PassContext(training=True))
    assert doors_of(program), "it took another door"
    direction = torch.from_numpy(np.random.default_rng(2).normal(size=tuple(together.shape)).astype("float32")).to(
        DEVICE
    )
    found = torch.autograd.grad((together * direction).sum(), stack.leaves())
    for k in range(RUNS):
        model.set_weights(weights[k])
        alone = model(x[k], training=True)
        np.testing.assert_allclose(together[k].detach().cpu(), alone.detach().cpu(), atol=2e-6, rtol=1e-6)
        wanted = torch.autograd.grad((alone * direction[k]).sum(), [v.value for v in model.trainable_variables])
        for stacked, own in zip(found, wanted, strict=True):
            np.testing.assert_allclose(stacked[k].cpu(), own.cpu(), atol=2e-5)


@pytest.mark.filterwarnings("ignore:.*was passed an input with a mask attached to it")
@pytest.mark.skipif(DEVICE != "cpu", reason="compiled code is for a CPU")
@pytest.mark.parametrize("name", ["lstm zeros where masked", "gru backwards", "bidirectional lstm sequences"])
def test_it_is_the_same_without_numba(name, monkeypatch):
    _, _, stack, program = runs_of(LAYERS[name], masked=True)
    x = torch.from_numpy(inputs(masked=True)).to(DEVICE)
    found = []
    for _ in range(2):
        states = program([x], PassContext(training=True))
        found.append((states.detach(), *torch.autograd.grad(states.square().sum(), stack.leaves())))
        monkeypatch.setattr("gengap.layers.recurrent.is_compiled", lambda _: False)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert any((one != other).any() for one, other in zip(*found, strict=True)), "both were the same code"


NOISY = {
    "lstm, of inputs": lambda rate: layers.LSTM(3, dropout=rate, return_sequences=True),
    "lstm, of both": lambda rate: layers.LSTM(3, dropout=rate, recurrent_dropout=0.3),
    "lstm relu": lambda rate: layers.LSTM(3, activation="relu", recurrent_dropout=rate, go_backwards=True),
    "gru": lambda rate: layers.GRU(3, recurrent_dropout=rate, return_sequences=True),
    "gru before": lambda rate: layers.GRU(3, reset_after=False, dropout=0.4, recurrent_dropout=rate, use_bias=False),
    "simple": lambda rate: layers.SimpleRNN(3, dropout=rate, recurrent_dropout=0.3),
    "both directions": lambda rate: layers.Bidirectional(layers.GRU(3, dropout=rate, recurrent_dropout=0.2)),
}


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.filterwarnings("ignore:.*was passed an input with a mask attached to it")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", NOISY)
def test_dropout_inside_is_that_of_keras_own_code_run_by_run(name, masked):
    models = [model_of(lambda rate=rate: NOISY[name](rate), masked=masked) for rate in (0.2, 0.2, 0.6)]
    rng = np.random.default_rng(0)
    weights = [[rng.normal(size=w.shape).astype("float32") for w in models[0].get_weights()] for _ in range(RUNS)]
    direction, found = None, []
    for chosen in (None, "loop"):
        stack = Stack(models[0], weights, device=DEVICE)
        steps = {
            step.index: chosen
            for step in read_graph(models[0]).steps
            if chosen and getattr(step.operation, "weights", ())
        }
        program = Program(models, [0, 1, 1], stack, doors=steps)
        x = torch.from_numpy(inputs(masked=masked)).to(DEVICE).requires_grad_()
        outputs = program([x], PassContext(training=True, epoch=2, step=3))
        assert bool(doors_of(program)) == (chosen is None)
        direction = torch.randn(outputs.shape, device=DEVICE) if direction is None else direction
        found.append((outputs, *torch.autograd.grad((outputs * direction).sum(), [*stack.leaves(), x])))
    for fused, looped in zip(*found, strict=True):
        torch.testing.assert_close(fused, looped, atol=2e-5, rtol=2e-5)
    assert (found[0][0] != program([x], PassContext(training=False))).any()


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.parametrize("name", SLOW)
def test_what_the_kernel_cannot_do_takes_another_door(name):
    *_, program = runs_of(SLOW[name], masked=False)
    program([torch.from_numpy(inputs(masked=False)).to(DEVICE)], PassContext(training=False))
    assert not doors_of(program)


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
def test_a_users_own_layer_of_the_name_takes_another_door():
    class LSTM(layers.LSTM):
        def call(self, sequences, initial_state=None, mask=None, training=False):
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training) * 2.0

    *_, program = runs_of(lambda: LSTM(3), masked=False)
    program([torch.from_numpy(inputs(masked=False)).to(DEVICE)], PassContext(training=False))
    assert not doors_of(program)


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.parametrize("name", ["lstm sequences", "gru", "bidirectional lstm"])
def test_a_run_gone_wild_leaves_its_neighbours_alone(name):
    _, _, stack, program = runs_of(LAYERS[name], masked=False)
    x = inputs(masked=False)
    before = program([torch.from_numpy(x).to(DEVICE)], PassContext(training=True))
    before_grad = torch.autograd.grad(before[1:].sum(), stack.leaves())
    x[0] = np.nan
    after = program([torch.from_numpy(x).to(DEVICE)], PassContext(training=True))
    after_grad = torch.autograd.grad(after[1:].sum(), stack.leaves())
    torch.testing.assert_close(after[1:], before[1:], rtol=0, atol=0)
    assert torch.isnan(after[0]).all()
    for a, b in zip(after_grad, before_grad, strict=True):
        torch.testing.assert_close(a[1:], b[1:], rtol=0, atol=0)


@pytest.mark.parametrize("engine", ["fused", "keras"])
@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.Bidirectional])
def test_a_layer_that_goes_on_from_the_batch_before_is_refused(engine, wrap):
    model = keras.Sequential(
        [keras.Input(batch_shape=(8, STEPS, FEATURES)), wrap(layers.GRU(3, stateful=True)), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    x, y = np.random.default_rng(0).normal(size=(24, STEPS, FEATURES)), np.arange(24.0)
    study = gg.Study(model, seeds=1, engine=engine)
    with pytest.raises(ModelError, match=r"gru\w*' has stateful=True"):
        study.run(x[:16], y[:16], validation_data=(x[16:], y[16:]), epochs=1, batch_size=8, progress=False)
