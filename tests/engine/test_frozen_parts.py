"""What is computed once per case gives the numbers of the whole model, and holds nothing that trains, draws or remembers."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers, ops

import gengap as gg

from gengap.engine.planner import Plan
from gengap.keras_models.graph import read_graph


RNG = np.random.default_rng(5)
IMAGES = RNG.normal(size=(40, 8, 8, 2)).astype("float32")
ROWS = RNG.normal(size=(40, 6)).astype("float32")
WORDS = RNG.integers(0, 9, (40, 7)).astype("int32")
Y = (IMAGES.mean((1, 2, 3)) + ROWS[:, 0] > 0).astype("float32")


class Doubled(layers.Layer):
    """A layer of a user's."""

    def call(self, x):
        return 2 * x


def frozen(layer: layers.Layer) -> layers.Layer:
    layer.trainable = False
    return layer


def on_images(*body: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 2)), *body])


def conv(filters: int = 3, **given: object) -> layers.Layer:
    return frozen(layers.Conv2D(filters, 3, activation="relu", **given))


def head() -> list[layers.Layer]:
    return [layers.GlobalAveragePooling2D(), layers.Dense(4, "relu"), layers.Dropout(0.4), layers.Dense(1, "sigmoid")]


def nested() -> keras.Model:
    body = [layers.Conv2D(3, 3), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.0)]
    backbone = keras.Sequential([keras.Input((8, 8, 2)), *body])
    backbone.layers[1].moving_mean.assign([0.3, -0.2, 0.1])
    backbone.trainable = False
    return on_images(layers.Rescaling(0.5), backbone, *head())


def two_branches() -> keras.Model:
    image, rows = keras.Input((8, 8, 2), name="image"), keras.Input((6,), name="rows")
    seen = layers.GlobalAveragePooling2D()(conv()(image))
    joined = layers.Concatenate()([seen, frozen(layers.Dense(3))(rows), rows])
    return keras.Model([image, rows], layers.Dense(1, "sigmoid")(layers.Dense(4, "relu")(joined)))


def siamese() -> keras.Model:
    rows, shared = keras.Input((6,)), frozen(layers.Dense(3, "tanh"))
    apart = shared(rows) - shared(ops.flip(rows, axis=1))
    return keras.Model(rows, layers.Dense(1, "sigmoid")(layers.Dropout(0.3)(apart)))


def mixing() -> keras.Model:
    rows = keras.Input((6,))
    features = frozen(layers.Dense(4, name="before"))(rows)
    centred = frozen(layers.Dense(3, name="behind"))(features - ops.mean(features, axis=0))
    return keras.Model(rows, layers.Dense(1, "sigmoid")(centred))


def text(*body: layers.Layer, mask_zero: bool = False) -> keras.Model:
    embedding = frozen(layers.Embedding(9, 5, mask_zero=mask_zero))
    return keras.Sequential([keras.Input((7,), dtype="int32"), embedding, *body, layers.Dense(1, "sigmoid")])


def attentive() -> keras.Model:
    words = keras.Input((7,), dtype="int32")
    vectors = frozen(layers.Embedding(9, 4))(words)
    attention = layers.MultiHeadAttention(2, 2)
    attended = attention(vectors, vectors)
    frozen(attention)  # its parts are made when it is called, and are trained if it is frozen before (Keras 3.15)
    pooled = layers.GlobalAveragePooling1D()(frozen(layers.LayerNormalization())(attended))
    return keras.Model(words, layers.Dense(1, "sigmoid")(pooled))


ZOO: dict[str, tuple[Callable[[], keras.Model], object, int, str]] = {
    # the model, its cases, how many steps are computed once, and what ends it
    "a nested backbone in inference mode": (nested, IMAGES, 6, ""),
    "branches that meet later": (two_branches, [IMAGES, ROWS], 4, ""),
    "one layer called twice": (siamese, ROWS, 4, ""),
    "noise in the middle": (lambda: on_images(conv(), layers.Dropout(0.3, name="drops"), conv(), *head()), IMAGES, 1,
                            "'drops' draws random numbers in training"),
    "augmentation in front": (lambda: on_images(layers.RandomFlip(name="flips"), conv(), *head()), IMAGES, 0,
                              "'flips' draws random numbers in training"),
    "noise in front": (lambda: on_images(layers.GaussianNoise(0.1, name="noise"), conv(), *head()), IMAGES, 0,
                       "'noise' draws random numbers in training"),
    "statistics that train": (lambda: on_images(conv(), layers.BatchNormalization(name="bn"), conv(), *head()), IMAGES,
                              1, "'bn' is trained"),
    "statistics that move": (lambda: on_images(conv(), layers.BatchNormalization(scale=False, center=False, name="bn"),
                                               conv(), *head()), IMAGES, 1, "'bn' changes its state 'moving_mean'"),
    "a weight that every call sets": (
        lambda: on_images(frozen(layers.SpectralNormalization(layers.Conv2D(3, 3, name="c"), name="sn")), *head()),
        IMAGES, 0, "'sn' "),
    "a penalty on activities": (lambda: on_images(conv(activity_regularizer="l2", name="paid"), *head()), IMAGES, 0,
                                "'paid' adds to the objective"),
    "cases that are mixed": (mixing, ROWS, 1, "may look at several cases at once"),
    "a trained layer first": (lambda: on_images(layers.Conv2D(3, 3, name="first"), conv(), *head()), IMAGES, 0,
                              "'first' is trained"),
    "a user's layer first": (lambda: on_images(Doubled(name="own"), conv(), *head()), IMAGES, 0,
                             "'own' is not a layer or operation of Keras' own"),
    "an embedding that is pooled": (lambda: text(layers.GlobalAveragePooling1D()), WORDS, 2, ""),
    "an embedding larger than its words": (lambda: text(layers.LSTM(3)), WORDS, 0, ""),
    "a mask inside": (lambda: text(frozen(layers.LSTM(3)), mask_zero=True), WORDS, 3, ""),
    "a mask at the end": (lambda: text(layers.LSTM(3), mask_zero=True), WORDS, 0, ""),
    "attention": (attentive, WORDS, 4, ""),
    "bfloat16": (lambda: on_images(conv(dtype="mixed_bfloat16"), *head()), IMAGES, 2, ""),
    "a size that grows at the end": (lambda: on_images(conv(), layers.UpSampling2D(3), *head()[:1], *head()[1:]), IMAGES,
                                     3, ""),
    "nothing that is frozen": (lambda: on_images(layers.Conv2D(3, 3), *head()), IMAGES, 0, ""),
}  # fmt: skip


def compiled(model: keras.Model, rate: float = 0.01) -> keras.Model:
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def plan_of(model: keras.Model, x: object) -> Plan:
    return gg.Study(model, seeds=1).plan(x, Y, epochs=1, batch_size=16)


def trained(model: keras.Model, x: object, **computation: object) -> tuple[list[dict], list[list[np.ndarray]]]:
    models = [gg.clone_compiled(model) for _ in range(2)]
    given = {"seeds": [1, 2], "epochs": 2, "batch_size": 16, "validation_data": (x, Y)}
    histories = gg.fit_many(models, x, Y, computation=gg.Computation(**computation), **given)
    return [one.history for one in histories], [one.get_weights() for one in models]


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.parametrize("name", ZOO)
def test_a_part_computed_once_gives_the_numbers_of_the_whole(name):
    build, x, steps, ended_by = ZOO[name]
    model = compiled(build())
    plan = plan_of(model, x)
    graph = read_graph(model)
    once = graph.before(plan.chunks[0].cut).steps if plan.chunks[0].cut else ()
    assert len(once) == steps
    assert ended_by in " ".join(plan.frozen)
    assert bool(plan.frozen) == bool(once or ended_by)
    trains = {id(weight) for weight in model.trainable_weights}
    assert not any(id(w) in trains for step in once for w in getattr(step.operation, "weights", ()))
    tolerance = 2e-2 if name == "bfloat16" else 2e-5
    if once:
        found, expected = trained(model, x), trained(model, x, frozen="every_step")
        for ours, theirs in zip(found[0], expected[0], strict=True):
            assert all(np.allclose(ours[key], theirs[key], atol=tolerance) for key in theirs)
        for ours, theirs in zip(found[1], expected[1], strict=True):
            assert all(np.allclose(a, b, atol=tolerance) for a, b in zip(ours, theirs, strict=True))
