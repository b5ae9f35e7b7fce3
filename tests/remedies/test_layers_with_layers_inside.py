"""What remedies say of a layer of one's own that is made of layers: the truth at once, and advice that works."""

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.errors import RemedyError, UnknownNameError


@keras.saving.register_keras_serializable(package="inside")
class Classifier(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense, self.out = layers.Dense(units, "relu"), layers.Dense(1, "sigmoid")

    def call(self, x):
        return self.out(self.dense(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def model(*, opened=False):
    inputs = keras.Input((4,))
    if opened:
        outputs = layers.Dense(1, "sigmoid")(layers.Dense(3, "relu", name="first")(inputs))
    else:
        outputs = Classifier(3, name="classifier")(inputs)
    made = keras.Model(inputs, outputs)
    made.compile("sgd", "binary_crossentropy")
    return made


REMEDIES = {
    "hidden": (gg.L2(0.01), RemedyError),
    "kernels": (gg.L2(0.01, on="kernels"), RemedyError),
    "by name": (gg.L2(0.01, on="classifier"), RemedyError),
    "by path": (gg.L2(0.01, on="classifier/dense"), UnknownNameError),
    "width": (gg.Width(0.5, on="classifier"), RemedyError),
    "dropout": (gg.Dropout(0.5), RemedyError),
    "batch norm": (gg.BatchNorm(), RemedyError),
}


@pytest.mark.parametrize("name", REMEDIES)
def test_the_first_sentence_says_that_they_cannot_be_reached(name):
    treatment, kind = REMEDIES[name]
    with pytest.raises(
        kind, match=r"'classifier' \(Classifier\) is a layer of your own.*call those layers in the model"
    ):
        treatment(model())


def test_the_advice_works_layers_called_in_the_model():
    for treatment in (gg.L2(0.01), gg.Width(2.0), gg.Dropout(0.5), gg.L2(0.01, on="first")):
        assert treatment(model(opened=True)).built


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
def test_the_advice_works_a_variant_by_hand():
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    study = gg.Study({"baseline": model(), "wider": model(opened=True)}, seeds=1)
    assert study.run(x, y, epochs=1, progress=False).variants == ("baseline", "wider")


def test_other_models_are_told_their_layers():
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(1, "sigmoid", name="last")])
    plain.compile("sgd", "binary_crossentropy")
    with pytest.raises(RemedyError, match="name layers with `on`, one or more of last"):
        gg.L2(0.01)(plain)
    assert gg.L2(0.01, on="last")(plain).built
