"""Every variable of a built model is drawn from its key, however it was made, or its layer is named."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from gengap.errors import GengapWarning
from gengap.keras_models.initial_weights import draw_initial_weights

registered = keras.saving.register_keras_serializable("weights tests")


class Own(layers.Layer):
    """Makes the weight `w` in some way."""

    def call(self, x):
        return x @ self.w


@registered
class InConstructor(Own):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = self.add_weight(shape=(4, 3), initializer="random_normal", name="w")


@registered
class Seeded(Own):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = self.add_weight(shape=(4, 3), initializer=keras.initializers.GlorotUniform(seed=1))


@registered
class ByDefault(Own):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = self.add_weight(shape=(4, 3))


@registered
class ByPosition(Own):
    def build(self, shape):
        self.w = self.add_weight((shape[-1], 3), keras.initializers.HeNormal(seed=2))


@registered
class ByFunction(Own):
    def build(self, shape):
        draw = lambda shape, dtype=None: ops.convert_to_tensor(np.random.normal(size=shape), dtype)  # noqa: NPY002, E731
        self.w = self.add_weight(shape=(shape[-1], 3), initializer=draw)


@registered
class AsVariable(Own):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = keras.Variable(keras.random.normal((4, 3)), name="w")


@registered
class OneName(Own):
    """Two weights of one name, as layers with several heads often make them."""

    def build(self, shape):
        self.parts = [self.add_weight(shape=(shape[-1], 3), name="kernel") for _ in range(2)]

    def call(self, x):
        return x @ self.parts[0] + x @ self.parts[1]


@registered
class Features(Own):
    """Random features that are never trained."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 3), initializer="random_normal", trainable=False)


@registered
class Composite(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(3)
        self.scale = self.add_weight(shape=(3,), initializer="random_uniform", name="scale")

    def call(self, x):
        return self.inner(x) * self.scale


@registered
class OwnModel(keras.Model):
    """A subclassed model with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.w = self.add_weight(shape=(4, 3), initializer="random_normal", name="w")
        self.head = layers.Dense(1)

    def call(self, x):
        return self.head(x @ self.w)


def net(layer):
    return keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])


def own_model():
    model = OwnModel()
    model(np.zeros((2, 4), np.float32))
    return model


KINDS = (InConstructor, Seeded, ByDefault, ByPosition, ByFunction, AsVariable, OneName, Features, Composite)
MODELS = {kind.__name__: lambda kind=kind: net(kind()) for kind in KINDS} | {"OwnModel": own_model}


def random_parts(weights):
    return [weight for weight in weights if weight.size > 1]


@pytest.mark.parametrize("name", [*MODELS])
def test_a_seed_fixes_every_weight_and_another_seed_gives_others(name):
    first, again, other = (draw_initial_weights(MODELS[name](), seed) for seed in (3, 3, 4))
    for one, same, another in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert one.size == 1 or not one.any() or not np.array_equal(one, another)
    assert len(random_parts(first)) >= 2
    flat = [part.ravel()[:3].tobytes() for part in random_parts(first) if part.any()]
    assert len(set(flat)) == len(flat)


def test_drawing_leaves_the_users_generators_alone():
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    draw_initial_weights(net(InConstructor()), 0)
    assert np.random.random() == expected  # noqa: NPY002


@registered
class Stuck(Own):
    """Starts from numbers that no seed reaches."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = keras.Variable(np.random.default_rng(0).normal(size=(4, 3)).astype("float32"))


def test_a_layer_whose_weights_heed_no_seed_is_named():
    model = net(Stuck())
    with pytest.warns(GengapWarning, match=r"\(Stuck\) cannot be drawn anew, so they start equal"):
        drawn = draw_initial_weights(model, 0)
    np.testing.assert_array_equal(drawn[0], model.get_weights()[0])
