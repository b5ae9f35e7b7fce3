import keras
import numpy as np
import pytest
from keras import layers

from gengap.errors import GengapWarning
from gengap.keras_models.initial_weights import (
    InitialWeights,
    KnownDraws,
    draw_initial_weights,
    identified_layers,
    learned_layers,
)


def net(*inserted, seed_of_initializer=None, name=None):
    initializer = keras.initializers.GlorotUniform(seed=seed_of_initializer)
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", kernel_initializer=initializer),
            *inserted,
            layers.Dense(4, activation="relu"),
            layers.Dense(1),
        ],
        name=name,
    )


def equal(a, b):
    return [np.array_equal(one, other) for one, other in zip(a, b, strict=True)]


def kernels(weights):
    return [weight for weight in weights if weight.ndim > 1]


def test_a_seed_fixes_the_weights_and_another_seed_gives_others():
    model = net()
    assert all(equal(draw_initial_weights(model, 3), draw_initial_weights(model, 3)))
    assert not any(equal(kernels(draw_initial_weights(model, 3)), kernels(draw_initial_weights(model, 4))))


def test_an_initializer_with_a_seed_of_its_own_does_not_start_all_seeds_alike():
    model = net(seed_of_initializer=1)
    assert not np.array_equal(draw_initial_weights(model, 0)[0], draw_initial_weights(model, 1)[0])


def test_two_equal_layers_start_differently():
    twins = keras.Sequential([keras.Input((5,)), layers.Dense(5), layers.Dense(5)])
    first, _, second, _ = draw_initial_weights(twins, 0)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    "inserted",
    [(layers.Dropout(0.5),), (layers.BatchNormalization(),), (layers.GaussianNoise(1.0), layers.LayerNormalization())],
    ids=["dropout", "batch-normalization", "noise-and-layer-normalization"],
)
def test_inserting_a_layer_leaves_all_other_weights_equal(inserted):
    plain = kernels(draw_initial_weights(net(), 7))
    treated = kernels(draw_initial_weights(net(*inserted, name="another"), 7))
    assert all(equal(plain, treated))


def test_drawing_leaves_the_model_as_it_is():
    model = net()
    before = model.get_weights()
    draw_initial_weights(model, 0)
    assert all(equal(before, model.get_weights()))


def test_weights_follow_the_distribution_of_their_initializer():
    model = keras.Sequential(
        [keras.Input((300,)), layers.Dense(200, kernel_initializer=keras.initializers.RandomNormal(0.5, 0.1))]
    )
    kernel, bias = draw_initial_weights(model, 0)
    assert kernel.mean() == pytest.approx(0.5, abs=4 * 0.1 / np.sqrt(kernel.size))
    assert kernel.std() == pytest.approx(0.1, rel=0.02)
    assert not bias.any()


def test_the_forget_bias_of_an_lstm_is_kept():
    model = keras.Sequential([keras.Input((4, 3)), layers.LSTM(5)])
    bias = draw_initial_weights(model, 0)[2]
    np.testing.assert_array_equal(bias, np.r_[np.zeros(5), np.ones(5), np.zeros(10)])


def test_frozen_and_adapted_layers_keep_what_they_hold():
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(3, 2, (100, 6)))
    pretrained = layers.Dense(8, trainable=False)
    model = keras.Sequential([keras.Input((6,)), normalization, pretrained, layers.Dense(1)])
    drawn = draw_initial_weights(model, 0)
    held = model.get_weights()
    changed = [not same for same in equal(drawn, held)]
    assert [weight.path.split("/")[-2] for weight, new in zip(model.weights, changed, strict=True) if new] == [
        model.layers[-1].name
    ]


def test_the_kernels_of_attention_differ_from_each_other():
    inputs = keras.Input((4, 6))
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 3)(inputs, inputs))
    query, key, value = (draw_initial_weights(model, 0)[place] for place in (0, 2, 4))
    assert not np.array_equal(query, key)
    assert not np.array_equal(key, value)


def test_nested_models_are_reached():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    model = keras.Sequential([keras.Input((6,)), inner, layers.Dense(1)])
    assert {"Dense/0", "Dense/1"} <= set(dict(identified_layers(model)))
    assert not any(equal(kernels(draw_initial_weights(model, 0)), kernels(draw_initial_weights(model, 1))))


class Stubborn(layers.Layer):
    """Cannot be built from its configuration."""

    def __init__(self, matrix):
        super().__init__()
        self.inner = self.add_weight(shape=matrix.shape, initializer="glorot_uniform")

    def call(self, x):
        return x @ self.inner

    def get_config(self):
        raise NotImplementedError


def test_a_layer_that_cannot_be_rebuilt_is_named():
    model = keras.Sequential([keras.Input((2,)), Stubborn(np.eye(2)), layers.Dense(1)])
    with pytest.warns(GengapWarning, match="Stubborn.*cannot be drawn anew"):
        drawn = draw_initial_weights(model, 0)
    np.testing.assert_array_equal(drawn[0], model.get_weights()[0])


class Halved(layers.Dense):
    """Does to its kernel what its initializer does not say."""

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel.assign(self.kernel / 2)


class Rotation(layers.Layer):
    """A weight that NumPy draws, one that is never trained, and a Dense inside."""

    def build(self, input_shape):
        self.start = self.add_weight(shape=(input_shape[-1],), initializer=lambda s, dtype: np.random.normal(size=s))  # noqa: NPY002
        self.never = self.add_weight(shape=(2,), initializer="normal", trainable=False)
        self.inner = layers.Dense(3)
        self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x * self.start)


class Scaled(layers.Layer):
    """Draws what it gives to an initializer: its value, its limits, or which one it is."""

    def __init__(self, drawn, **kwargs):
        super().__init__(**kwargs)
        self.drawn = drawn

    def build(self, input_shape):
        number = float(np.random.normal())  # noqa: NPY002
        initializer = {
            "value": keras.initializers.Constant(number),
            "limits": keras.initializers.RandomUniform(-1 - abs(number), 1),
            "kind": "zeros" if number < 0 else "glorot_uniform",
        }[self.drawn]
        self.start = self.add_weight(shape=(input_shape[-1], 3), initializer=initializer)

    def call(self, x):
        return x @ self.start

    def get_config(self):
        return {**super().get_config(), "drawn": self.drawn}


LATER = {
    "a constant that is drawn": lambda: [Scaled("value")],
    "limits that are drawn": lambda: [Scaled("limits")],
    "dense": lambda: [layers.Dense(4, kernel_initializer="he_normal"), layers.BatchNormalization(), layers.PReLU()],
    "recurrent": lambda: [layers.Reshape((2, 3)), layers.LSTM(4, bias_initializer="normal"), layers.Dense(2)],
    "orthogonal": lambda: [layers.Reshape((2, 3)), layers.GRU(3, bias_initializer="ones")],
    "changed in build": lambda: [Halved(4, kernel_initializer="random_normal")],
    "drawn by others": lambda: [Rotation(), layers.Dense(3, trainable=False)],
}


@pytest.mark.parametrize("name", LATER)
def test_later_seeds_draw_what_a_layer_built_anew_starts_from(name):
    model = keras.Sequential([keras.Input((6,)), *LATER[name]()])
    together = InitialWeights(model)
    for seed in (5, 6, 7):
        assert all(equal(together.draw(seed), draw_initial_weights(model, seed)))
    assert not any(equal(kernels(together.draw(6)), kernels(together.draw(7)))[:1])


@pytest.mark.parametrize("name", LATER)
def test_models_whose_layers_are_alike_share_what_is_known_and_start_as_before(name):
    def model(**given):
        return keras.Sequential([keras.Input((6,)), *LATER[name](), layers.Dense(3, **given)])

    models = [model(), model(kernel_regularizer="l2"), model(kernel_initializer="he_normal"), model(activation="relu")]
    known = KnownDraws()
    for seed in (5, 6, 5):
        for one in models:
            assert all(equal(InitialWeights(one, known=known).draw(seed), draw_initial_weights(one, seed)))
    assert known.draws


def test_a_layer_with_an_initializer_of_ones_own_is_like_no_other():
    class GlorotUniform(keras.initializers.Initializer):
        """Bears the name of one of Keras'."""

        def __call__(self, shape, dtype=None):
            return keras.ops.full(shape, 7.0, dtype=dtype)

    given = [keras.initializers.GlorotUniform(), GlorotUniform()]
    models = [keras.Sequential([keras.Input((6,)), layers.Dense(3, kernel_initializer=one)]) for one in given]
    known = KnownDraws()
    drawn = [InitialWeights(one, known=known).draw(0)[0] for one in models]
    assert not (drawn[0] == 7.0).any()
    assert (drawn[1] == 7.0).all()


def test_an_initializer_that_a_class_draws_is_drawn_for_later_seeds_too():
    model = keras.Sequential([keras.Input((6,)), Scaled("kind")])
    together = InitialWeights(model)
    for seed in range(12):
        assert all(equal(together.draw(seed), draw_initial_weights(model, seed)))


def test_layers_of_one_name_in_two_towers_are_told_apart():
    def tower(name):
        return keras.Sequential([keras.Input((4,)), layers.Dense(5, name="a"), layers.Dense(3, name="b")], name=name)

    left, right = tower("left"), tower("right")
    for layer in left.layers:
        layer.bias.assign(layer.bias + 0.1)
    x, z = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([x, z], layers.Dense(1, name="head")(layers.Concatenate()([left(x), right(z)])))
    learned = learned_layers(model)
    assert learned == {"left/a": True, "left/b": True, "right/a": False, "right/b": False, "head": False}
    drawn = draw_initial_weights(model, 0, [name for name, has in learned.items() if has])
    held = {id(weight) for weight in left.weights}
    for weight, value in zip(model.weights, drawn, strict=True):
        if "kernel" in weight.path:
            assert np.array_equal(value, keras.ops.convert_to_numpy(weight)) == (id(weight) in held)


def test_the_parts_of_two_attention_layers_are_told_apart():
    x = keras.Input((5, 4))
    first, second = (layers.MultiHeadAttention(2, 2, name=name) for name in ("first", "second"))
    model = keras.Model(x, second(first(x, x), first(x, x)))
    parts = [layer for layer in first._flatten_layers(include_self=False) if layer.weights]
    for part in parts:
        part.bias.assign(part.bias + 0.1)
    assert {name: has for name, has in learned_layers(model).items() if has}.keys() == {
        f"first/{part.name}" for part in parts
    }
