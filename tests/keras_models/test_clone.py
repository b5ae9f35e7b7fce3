"""A clone is the same model twice: equal in every answer, sharing nothing that training changes."""

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.errors import ModelError
from gengap.keras_models import clone_compiled
from gengap.keras_models.clone import excluded_from_decay

layers = keras.layers


def mlp(**kwargs):
    return keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, activation="relu"), layers.BatchNormalization(), layers.Dense(1)], **kwargs
    )


def nested():
    encoder = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh")], name="encoder")
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    merged = keras.ops.relu(layers.Concatenate()([encoder(left), encoder(right)]))
    return keras.Model([left, right], {"a": layers.Dense(1, name="a")(merged), "b": layers.Dense(2, name="b")(merged)})


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def test_a_clone_answers_as_the_original(rng):
    model = nested()
    x = [rng.normal(size=(6, 3)), rng.normal(size=(6, 3))]
    clone = clone_compiled(model)
    for name, value in model.predict(x, verbose=0).items():
        np.testing.assert_array_equal(clone.predict(x, verbose=0)[name], value)
    assert len(clone.weights) == len(model.weights) == 6, "the shared encoder stays shared"
    assert [layer.name for layer in clone.layers if isinstance(layer, keras.Layer)] == [
        layer.name for layer in model.layers
    ]


def test_training_the_clone_leaves_the_original(rng):
    model = mlp()
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=[keras.metrics.MeanAbsoluteError()])
    x, y = rng.normal(size=(32, 5)), rng.normal(size=(32, 1))
    model.fit(x, y, verbose=0)
    before, state = weights(model), [np.array(v) for v in model.optimizer.variables]
    clone = clone_compiled(model)
    assert int(clone.optimizer.iterations) == 0
    clone.fit(x, y, verbose=0)
    for old, new in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(new, old)
    for old, new in zip(state, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(new, old)
    assert any(not np.array_equal(a, b) for a, b in zip(before, weights(clone), strict=True))


def test_what_compile_was_told_survives():
    model = nested()
    model.compile(
        keras.optimizers.SGD(0.3, momentum=0.7, nesterov=True, clipnorm=2.0, use_ema=True),
        loss={"a": "mse", "b": keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)},
        loss_weights={"a": 2.0, "b": 0.5},
        metrics={"a": [keras.metrics.MeanAbsoluteError(name="mae2")]},
        weighted_metrics={"b": ["accuracy"]},
        run_eagerly=True,
    )
    clone = clone_compiled(model)
    assert clone.get_compile_config() == model.get_compile_config()
    assert clone.run_eagerly


def test_a_loss_written_as_lambda_survives(rng):
    model = mlp()
    model.compile("sgd", loss=lambda y, p: keras.ops.mean(keras.ops.abs(y - p), axis=-1))
    x, y = rng.normal(size=(8, 5)), rng.normal(size=(8, 1))
    assert clone_compiled(model).evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)


def test_a_metric_of_a_users_function_is_built_anew():
    def closeness(y_true, y_pred):
        return -keras.ops.abs(y_true - y_pred)

    metric = keras.metrics.MeanMetricWrapper(closeness, name="close")
    model = mlp()
    model.compile("sgd", "mse", metrics=[metric, closeness])
    clone = clone_compiled(model)
    clone.fit(np.ones((4, 5)), np.ones((4, 1)), verbose=0)
    assert {"close", "closeness"} <= set(clone.get_metrics_result())
    assert float(metric.count) == 0


def test_weight_decay_exclusions_follow_their_variables(rng):
    model = mlp()
    optimizer = keras.optimizers.AdamW(0.0, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_list=[model.layers[0].bias, model.layers[-1].kernel])
    model.compile(optimizer, "mse")
    clone = clone_compiled(clone_compiled(model))
    excluded = {id(v) for v in excluded_from_decay(clone)}
    assert excluded == {id(clone.layers[0].bias), id(clone.layers[-1].kernel)}


def test_frozen_layers_stay_frozen():
    model = mlp()
    model.layers[0].trainable = False
    clone = clone_compiled(model)
    assert [layer.trainable for layer in clone.layers] == [False, True, True]
    inner = mlp(name="inner")
    inner.trainable = False
    x = keras.Input((5,))
    outer = clone_compiled(keras.Model(x, layers.Dense(1)(inner(x))))
    assert [tuple(v.shape) for v in outer.trainable_variables] == [(1, 1), (1,)]


def test_an_adapted_normalization_keeps_what_it_learned(rng):
    x = rng.normal(3, 5, size=(50, 5))
    normalization = layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential([keras.Input((5,)), normalization, layers.Dense(1)])
    np.testing.assert_allclose(clone_compiled(model).predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)


def test_masks_and_wrappers():
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.LSTM(3))(x)
    model = keras.Model(tokens, layers.Dense(1)(x))
    data = np.array([[1, 2, 3, 0, 0, 0, 0], [4, 5, 6, 7, 8, 1, 2]])
    np.testing.assert_allclose(
        clone_compiled(model).predict(data, verbose=0), model.predict(data, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("inside", [layers.Dense, lambda width: keras.Sequential([layers.Dense(width)])])
@pytest.mark.parametrize("copy", [clone_compiled, gg.L2(0.1)])
def test_a_weight_of_two_layers_gets_a_sentence(copy, inside):
    x, shared = keras.Input((3, 2)), inside(2)
    h = layers.TimeDistributed(shared)(x) + shared(x[:, 0])
    model = keras.Model(x, layers.Dense(1)(h))
    model.compile("sgd", "mse")
    with pytest.raises(
        ModelError, match=r"kernel' is held by two layers, '.*' and '.*call one of the two layers in both"
    ):
        copy(model)


def test_dtype_policies_survive():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, dtype="mixed_bfloat16"), layers.Dense(1, dtype="float32")]
    )
    assert [layer.dtype_policy.name for layer in clone_compiled(model).layers] == ["mixed_bfloat16", "float32"]


class Doubler(keras.Model):
    def __init__(self, units=2):
        super().__init__()
        self.units = units
        self.dense = layers.Dense(units)

    def call(self, x):
        return 2 * self.dense(x)

    def get_config(self):
        return {"units": self.units}


class Forgetful(keras.Model):
    def __init__(self, factor=2):
        super().__init__()
        self.factor = factor
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.factor * self.dense(x)


class Plain(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


class Closed(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x):
        return self.layer(x)


def test_a_subclassed_model_is_cloned_through_its_configuration(rng):
    model = Doubler(units=3)
    model.compile("sgd", "mse")
    x = rng.normal(size=(4, 2))
    expected = model.predict(x, verbose=0)
    clone = clone_compiled(model)
    np.testing.assert_allclose(clone.predict(x, verbose=0), expected, rtol=1e-6)
    assert clone.optimizer is not model.optimizer


def test_a_subclassed_model_whose_constructor_takes_nothing_is_cloned(rng):
    model = Plain()
    x = rng.normal(size=(4, 2))
    np.testing.assert_allclose(model.predict(x, verbose=0), clone_compiled(model).predict(x, verbose=0), rtol=1e-6)


@pytest.mark.parametrize("model", [lambda: Closed(layers.Dense(2)), lambda: Forgetful(3)])
def test_a_subclassed_model_without_its_own_configuration_gets_a_sentence(model):
    with pytest.raises(ModelError, match="get_config"):
        clone_compiled(model())


def test_a_model_that_is_not_compiled_gives_one_that_is_not_compiled():
    assert not clone_compiled(mlp()).compiled


def test_a_class_with_its_own_training_step_keeps_it():
    class Custom(keras.Model):
        def train_step(self, data):
            return super().train_step(data)

    x = keras.Input((3,))
    clone = clone_compiled(Custom(x, layers.Dense(1)(x)))
    assert type(clone) is Custom
