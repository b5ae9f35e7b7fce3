"""Layers of one's own: opened, they are what they are run by run; what is not known to be so is called run by run."""

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops

from gengap.errors import SlowPathWarning
from gengap.layers.doors import Loop, PassContext
from gengap.layers.program import Opened, Program
from gengap.layers.stack import Stack

RUNS, CASES, STEPS, FEATURES = 3, 5, 6, 4


class Holding(layers.Layer):
    """A layer that builds what it holds by being called once."""

    def build(self, shape):
        self.call(keras.KerasTensor((2, *shape[1:])))


class Simple(Holding):
    """One whose layers all see its input."""

    def build(self, shape):
        for part in self._flatten_layers(include_self=False):
            part.build(shape)


class Encoder(Holding):
    """The transformer block of Keras' examples."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 3, dropout=0.2)
        self.dense = keras.Sequential([layers.Dense(5, activation="relu"), layers.Dense(FEATURES)])
        self.norms = [layers.LayerNormalization(), layers.LayerNormalization()]
        self.drops = [layers.Dropout(0.3), layers.Dropout(0.4)]

    def call(self, x, training=None):
        h = self.norms[0](x + self.drops[0](self.attention(x, x), training=training))
        return self.norms[1](h + self.drops[1](self.dense(h), training=training))


class Gated(Holding):
    """A gated residual network."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.skip = (layers.Dense(n) for n in (5, 3, 3))
        self.gate, self.value = layers.Dense(3, activation="sigmoid"), layers.Dense(3)
        self.drop, self.norm = layers.Dropout(0.3), layers.LayerNormalization()

    def call(self, x):
        h = self.drop(self.second(ops.elu(self.first(x))))
        return self.norm(self.skip(x) + self.gate(h) * self.value(h))


class Temporal(Holding):
    """A block of a temporal convolution network, with batch normalization and a frozen layer."""

    def __init__(self):
        super().__init__()
        self.convolutions = [layers.Conv1D(4, 2, padding="causal", dilation_rate=d) for d in (1, 2)]
        self.norms = [layers.BatchNormalization(), layers.BatchNormalization()]
        self.drop = layers.SpatialDropout1D(0.3)

    def call(self, x, training=False):
        h = x
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            h = self.drop(ops.relu(norm(convolution(h), training=training)), training=training)
        return ops.relu(h + x)


class Twice(Holding):
    """Holds another layer of one's own, which it calls twice."""

    def __init__(self):
        super().__init__()
        self.block = Gated()
        self.dense = layers.Dense(FEATURES)

    def call(self, x):
        return self.block(self.dense(self.block(x)))


class Variational(Simple):
    """Draws what it goes on with."""

    def __init__(self):
        super().__init__()
        self.mean, self.log_variance = layers.Dense(3), layers.Dense(3)
        self.generator = keras.random.SeedGenerator(1)

    def call(self, x, training=False):
        mean, deviation = self.mean(x), ops.exp(0.5 * self.log_variance(x))
        return mean + deviation * keras.random.normal(ops.shape(mean), seed=self.generator) if training else mean


class Repeated(Simple):
    """Computes in a loop of Keras' own."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(FEATURES)

    def call(self, x):
        return ops.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, ops.tanh(h + x)), (0, self.dense(x)))[1]


class Deciding(Simple):
    """Looks at its numbers."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        h = self.dense(x)
        return h * 2.0 if ops.sum(h) > 0 else h


class Weighing(Simple):
    """Has a weight of its own beside a layer."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def build(self, shape):
        self.scale = self.add_weight(shape=(3,), initializer="ones")
        super().build(shape)

    def call(self, x):
        return self.dense(x) * self.scale


class OtherInTraining(Simple):
    """Leaves a layer out in inference."""

    def __init__(self):
        super().__init__()
        self.dense, self.more = layers.Dense(3), layers.Dense(3)

    def call(self, x, training=False):
        return self.dense(x) + (self.more(x) if training else 0.0)


class NeverRests(Simple):
    """Dropout that stays on."""

    def __init__(self):
        super().__init__()
        self.dense, self.drop = layers.Dense(3), layers.Dropout(0.5)

    def call(self, x):
        return self.drop(self.dense(x), training=True)


class Penalized(Simple):
    """Adds a loss."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        h = self.dense(x)
        self.add_loss(ops.mean(h**2))
        return h


class Counted(Simple):
    """Depends on the size of the batch."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x) / (x.shape[0] or 7)


class Unlearned(Simple):
    """Lets no gradient through one of its layers, which its outputs do not show."""

    def __init__(self):
        super().__init__()
        self.dense, self.more = layers.Dense(3), layers.Dense(3)

    def call(self, x):
        with torch.no_grad():
            h = self.more(x)
        return self.dense(x) + h


class Keeping(Simple):
    """Hands a function what it computes, which on symbols is a symbol."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(FEATURES)

    def call(self, x):
        h = self.dense(x)
        return ops.map(lambda row: row + ops.sum(h), x)


class Jitter(layers.Layer):
    """Draws without a seed of its own, in training."""

    def call(self, x, training=False):
        return x * keras.random.uniform(ops.shape(x), 0.9, 1.1) if training else x


class Drawing(Simple):
    """Holds one that draws: its noise is keyed by the whole, in both engines."""

    def __init__(self):
        super().__init__()
        self.dense, self.jitter = layers.Dense(3), Jitter()

    def call(self, x):
        return self.jitter(self.dense(x))


class DrawingTwice(Simple):
    """Attends twice by one layer, whose generator goes on from the first call to the second."""

    def __init__(self):
        super().__init__()
        self.attention = layers.Attention(use_scale=True, dropout=0.4)
        self.dense = layers.Dense(3)

    def build(self, shape):
        self.attention.build([shape, shape])
        self.dense.build(shape)

    def call(self, x):
        return self.dense(self.attention([x, self.attention([x, x])]))


OPENED = {one.__name__: one for one in (Encoder, Gated, Temporal, Twice)}
CLOSED = {
    one.__name__: one
    for one in (
        Variational,
        Repeated,
        Deciding,
        Weighing,
        OtherInTraining,
        NeverRests,
        Penalized,
        Counted,
        Unlearned,
        Keeping,
        DrawingTwice,
        Drawing,
    )
}


def runs_of(kind):
    x = keras.Input((STEPS, FEATURES))
    layer = kind()
    model = keras.Model(x, layers.Flatten()(layer(x)))
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    weights = [[np.abs(rng.normal(size=w.shape)).astype(str(w.dtype)) for w in model.weights] for _ in range(RUNS)]
    return model, weights


def train(model, weights, x, *, loop):
    """Return outputs, gradients and what else has changed after two steps, each door's way."""
    stack = Stack(model, weights)
    program = Program([model] * RUNS, [3, 4, 5], stack)
    if loop:
        for node in program._walk._nodes.values():
            if isinstance(node.operation, Holding):
                program._walk.doors[node.step.index] = Loop(node)
    found = []
    for step in (1, 2):
        context = PassContext(training=True, epoch=2, step=step)
        outputs = program([x], context)
        direction = torch.linspace(-1, 1, outputs[0].numel()).view(outputs.shape[1:])
        total = (outputs * direction).sum() + sum(one.sum() for one in context.extra_losses)
        found += [outputs.detach(), *torch.autograd.grad(total, stack.leaves(), allow_unused=True)]
    found += [stack.values[place].detach().clone() for place in stack.untrained()]
    found.append(program([x], PassContext(training=False)).detach())
    return program, found


def inputs():
    return torch.from_numpy(np.random.default_rng(1).normal(size=(RUNS, CASES, STEPS, FEATURES)).astype("float32"))


@pytest.mark.parametrize("name", OPENED)
def test_an_opened_layer_is_what_it_is_run_by_run(name):
    model, weights = runs_of(OPENED[name])
    program, together = train(model, weights, inputs(), loop=False)
    assert any(isinstance(door, Opened) for door in program._walk.doors.values())
    assert not any(isinstance(door, Loop) for door in program.choices)
    _, alone = train(model, weights, inputs(), loop=True)
    scale = max(float(one.abs().max()) for one in alone)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, atol=5e-6 * scale, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::gengap.errors.GengapWarning")
@pytest.mark.parametrize("name", CLOSED)
def test_what_cannot_be_known_is_called_run_by_run(name):
    model, weights = runs_of(CLOSED[name])
    program, _ = train(model, weights, inputs(), loop=False)
    assert "open" not in program.doors.values()
    assert any(isinstance(door, Loop) for door in program.choices)


def test_it_is_said_why(recwarn):
    class Hidden(Deciding):
        pass

    model, weights = runs_of(Deciding)
    model.layers[1].__class__ = Hidden
    with pytest.warns(SlowPathWarning, match="cannot be opened.*called on symbols"):
        train(model, weights, inputs(), loop=False)


@pytest.mark.parametrize("name", OPENED)
def test_a_run_gone_wild_leaves_its_neighbours_alone(name):
    model, weights = runs_of(OPENED[name])
    x = inputs()
    _, before = train(model, weights, x, loop=False)
    x[0] *= 1e6
    _, after = train(model, weights, x, loop=False)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one[1:], other[1:], rtol=0, atol=0)
    assert (before[0][0] != after[0][0]).any()
