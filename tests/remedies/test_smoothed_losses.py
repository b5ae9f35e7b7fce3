"""Label smoothing under every form in which a cross-entropy is given: it trains, in both engines, as Keras' formula."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, losses

import gengap as gg
from gengap.errors import RemedyError

RNG = np.random.default_rng(6)
X = RNG.normal(size=(50, 3)).astype(np.float32)
LABEL = RNG.integers(0, 3, 50)


class Bare(losses.SparseCategoricalCrossentropy):
    pass


class BareBinary(losses.BinaryCrossentropy):
    pass


FORMS = {
    "a name": "sparse_categorical_crossentropy",
    "a function": losses.sparse_categorical_crossentropy,
    "a function with arguments": partial(losses.sparse_categorical_crossentropy, from_logits=True),
    "a loss": losses.SparseCategoricalCrossentropy(),
    "a loss of logits": losses.SparseCategoricalCrossentropy(from_logits=True),
    "a subclass": Bare(),
    "a subclass of logits": Bare(from_logits=True),
    "one-hot": "categorical_crossentropy",
    "one-hot, logits": losses.CategoricalCrossentropy(from_logits=True),
}


def net(loss, *, logits, width=3, activation="softmax"):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(width, None if logits else activation)])
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model


@pytest.mark.parametrize("engine", ["keras", "fused"])
@pytest.mark.parametrize("form", FORMS)
def test_it_trains_as_one_hot_labels_do_in_keras(form, engine):
    given = {"epochs": 2, "batch_size": 16, "shuffle": False}
    model = net(FORMS[form], logits="logits" in form or "arguments" in form)
    study = gg.Study(model, remedies=[gg.LabelSmoothing(0.2)], seeds=1, engine=engine, initial_weights="keep")
    result = study.run(X[:34], LABEL[:34], validation_data=(X[34:], LABEL[34:]), progress=False, **given)
    oracle = net(losses.CategoricalCrossentropy(label_smoothing=0.2), logits=False)
    oracle.set_weights(model.get_weights())
    rows = np.eye(3)[LABEL]
    history = oracle.fit(X[:34], rows[:34], validation_data=(X[34:], rows[34:]), verbose=0, **given).history
    np.testing.assert_allclose(result.history.loss.values[1, 0], history["loss"], rtol=1e-4)
    np.testing.assert_allclose(result.history.val_loss.values[1, 0], history["val_loss"], rtol=1e-4)


@pytest.mark.parametrize("loss", [BareBinary(), partial(losses.binary_crossentropy, axis=-1), "bce"])
def test_binary_losses_are_smoothed_in_every_form(loss):
    smoothed = gg.LabelSmoothing(0.2)(net(loss, logits=False, width=1, activation="sigmoid"))
    assert smoothed.loss.get_config()["label_smoothing"] == 0.2


def test_what_cannot_be_smoothed_is_said():
    own = net(lambda y, p: losses.sparse_categorical_crossentropy(y, p), logits=False)  # noqa: PLW0108
    with pytest.raises(RemedyError, match="needs a cross-entropy of labels"):
        gg.LabelSmoothing(0.2)(own)
    ignoring = net(losses.SparseCategoricalCrossentropy(ignore_class=0), logits=False)
    with pytest.raises(RemedyError, match="needs a cross-entropy of labels"):
        gg.LabelSmoothing(0.2)(ignoring)
