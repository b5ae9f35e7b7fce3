"""Noise is a function of (seed, layer, epoch, step), whatever a layer draws it from and whichever engine calls it."""

import random

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops
from keras.src.applications.convnext import StochasticDepth

from gengap.engine.fused import plan_fused, prepare_runs, train_fused
from gengap.engine.parity import certify_runs
from gengap.engine.planner import Chunk, Plan
from gengap.engine.reference import train_reference
from gengap.engine.runs import Run
from gengap.engine.trainer import Trainer
from gengap.errors import GengapWarning, ModelError

pytestmark = pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
registered = keras.saving.register_keras_serializable("noise tests")


def as_tensor(array):
    return ops.convert_to_tensor(np.asarray(array, "float32"))


DRAWS = {
    "keras.random": lambda layer, shape: keras.random.normal(shape),
    "a seed generator": lambda layer, shape: keras.random.normal(shape, seed=layer.generator),
    "keras' dropout": lambda layer, shape: keras.random.dropout(ops.ones(shape), 0.5),
    "gamma": lambda layer, shape: keras.random.gamma(shape, 2.0),
    "torch": lambda layer, shape: torch.randn(shape),
    "numpy": lambda layer, shape: as_tensor(np.random.normal(size=shape)),  # noqa: NPY002  what users write
    "python": lambda layer, shape: random.gauss(0, 1),
    "own numpy": lambda layer, shape: as_tensor(layer.numpy.normal(size=shape)),
    "own python": lambda layer, shape: layer.python.gauss(0, 1),
    "a layer made on the way": lambda layer, shape: layers.GaussianNoise(1.0)(ops.zeros(shape), training=True),
}


@registered
class Noisy(layers.Layer):
    """Adds noise from any source, in training or always."""

    def __init__(self, source, always=False, **kwargs):
        super().__init__(**kwargs)
        self.source, self.always = source, always
        self.generator, self.numpy, self.python = keras.random.SeedGenerator(), np.random.default_rng(), random.Random()

    def get_config(self):
        return {**super().get_config(), "source": self.source, "always": self.always}

    def call(self, x, training=False):
        return x + DRAWS[self.source](self, tuple(x.shape)) if training or self.always else x


@registered
class Hides(layers.Layer):
    """Keras' own noise layer inside a layer of one's own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dropout(0.5)

    def call(self, x, training=False):
        return self.inner(x, training=training)


@registered
def noisy_relu(x):
    return ops.relu(x + keras.random.normal(x.shape))


def net(*middle):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(6, activation="relu"), *middle, layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def shared_twice():
    x, noise = keras.Input((4,)), Noisy("keras.random")
    model = keras.Model(x, layers.Dense(1)(layers.Concatenate()([noise(x), noise(x)])))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


NETS = {
    **{source: lambda source=source: net(Noisy(source)) for source in DRAWS},
    "dropout": lambda: net(layers.Dropout(0.5)),
    "noise": lambda: net(layers.GaussianNoise(1.0), layers.GaussianDropout(0.3)),
    "alpha dropout": lambda: net(layers.AlphaDropout(0.3)),
    "hidden dropout": lambda: net(Hides()),
    "stochastic depth": lambda: net(StochasticDepth(0.5)),
    "activation": lambda: net(layers.Dense(6, activation=noisy_relu)),
    "shared": shared_twice,
}


@pytest.fixture
def train(make_data, settings, collect):
    data, given = make_data((4,), task="regression", n=(40, 20, 0)), settings(task="regression")

    def train(engine, *runs):
        names = tuple((run.variant, run.seed) for run in runs)
        plan = Plan("cpu", "float32", (Chunk("chunk-000", names, "fused", "test"),))
        return collect(engine, runs, data, given, **({"plan": plan} if engine is train_fused else {}))

    train.data, train.settings = data, given
    return train


def difference(one, other):
    pairs = [*zip(one.weights_last, other.weights_last, strict=True)]
    pairs.append((one.predictions["validation"].last, other.predictions["validation"].last))
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.filterwarnings("ignore:.*draws random numbers in inference too")
@pytest.mark.parametrize("name", [*NETS])
def test_both_engines_together_alone_and_again_draw_the_same(name, train):
    model = NETS[name]()
    together = train(train_fused, Run("a", 0, model), Run("a", 1, model))
    keras.random.normal((3,)), torch.randn(3), np.random.normal(size=3), random.random()  # noqa: NPY002
    alone, by_keras = (train(engine, Run("b", 1, NETS[name]())) for engine in (train_fused, train_reference))
    assert difference(together["a", 1], alone["b", 1]) < 1e-5
    assert difference(together["a", 1], by_keras["b", 1]) < 1e-5
    assert difference(together["a", 0], together["a", 1]) > 1e-2


def test_noise_differs_from_step_to_step_and_from_place_to_place(train, monkeypatch):
    drawn = []
    original = DRAWS["keras.random"]
    monkeypatch.setitem(DRAWS, "keras.random", lambda *given: drawn.append(original(*given)) or drawn[-1])
    train(train_fused, Run("a", 0, shared_twice()))
    first = [float(values.flatten()[0]) for values in drawn if values.shape[0] == 16]
    assert len(set(first)) >= 2 * 2 * 2  # two epochs of two whole batches, two places


@pytest.mark.parametrize("engine", [train_fused, train_reference])
def test_equal_variants_differ_by_nothing_and_a_layer_before_shifts_no_noise(engine, train):
    frozen = layers.Rescaling(1.0)
    runs = [Run(name, 3, net(*more, Noisy("keras.random"))) for name, more in (("a", ()), ("b", ()), ("c", (frozen,)))]
    records = {name: train(engine, run)[name, 3] for name, run in zip("abc", runs, strict=True)}
    assert difference(records["a"], records["b"]) == 0
    assert difference(records["a"], records["c"]) < 1e-6


class OwnStep(keras.Model):
    """Has to take Keras' own loop."""

    def train_step(self, data):
        return super().train_step(data)


def test_a_mask_depends_neither_on_the_door_nor_on_the_engine_of_a_variant(train):
    x = keras.Input((4,))
    h = layers.Dropout(0.5)(layers.Dense(6, activation="relu")(x))
    stepwise = OwnStep(x, layers.Dense(1)(h))
    stepwise.compile(keras.optimizers.SGD(0.01), "mse")
    runs = {"fused": net(layers.Dropout(0.5)), "looped": net(Hides()), "by keras": stepwise}
    engines = {"by keras": train_reference}
    records = {name: train(engines.get(name, train_fused), Run(name, 0, model)) for name, model in runs.items()}
    for name in ("looped", "by keras"):
        assert difference(records["fused"]["fused", 0], records[name][name, 0]) < 1e-5


@pytest.mark.parametrize("engine", [train_fused, train_reference])
def test_the_users_generators_are_left_alone(engine, train):
    model = net(*(Noisy(source) for source in ("keras.random", "torch", "numpy", "python")))
    keras.utils.set_random_seed(7)
    expected = keras.random.normal((2,)), torch.randn(2), np.random.normal(), random.random()  # noqa: NPY002
    keras.utils.set_random_seed(7)
    train(engine, Run("a", 0, model))
    found = keras.random.normal((2,)), torch.randn(2), np.random.normal(), random.random()  # noqa: NPY002
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))


@pytest.mark.parametrize("name", ["keras.random", "torch", "numpy", "a seed generator"])
def test_noise_that_stays_on_in_inference_is_said_and_equal_in_both_engines(name, train, monkeypatch):
    monkeypatch.setattr("gengap.layers.noise_keys._said", set())
    with pytest.warns(GengapWarning, match=r"\(Noisy\) draws random numbers in inference too"):
        fused = train(train_fused, Run("a", 0, net(Noisy(name, always=True))), Run("b", 1, net(Noisy(name, True))))
    by_keras = train(train_reference, Run("a", 0, net(Noisy(name, always=True))))
    assert difference(fused["a", 0], by_keras["a", 0]) < 1e-5


@pytest.mark.parametrize("name", ["keras.random", "numpy", "dropout", "noise", "hidden dropout"])
def test_the_certificate_holds_with_noise(name, train):
    runs = [Run("a", seed, NETS[name]()) for seed in (0, 1)]
    assert all(one.holds for one in certify_runs(runs, train.data, train.settings))


@pytest.mark.parametrize("source", ["keras.random", "numpy", "a seed generator", "own python"])
def test_a_training_goes_on_from_a_state_to_the_same_numbers(source, train):
    def trainer():
        runs = [Run("a", seed, net(Noisy(source))) for seed in (0, 1)]
        return Trainer("chunk", prepare_runs(runs, train.data, train.settings), train.data, train.settings)

    whole, first, resumed = trainer(), trainer(), trainer()
    whole.advance()
    whole.advance()
    first.advance()
    resumed.restore(first.state())
    resumed.advance()
    for one, other in zip(whole.stack.of_run(1), resumed.stack.of_run(1), strict=True):
        np.testing.assert_array_equal(one, other)


@registered
class Unreachable(layers.Layer):
    def call(self, x, training=False):
        return x + as_tensor(np.random.default_rng().normal(size=x.shape)) if training else x


@registered
class Counts(layers.Layer):
    """Keeps a state outside its variables."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = 0

    def call(self, x):
        self.calls += 1
        return x / self.calls


class Ticks:
    n = 0


@registered
class Holds(Counts):
    """Keeps a state in an object of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.ticks = Ticks()

    def call(self, x):
        self.ticks.n += 1
        return x / self.ticks.n


@registered
class Buffers(layers.Layer):
    """Keeps a state in a buffer of torch's."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.register_buffer("steps", torch.zeros(()))

    def call(self, x):
        self.steps += 1
        return x / self.steps


@registered
class Looks(layers.Layer):
    """Keeps what it saw, and never reads it."""

    def call(self, x):
        self.seen = x
        return x


@registered
class Langevin(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + 0.1 * keras.random.normal(gradient.shape), variable, learning_rate)


@registered
def noisy_loss(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred + keras.random.normal(y_pred.shape)), axis=-1)


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_random_numbers_that_no_seed_reaches_are_an_error_before_training(engine, train):
    run = Run("a", 0, net(Unreachable(name="wild")))
    begin = {
        "fused": lambda: plan_fused([run], train.data, train.settings),
        "keras": lambda: train(train_reference, run),
    }
    with pytest.raises(ModelError, match=r"'wild' \(Unreachable\) gives two results.*that no seed reaches"):
        begin[engine]()


def test_state_outside_variables_and_noise_outside_layers_take_keras_loop(train):
    models = {"attribute `calls`": net(Counts()), "optimizer": net(), "loss": net()}
    models |= {"attribute `ticks`": net(Holds()), "attribute `_buffers`": net(Buffers())}
    models["optimizer"].compile(Langevin(0.01), "mse")
    models["loss"].compile(keras.optimizers.SGD(0.01), noisy_loss)
    for word, model in models.items():
        (chunk,) = plan_fused([Run("a", 0, model), Run("a", 1, model)], train.data, train.settings).chunks
        assert chunk.engine == "keras"
        assert word in chunk.reason
        once, again = (train(train_reference, Run("a", 1, model))["a", 1] for _ in range(2))
        assert difference(once, again) == 0


def test_what_a_layer_only_looks_at_is_no_state(train):
    (chunk,) = plan_fused([Run("a", 0, net(Looks()))], train.data, train.settings).chunks
    assert chunk.engine == "fused"
