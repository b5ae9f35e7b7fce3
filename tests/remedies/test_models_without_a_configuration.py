"""Layers, models and optimizers that no configuration makes anew: they train all the same, or one sentence says why."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import gengap as gg
from gengap.errors import ModelError
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.object_copy import copy_object

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)
pytestmark = [
    pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning"),
    pytest.mark.filterwarnings("ignore:The weights of layer"),
    pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`"),
]


class NoKwargs(layers.Layer):
    """As Keras' examples write them."""

    def __init__(self, units):
        super().__init__()
        self.inner = keras.Sequential([layers.Dense(units, "relu"), layers.BatchNormalization()])
        self.drop = layers.Dropout(0.3)
        self.parts = [layers.Dense(units) for _ in range(2)]

    def build(self, shape):
        self.inner.build(shape)
        for part in self.parts:
            part.build(self.inner.compute_output_shape(shape))
        self.scale = self.add_weight(shape=(1,), initializer="ones")
        super().build(shape)

    def call(self, x, training=False):
        hidden = self.drop(self.inner(x, training=training), training=training)
        return sum(part(hidden) for part in self.parts) * self.scale


class NoConfig(NoKwargs):
    """Its argument is an object, which Keras' own configuration leaves out."""

    def __init__(self, activation_layer):
        super().__init__(3)
        self.activation_layer = activation_layer

    def call(self, x, training=False):
        return self.activation_layer(super().call(x, training=training))


class Renamed(NoKwargs):
    def __init__(self, width):
        super().__init__(width)
        self.width = width

    def get_config(self):
        return {"name": self.name, "units": self.width}  # not what the constructor takes


class Opaque(keras.Model):
    def __init__(self, blocks):
        super().__init__()
        self.blocks, self.last = blocks, layers.Dense(1, "sigmoid")
        self.squash = lambda x: ops.tanh(x)  # noqa: PLW0108  as people write them

    def call(self, x, training=False):
        for block in self.blocks:
            x = block(x, training=training)
        return self.last(self.squash(x))


def of(*made, optimizer="sgd"):
    keras.utils.set_random_seed(8)
    inputs = keras.Input((4,))
    outputs = functools.reduce(lambda x, layer: layer(x), [make() for make in made], inputs)
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(outputs))
    model.compile(optimizer() if callable(optimizer) else optimizer, "binary_crossentropy")
    return model


def opaque():
    keras.utils.set_random_seed(8)
    model = Opaque([NoKwargs(3), NoKwargs(2)])
    model(X[:2])
    model.compile("sgd", "binary_crossentropy")
    return model


ZOO = {
    "no kwargs": lambda: of(lambda: NoKwargs(3)),
    "no configuration": lambda: of(lambda: NoConfig(layers.ReLU())),
    "another configuration": lambda: of(lambda: Renamed(3)),
    "Lambda": lambda: of(lambda: layers.Lambda(lambda x: 2 * x), lambda: layers.Dense(3)),
    "activation": lambda: of(lambda: layers.Dense(3, activation=lambda x: ops.tanh(x))),  # noqa: PLW0108
    "initializer": lambda: of(lambda: layers.Dense(3, kernel_initializer=lambda shape, dtype=None: ops.ones(shape))),
    "learning rate": lambda: of(lambda: layers.Dense(3), optimizer=lambda: keras.optimizers.Adam(lambda: 0.01)),
    "subclassed": opaque,
}


@pytest.mark.parametrize("name", ZOO)
def test_a_clone_predicts_alike_and_shares_nothing(name):
    model = ZOO[name]()
    clone, before = clone_compiled(model), [weight.copy() for weight in model.get_weights()]
    np.testing.assert_allclose(clone.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5)
    assert not {id(one) for one in clone.variables} & {id(one) for one in model.variables}
    clone.fit(X, Y, epochs=2, verbose=0)
    assert any(not np.array_equal(a, b) for a, b in zip(clone.get_weights(), before, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert len(clone.trainable_variables) == len(model.trainable_variables)


@pytest.mark.parametrize("name", ZOO)
def test_a_mapping_of_such_models_trains_alike_in_both_engines(name):
    curves = []
    for engine in ("keras", "fused"):
        study = gg.Study({"a": ZOO[name](), "b": ZOO[name]()}, seeds=1, engine=engine, initial_weights="keep")
        result = study.run(X[:28], Y[:28], validation_data=(X[28:], Y[28:]), epochs=2, shuffle=False, progress=False)
        assert set(result.runs.status.values.ravel()) == {"completed"}
        curves.append(result.history.val_loss.values)
    np.testing.assert_allclose(curves[0][0], curves[0][1], rtol=1e-6)  # two equal variants
    if name in {"learning rate", "Lambda", "activation", "initializer"}:  # others draw dropout masks of their own
        np.testing.assert_allclose(*curves, rtol=1e-5)


@pytest.mark.parametrize("name", ["no kwargs", "Lambda", "activation", "learning rate"])
def test_remedies_work_on_the_layers_beside_them(name):
    treated = gg.L2(0.01, on="kernels")(of(*[lambda: layers.Dense(3)] if name == "learning rate" else []))
    assert treated.built
    model = ZOO[name]()
    model = model if name == "learning rate" else of(lambda: model.layers[1], lambda: layers.Dense(2))
    assert gg.Dropout(0.2, on="Dense")(model).count_params() == model.count_params()


def test_seeds_draw_weights_of_a_layer_without_kwargs_anew():
    model = of(lambda: layers.Dense(3, activation=lambda x: ops.tanh(x)))  # noqa: PLW0108
    scores = gg.Study(model, seeds=3).run(X, Y, epochs=1, progress=False).history.loss.values
    assert len(np.unique(scores)) == 3


def test_what_a_layer_lacks_is_said_where_it_cannot_be_copied():
    class Holding(layers.Layer):
        def __init__(self, thing):
            super().__init__()
            self.thing = thing

        def call(self, x):
            return x

    held = iter([1, 2])
    generator = (one for one in held)
    model = of(lambda: Holding(generator), lambda: layers.Dense(2))
    with pytest.raises(ModelError, match=r"Layer Holding .* cannot be copied.*generator.*take \*\*kwargs.*get_config"):
        clone_compiled(model)

    class Closing(layers.Layer):
        def __init__(self, thing):
            super().__init__()
            self.dense = layers.Dense(2)
            self.apply_it = lambda x: self.dense(x)  # noqa: PLW0108  it closes over the layer

        def build(self, shape):
            self.dense.build(shape)

        def call(self, x):
            return self.apply_it(x)

    with pytest.raises(ModelError, match="'apply_it' uses the layer itself"):
        clone_compiled(of(lambda: Closing(object())))


def test_a_layer_that_must_change_and_cannot_is_named():
    class Fixed(layers.Dense):
        def __init__(self, units):
            super().__init__(units)

        def get_config(self):
            return {**super().get_config(), "more": 1}

    with pytest.raises(ModelError, match=r"Layer Fixed 'fixed.*' cannot be changed: the class Fixed"):
        gg.L2(0.01, on="Fixed")(of(lambda: Fixed(3), lambda: layers.Dense(2)))


def test_an_unbuilt_layer_is_not_copied_by_parts():
    with pytest.raises(ModelError, match="not built"):
        copy_object(NoKwargs(3))
