"""Attention of K runs: outputs and gradients are those of Keras' own layers, run by run; compiled or not."""

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops

from gengap.kernels import compiled_attention
from gengap.layers.attention import FusedAttention, ProjectedAttention
from gengap.layers.doors import Loop, PassContext
from gengap.layers.program import Program
from gengap.layers.stack import Stack

RUNS, CASES, STEPS, FEATURES = 3, 5, 6, 4


def seen(h):
    """Return which steps may see which, as a model computes it: with every row one that sees nothing but itself."""
    return ops.logical_or(ops.abs(h[:, :, :1] - ops.transpose(h[:, :, :1], (0, 2, 1))) < 1.0, ops.eye(STEPS) > 0)


def twice(layer, h):
    """Return what a layer makes of what it made: the second call draws anew."""
    return layer([h, layer([h, h])])


LAYERS = {
    "heads": lambda h: layers.MultiHeadAttention(2, 3)(h, h),
    "heads, no bias": lambda h: layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=7, use_bias=False)(h, h),
    "causal": lambda h: layers.MultiHeadAttention(1, 16)(h, h, use_causal_mask=True),
    "of others": lambda h: layers.MultiHeadAttention(2, 3)(
        h, layers.Dense(5)(h)[:, 1:], key=layers.Dense(3)(h)[:, :-1]
    ),
    "window": lambda h: layers.MultiHeadAttention(2, 3, sliding_window=2)(h, h),
    "a mask of its own": lambda h: layers.MultiHeadAttention(2, 3)(h, h, attention_mask=seen(h)),
    "dropout": lambda h: layers.MultiHeadAttention(2, 3, dropout=0.4)(h, h),
    "dropout, causal": lambda h: layers.MultiHeadAttention(2, 3, dropout=0.4)(h, h, use_causal_mask=True),
    "groups": lambda h: layers.GroupQueryAttention(3, 4, 2)(h, h),
    "groups, causal": lambda h: layers.GroupQueryAttention(3, 2, 2)(h, h, use_causal_mask=True),
    "groups, dropout": lambda h: layers.GroupQueryAttention(3, 4, 1, dropout=0.3)(h, h),
    "plain": lambda h: layers.Attention()([h, h]),
    "plain, scaled": lambda h: layers.Attention(use_scale=True)([h, layers.Dense(4)(h)]),
    "plain, causal": lambda h: layers.Attention()([h, h, layers.Dense(4)(h)], use_causal_mask=True),
    "sums": lambda h: layers.Attention(score_mode="concat", use_scale=True)([h, h], use_causal_mask=True),
    "additive": lambda h: layers.AdditiveAttention()([h, h, layers.Dense(4)(h)]),
    "plain, dropout": lambda h: layers.Attention(dropout=0.3)([h, h]),
    "sums, dropout": lambda h: layers.Attention(score_mode="concat", dropout=0.9)([h, h], use_causal_mask=True),
    "additive, dropout": lambda h: layers.AdditiveAttention(dropout=0.5)([h, h]),
    "all is dropped": lambda h: layers.Attention(dropout=1.0)([h, h]),
    "twice": lambda h: twice(layers.Attention(dropout=0.4), h),
}
SLOW = {
    "gate": lambda h: layers.MultiHeadAttention(2, 3, use_gate=True)(h, h),
    "scores": lambda h: layers.MultiHeadAttention(2, 3)(h, h, return_attention_scores=True)[1],
    "activity": lambda h: layers.MultiHeadAttention(2, 3, activity_regularizer="l2")(h, h),
}


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""These laws hold on a card, where there is one."""


def runs_of(build, *, masked=False):
    x = keras.Input((STEPS, FEATURES))
    h = layers.Masking(9.0)(x) if masked else x
    model = keras.Model(x, layers.Flatten()(build(h) * 1.0))
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    weights = [[rng.normal(size=w.shape).astype(str(w.dtype)) for w in model.weights] for _ in range(RUNS)]
    stack = Stack(model, weights, device=DEVICE)
    return model, stack, Program([model] * RUNS, list(range(RUNS)), stack)


def loops(model, stack):
    """Return the same program with Keras' own layer, run by run, in the place of every attention."""
    program = Program([model] * RUNS, list(range(RUNS)), stack)
    for node in program._nodes.values():
        if "Attention" in type(node.operation).__name__:
            program._walk.doors[node.step.index] = Loop(node)
    return program


def inputs(*, masked=False):
    x = np.random.default_rng(1).normal(size=(RUNS, CASES, STEPS, FEATURES)).astype("float32")
    if masked:
        x[:, 0, 4:], x[:, 1, :2], x[:, 2, 2:4], x[:, 3] = 9.0, 9.0, 9.0, 9.0
    return torch.from_numpy(x).to(DEVICE)


def of(program, stack, x, context):
    found = program([x], context)
    direction = torch.from_numpy(np.random.default_rng(2).normal(size=tuple(found.shape)).astype("float32")).to(DEVICE)
    leaves = stack.leaves()
    gradients = torch.autograd.grad((found * direction).sum(), leaves) if leaves else ()
    return [found.detach(), *gradients]


def close(found, wanted):
    scale = max(float(one.abs().max()) for one in wanted)  # of all: the gradient of a key's bias is 0 but for rounding
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=5e-6 * scale, rtol=2e-5)


def attentions(program):
    return [door for door in program.choices if isinstance(door, ProjectedAttention | FusedAttention)]


def ways():
    """Every layer in training, compiled or not; in inference one of both in turn, the other when there is time."""
    for place, name in enumerate(LAYERS):
        for training in (True, False):
            for compiled in (True, False):
                waits = not training and compiled == place % 2
                yield pytest.param(name, training, compiled, marks=pytest.mark.slow if waits else ())


@pytest.mark.parametrize(("name", "training", "compiled"), list(ways()))
def test_outputs_and_gradients_are_those_of_keras(name, training, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(compiled_attention, "_CACHE", 0)
    model, stack, program = runs_of(LAYERS[name])
    x = inputs()
    together = of(program, stack, x, PassContext(training=training, epoch=2, step=3))
    assert attentions(program), "it took another door"
    alone = of(loops(model, stack), stack, x, PassContext(training=training, epoch=2, step=3))
    close(together, alone)


@pytest.mark.filterwarnings("ignore:.*was passed an input with a mask attached to it")
@pytest.mark.parametrize(
    "name", ["heads", "causal", "dropout", "of others", "plain, scaled", "sums", "additive", "plain, dropout"]
)
def test_masks_are_heeded(name):
    model, stack, program = runs_of(LAYERS[name], masked=True)
    x = inputs(masked=True)
    together = of(program, stack, x, PassContext(training=True))
    assert attentions(program), "it took another door"
    alone = of(loops(model, stack), stack, x, PassContext(training=True))
    close(together, alone)


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.parametrize("name", SLOW)
def test_what_the_kernel_cannot_do_takes_another_door(name):
    *_, program = runs_of(SLOW[name])
    program([inputs()], PassContext(training=False))
    assert not attentions(program)


@pytest.mark.parametrize("name", ["heads", "groups, dropout", "plain, scaled", "plain, dropout"])
def test_a_run_gone_wild_leaves_its_neighbours_alone(name):
    _, stack, program = runs_of(LAYERS[name])
    x = inputs()
    before = of(program, stack, x, PassContext(training=True))
    x[0] *= 1e6
    after = of(program, stack, x, PassContext(training=True))
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one[1:], other[1:], rtol=0, atol=0)
    assert (before[0][0] != after[0][0]).any()
