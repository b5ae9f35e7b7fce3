"""What is computed once per case gives the numbers of the whole model; nothing that trains, draws or remembers is."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops

import gengap as gg
from gengap.engine import frozen as engine_frozen
from gengap.engine.fit_inputs import as_runs, as_training
from gengap.engine.frozen_cache import frozen_cache
from gengap.engine.fused import train_fused
from gengap.engine.planner import Plan
from gengap.engine.runs import Collector
from gengap.engine.state import ChunkState
from gengap.errors import ModelError
from gengap.keras_models.graph import read_graph
from gengap.layers import frozen_part

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


def named_inputs_inside() -> keras.Model:
    image, rows = keras.Input((8, 8, 2), name="image"), keras.Input((6,), name="rows")
    both = layers.Concatenate()([layers.GlobalMaxPooling2D()(layers.Conv2D(3, 3)(image)), layers.Dense(2)(rows)])
    backbone = frozen(keras.Model({"image": image, "rows": rows}, layers.Dropout(0.0)(both)))
    given = {"image": keras.Input((8, 8, 2), name="image"), "rows": keras.Input((6,), name="rows")}
    return keras.Model(given, layers.Dense(1, "sigmoid")(layers.Dropout(0.3)(backbone(given))))


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


def by_steps() -> keras.Model:
    words = keras.Input((7,), dtype="int32")
    vectors = ops.reshape(frozen(layers.Embedding(9, 4))(words), (-1, 4))
    apart = ops.reshape(frozen(layers.Dense(1))(vectors), (-1, 7))
    return keras.Model(words, layers.Dense(1, "sigmoid")(apart))


def scaled() -> keras.Model:
    rows = keras.Input((6,))
    features = frozen(layers.Dense(4))(rows)
    return keras.Model(rows, layers.Dense(1, "sigmoid")(features / ops.max(ops.abs(features))))


ZOO: dict[str, tuple[Callable[[], keras.Model], object, int, str]] = {
    # the model, its cases, how many steps are computed once, and what ends it
    "a nested backbone in inference mode": (nested, IMAGES, 6, ""),
    "branches that meet later": (two_branches, [IMAGES, ROWS], 4, ""),
    "a model inside with inputs by name": (named_inputs_inside, {"image": IMAGES, "rows": ROWS}, 5, ""),
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
    "a mask that a trained layer reads": (lambda: text(frozen(layers.LSTM(3, return_sequences=True, name="masked")),
                                          layers.LSTM(2), mask_zero=True), WORDS, 0,
                                          "'masked' gives values with a mask"),
    "attention": (attentive, WORDS, 4, ""),
    "steps of all cases as one batch": (by_steps, WORDS, 4, ""),
    "the greatest number of a batch": (scaled, ROWS, 1, ""),
    "bfloat16": (lambda: on_images(conv(dtype="mixed_bfloat16"), *head()), IMAGES, 2, ""),
    "a size that grows in between": (lambda: on_images(conv(), layers.UpSampling2D(3), *head()), IMAGES, 3, ""),
    "nothing that is frozen": (lambda: on_images(layers.Conv2D(3, 3), *head()), IMAGES, 0, ""),
}  # fmt: skip


ALWAYS = {"a nested backbone in inference mode", "a model inside with inputs by name", "branches that meet later",
          "noise in the middle", "statistics that move", "cases that are mixed", "an embedding larger than its words",
          "a mask at the end", "attention", "a mask that a trained layer reads", "steps of all cases as one batch",
          "the greatest number of a batch"}  # fmt: skip
"""Those that are tried always, the others when there is time."""


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
@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in ZOO]
)
def test_a_part_computed_once_gives_the_numbers_of_the_whole(name):
    build, x, steps, ended_by = ZOO[name]
    model = compiled(build())
    plan = plan_of(model, x)
    graph = read_graph(model)
    once = graph.before(plan.chunks[0].cut).steps if plan.chunks[0].cut else ()
    assert len(once) == steps
    assert ended_by in " ".join(plan.notes)
    assert bool(plan.notes) == bool(once or ended_by)
    trains = {id(weight) for weight in model.trainable_weights}
    assert not any(id(w) in trains for step in once for w in getattr(step.operation, "weights", ()))
    tolerance = 2e-2 if name == "bfloat16" else 2e-5
    if once:
        found, expected = trained(model, x), trained(model, x, frozen="every_step")
        for ours, theirs in zip(found[0], expected[0], strict=True):
            assert all(np.allclose(ours[key], theirs[key], atol=tolerance) for key in theirs)
        for ours, theirs in zip(found[1], expected[1], strict=True):
            assert all(np.allclose(a, b, atol=tolerance) for a, b in zip(ours, theirs, strict=True))


def test_a_stateful_layer_that_is_frozen_is_refused_as_any_other():
    rows = keras.Input(batch_shape=(8, 7, 1))
    stateful = frozen(layers.LSTM(3, stateful=True))(rows)
    model = compiled(keras.Model(rows, layers.Dense(1, "sigmoid")(stateful)))
    with pytest.raises(ModelError, match="stateful=False"):
        plan_of(model, WORDS[..., None].astype("float32"))


def fit(model: keras.Model, x: object, **computation: object) -> list[np.ndarray]:
    model = gg.clone_compiled(model)
    gg.fit_many([model], x, Y, seeds=[0], epochs=1, batch_size=16, computation=gg.Computation(**computation))
    return model.get_weights()


def test_one_weight_or_one_case_that_changes_is_computed_anew_and_nothing_else_is():
    model = compiled(on_images(conv(), *head()))
    other_head = compiled(on_images(conv(), layers.GlobalMaxPooling2D(), layers.Dense(1, "sigmoid")))
    other_head.layers[0].set_weights(model.layers[0].get_weights())
    with frozen_cache() as cache:
        fit(model, IMAGES)
        assert len(cache.values) == 1
        fit(compiled(gg.clone_compiled(model), rate=0.5), IMAGES.copy())
        assert len(cache.values) == 1
        fit(other_head, IMAGES)  # it cuts behind another pooling: other values
        assert len(cache.values) == 2
        kernel = model.layers[0].kernel
        kernel.assign(kernel + np.eye(1, kernel.value.numel(), 5).reshape(kernel.shape) * 1e-6)
        fit(model, IMAGES)
        assert len(cache.values) == 3
        changed = IMAGES.copy()
        changed[17, 3, 2, 1] += 1e-6
        fit(model, changed)
        assert len(cache.values) == 4
    assert not cache.values


def test_weights_and_cases_that_change_between_two_trainings_are_seen():
    model, changed = compiled(on_images(conv(), *head())), IMAGES.copy()
    changed[:20] *= 3.0
    with frozen_cache():
        before = [fit(model, IMAGES), fit(model, changed)]
        model.layers[0].kernel.assign(2 * model.layers[0].kernel)
        after = fit(model, changed)
    expected = fit(model, changed, frozen="every_step")
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(after, expected, strict=True))
    assert not any(np.allclose(one[2], after[2], atol=1e-4) for one in before)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_beyond_the_limit_values_are_mapped_from_files_and_give_the_same_bits(dtype):
    model = compiled(on_images(conv(dtype=dtype), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(1, "sigmoid")))
    plan = gg.Study(model, seeds=1, computation=gg.Computation(frozen_memory=100)).plan(IMAGES, Y, epochs=1)
    assert "memory-mapped" in plan.notes[0]
    for ours, theirs in zip(fit(model, IMAGES, frozen_memory=100), fit(model, IMAGES), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_kept_in_memory_stays_within_the_limit():
    model = compiled(on_images(conv(), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(1, "sigmoid")))
    one_split = len(IMAGES) * 3 * 3 * 3 * 4
    given = {"seeds": [0], "epochs": 1, "validation_data": (IMAGES + 1, Y)}
    for limit, in_memory in ((one_split - 1, 0), (one_split, 1), (2 * one_split - 1, 1), (2 * one_split, 2)):
        with frozen_cache() as cache:
            gg.fit_many([model], IMAGES, Y, computation=gg.Computation(frozen_memory=limit), **given)
            kept = [values for one in cache.values.values() for values, *_ in one.parts]
            assert len(kept) == 2
            tensors = [values for values in kept if not isinstance(values, np.memmap)]
            assert len(tensors) == in_memory
            assert sum(values.nbytes for values in tensors) == cache.in_memory <= limit


def test_what_no_disk_has_room_for_is_computed_at_every_step(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("", (), {"free": 100}))
    computation = gg.Computation(frozen_memory=100)
    plan = gg.Study(compiled(nested()), seeds=1, computation=computation).plan(IMAGES, Y, epochs=1)
    assert not plan.chunks[0].cut
    assert "set TMPDIR" in plan.notes[0]


def test_all_variants_seeds_and_folds_share_what_is_computed_and_agree_with_keras_own_loop(monkeypatch):
    computed = []
    original = gg.engine.frozen.FrozenParts._computed
    monkeypatch.setattr(gg.engine.frozen.FrozenParts, "_computed", lambda *a: computed.append(1) or original(*a))
    model, remedies = compiled(nested()), ["width(0.5)"]
    study = gg.Study(model, remedies=remedies, seeds=2)
    given = {"epochs": 2, "batch_size": 16, "cv": 2, "progress": False}
    result = study.run(IMAGES, Y, **given)
    assert len(computed) == 1
    plain = gg.Study(model, remedies=remedies, seeds=2, engine="keras")
    theirs = plain.run(IMAGES, Y, **given)
    for name in result.history:
        np.testing.assert_allclose(result.history[name], theirs.history[name], atol=2e-5)
    assert "computed once per case" in result.manifest["plan"]["notes"][0]


class States(Collector):
    """Keeps the states of chunks, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[tuple[str, ChunkState]] = []

    def on_checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        self.states.append((chunk_id, state))


def test_what_is_known_of_one_model_serves_another_only_where_weights_inputs_and_ways_are_equal(monkeypatch):
    tried, looked = {}, []
    attempt = frozen_part._Search._try

    def counted(self, step, values):
        looked.append(step.operation)
        return attempt(self, step, values)

    def found(model, x):
        looked.clear()
        digest_of = engine_frozen._digest_of_step
        part = frozen_part.find_frozen(model, [torch.from_numpy(x[:4])], tried=tried, digest_of=digest_of)
        assert part == frozen_part.find_frozen(model, [torch.from_numpy(x[:4])])  # as if nothing were known
        return len(looked) - alone

    monkeypatch.setattr(frozen_part._Search, "_try", counted)
    model = compiled(on_images(conv(), layers.Rescaling(0.5), conv(2), *head()))
    frozen_part.find_frozen(model, [torch.from_numpy(IMAGES[:4])])
    alone = len(looked)
    assert found(model, IMAGES) == alone
    assert found(gg.clone_compiled(model), IMAGES) == 0
    assert found(model, IMAGES[4:]) == alone
    other = gg.clone_compiled(model)
    other.layers[2].kernel.assign(2 * other.layers[2].kernel)
    assert 0 < found(other, IMAGES) < alone  # what precedes the changed layer is known
    trained_too = gg.clone_compiled(model)
    trained_too.layers[0].trainable = True
    assert frozen_part.find_frozen(trained_too, [torch.from_numpy(IMAGES[:4])], tried=tried).cut == ()


def test_training_goes_on_from_a_checkpoint_that_holds_no_frozen_weight():
    model = compiled(nested())
    runs = as_runs([model, model], [1, 2])
    data, settings = as_training([model], IMAGES, Y, validation_data=(IMAGES, Y), epochs=3, batch_size=16)
    whole, resumed = States(), Collector()
    plan = train_fused(runs, data, settings, whole, checkpoint_seconds=0.0)
    chunk, state = whole.states[4]
    train_fused(runs, data, settings, resumed, plan=plan, states={chunk: state})
    for ours, theirs in zip(resumed.records, whole.records, strict=True):
        for a, b in zip(ours.weights_best, theirs.weights_best, strict=True):
            np.testing.assert_array_equal(a, b)
    frozen_shape = model.layers[1].layers[0].kernel.shape
    assert not any(array.shape[1:] == tuple(frozen_shape) for array in state.arrays.values())
    first, second = (record.weights_last for record in whole.records)
    assert first[0] is second[0]  # held once, whatever the number of runs
