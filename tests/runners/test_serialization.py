import keras
import numpy as np
import pytest

from gengap.errors import ModelError
from gengap.runners.serialization import pack, unpack


@keras.saving.register_keras_serializable("tests")
class Registered(keras.layers.Layer):
    def __init__(self, factor, **more):
        super().__init__(**more)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Unregistered(Registered):
    pass


def my_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def my_activation(x):
    return keras.ops.maximum(x, 0.1 * x)


class MyPenalty(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.01 * keras.ops.sum(keras.ops.abs(x))

    def get_config(self):
        return {}


def sequential(*layers, loss="mse", optimizer="adam"):
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer, loss, metrics=["mae"])
    return model


def plain():
    return sequential(keras.layers.Dense(3, "relu", kernel_regularizer="l2"))


def nested():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    return sequential(inner)


def frozen():
    model = plain()
    model.layers[0].trainable = False
    model.compile("adam", "mse", metrics=["mae"])
    return model


def adapted():
    normalization = keras.layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)))
    return sequential(normalization)


def own_layers():
    return sequential(Registered(2.0), Unregistered(3.0))


def own_functions():
    return sequential(keras.layers.Dense(3, my_activation, kernel_regularizer=MyPenalty()), loss=my_loss)


MODELS = [plain, nested, frozen, adapted, own_layers, own_functions]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_a_model_arrives_as_it_left(make):
    keras.utils.set_random_seed(0)
    model = make()
    there = unpack(pack(model))
    x = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
    y = x[:, :1]
    np.testing.assert_array_equal(there.predict(x, verbose=0), model.predict(x, verbose=0))
    assert there.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert [w.trainable for w in there.weights] == [w.trainable for w in model.weights]
    assert [len(there.trainable_weights), len(there.losses)] == [len(model.trainable_weights), len(model.losses)]
    np.testing.assert_allclose(there.train_on_batch(x, y), model.train_on_batch(x, y), rtol=1e-6)
    np.testing.assert_allclose(there.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_what_is_excluded_from_weight_decay_stays_so():
    model = sequential(keras.layers.Dense(3), optimizer=keras.optimizers.AdamW(weight_decay=0.5))
    model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    there = unpack(pack(model))
    assert [there.optimizer._use_weight_decay(v) for v in there.trainable_variables] == [True, False, True, False]


def test_only_values_and_the_users_own_code_travel():
    packed = pack(plain())
    assert packed.custom == {}
    assert {type(value) for value in (packed.config, *packed.weights, *packed.undecayed)} == {str, np.ndarray}
    assert set(pack(own_functions()).custom) == {"my_loss", "my_activation", "MyPenalty"}
    assert set(pack(own_layers()).custom) == {"tests>Registered", "Unregistered"}


def test_a_lambda_is_refused():
    with pytest.raises(ModelError, match="uses a lambda, which cannot reach another process"):
        pack(sequential(loss=lambda y_true, y_pred: keras.ops.mean((y_true - y_pred) ** 2)))


class Opaque(keras.Model):
    def __init__(self, thing):
        super().__init__()
        self.thing, self.last = thing, keras.layers.Dense(1)

    def call(self, x):
        return self.last(x)


def test_a_model_without_a_configuration_is_refused():
    model = Opaque(thing=object())
    model.compile("adam", "mse")
    model(np.zeros((1, 4), np.float32))
    with pytest.raises(ModelError, match=r"needs to reach another process: give its classes get_config\(\)"):
        pack(model)
