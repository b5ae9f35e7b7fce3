import keras
import numpy as np
import pytest
from keras import layers, losses
from scipy.special import expit, softmax

from gengap.errors import ModelError, UnknownNameError
from gengap.keras_models.outputs import describe_output, targets, to_predictions


def net(units, activation, loss):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(units, activation=activation)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("units", "activation", "loss", "task", "from_logits", "one_hot"),
    [
        (1, "sigmoid", "binary_crossentropy", "binary", False, False),
        (1, "sigmoid", losses.BinaryCrossentropy(label_smoothing=0.1), "binary", False, False),
        (1, None, losses.BinaryCrossentropy(from_logits=True), "binary", True, False),
        (1, "sigmoid", "mse", "binary", False, False),
        (4, "softmax", "sparse_categorical_crossentropy", "multiclass", False, False),
        (4, "softmax", "categorical_crossentropy", "multiclass", False, True),
        (4, None, losses.SparseCategoricalCrossentropy(from_logits=True), "multiclass", True, False),
        (4, "softmax", losses.MeanSquaredError(), "multiclass", False, True),
        (1, None, "mse", "regression", False, False),
        (2, None, losses.Huber(), "regression", False, False),
    ],
)
def test_the_kind_is_read_from_loss_and_activation(units, activation, loss, task, from_logits, one_hot):
    kind = describe_output(net(units, activation, loss))
    assert (kind.task, kind.from_logits, kind.one_hot, kind.width) == (task, from_logits, one_hot, units)


def test_the_kind_can_be_declared():
    assert describe_output(net(1, "sigmoid", "mse"), task="regression").task == "regression"


def test_outputs_of_several_are_found_by_name():
    inputs = keras.Input((3,))
    heads = {
        "storm": layers.Dense(1, activation="sigmoid", name="storm")(inputs),
        "wind": layers.Dense(1, name="wind")(inputs),
    }
    model = keras.Model(inputs, heads)
    model.compile("sgd", {"storm": "binary_crossentropy", "wind": "mse"})
    assert describe_output(model).task == "binary"
    assert describe_output(model, "wind").task == "regression"
    with pytest.raises(UnknownNameError, match="no output 'rain'; its outputs are storm, wind"):
        describe_output(model, "rain")


def test_a_model_without_compile_is_refused():
    with pytest.raises(ModelError, match="not compiled"):
        describe_output(keras.Sequential([keras.Input((3,)), layers.Dense(1)]))


def test_probabilities_without_an_activation_are_refused():
    with pytest.raises(ModelError, match="ends without an activation"):
        describe_output(net(1, None, "binary_crossentropy"))


def test_several_sigmoids_are_refused():
    with pytest.raises(ModelError, match="3 sigmoid outputs"):
        describe_output(net(3, "sigmoid", "binary_crossentropy"))


def test_predictions_are_probabilities_whatever_the_output():
    raw = np.array([[-1.0], [2.0]], np.float32)
    logits = describe_output(net(1, None, losses.BinaryCrossentropy(from_logits=True)))
    np.testing.assert_allclose(to_predictions(raw, logits), expit(raw[:, 0]), rtol=1e-6)
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    several = describe_output(net(4, None, losses.SparseCategoricalCrossentropy(from_logits=True)))
    np.testing.assert_allclose(to_predictions(rows, several), softmax(rows, axis=-1), rtol=1e-6)
    assert to_predictions(raw, describe_output(net(1, None, "mse"))).shape == (2,)


def test_targets_have_the_form_that_the_loss_wants():
    codes = np.array([2, 0, 1])
    one_hot = targets(codes, describe_output(net(3, "softmax", "categorical_crossentropy")))
    np.testing.assert_array_equal(one_hot, np.eye(3)[codes])
    plain = targets(codes, describe_output(net(3, "softmax", "sparse_categorical_crossentropy")))
    np.testing.assert_array_equal(plain, codes)
    assert targets(np.array([0, 1]), describe_output(net(1, "sigmoid", "bce"))).shape == (2, 1)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = layers.Dense(1, activation="sigmoid")

    def call(self, x):
        return self.head(x)


def test_a_subclassed_model_is_read_once_it_is_built():
    model = Subclassed()
    model.compile("sgd", "binary_crossentropy")
    with pytest.raises(ModelError, match="has not been built: call it once"):
        describe_output(model)
    model(np.zeros((2, 3), np.float32))
    assert describe_output(model).width == 1
