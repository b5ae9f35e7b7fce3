"""Models that differ in noise layers alone train as one program, to what each makes by itself."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from gengap.datasets.training_data import TrainingData
from gengap.engine.cohorts import cohorts
from gengap.engine.fused import plan_fused, train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.reference import train_reference
from gengap.engine.runs import Collector, Run
from gengap.remedies.stopping import StoppingRule


def compiled(model):
    model.compile(keras.optimizers.Adam(1e-2, epsilon=1e-3), "binary_crossentropy")
    return model


def sequence(start, *parts):
    return compiled(keras.Sequential([start, *(one for one in parts if one), layers.Dense(1, activation="sigmoid")]))


def dense(first=None, second=None):
    return sequence(keras.Input((6,)), layers.Dense(7, "relu"), first, layers.Dense(5, "relu"), second)


def convolutional(first=None, second=None):
    convolution = layers.Conv1D(4, 3, padding="same", activation="relu")
    parts = (convolution, first, layers.BatchNormalization(), layers.MaxPooling1D(2), layers.Flatten(), second)
    return sequence(keras.Input((6, 2)), *parts)


def recurrent(first=None, second=None):
    start = keras.Input((6,), dtype="int32")
    return sequence(start, layers.Embedding(9, 4, mask_zero=True), first, layers.LSTM(3, dropout=0.2), second)


def attending(first=None, second=None, *, dropout=0.0):
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(inputs)
    x = first(x) if first else x
    x = layers.Add()([x, layers.MultiHeadAttention(2, 2, dropout=dropout)(x, x)])
    x = layers.GlobalAveragePooling1D()(x)
    return compiled(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(second(x) if second else x)))


def branching(first=None, second=None):
    inputs = keras.Input((6,))
    x = layers.Dense(6, activation="relu")(inputs)
    noisy = first(x) if first else x
    x = layers.Add()([layers.Dense(6)(noisy), x])  # one reader of `x` sees the noise, the other does not
    return compiled(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(second(x) if second else x)))


NETS = {"dense": dense, "convolutional": convolutional, "recurrent": recurrent, "attending": attending,
        "branching": branching}  # fmt: skip
INPUTS = {"convolutional": ((6, 2), None), "recurrent": ((6,), 9), "attending": ((6,), 9)}
NOISE = {
    "none": lambda: (None, None),
    "dropout": lambda: (layers.Dropout(0.3), None),
    "both": lambda: (layers.Dropout(0.4), layers.GaussianNoise(0.5)),
    "normal": lambda: (None, layers.GaussianNoise(0.3)),
}


CHAIN = ("none", "dropout", "both")
"""Each has all noise that the one before it has."""


def runs_of(build, seeds=(0, 1), names=CHAIN):
    models = {name: build(*NOISE[name]()) for name in names}
    return [Run(name, seed, models[name]) for seed in seeds for name in models]


def plan_of(runs):
    return Plan("cpu", "float32", (Chunk("chunk-000", tuple((r.variant, r.seed) for r in runs), "fused", "test"),))


def data_of(name, make_data):
    shape, integers = INPUTS.get(name, ((6,), None))
    return make_data(shape, integers=integers)


def assert_alike(record, other, tolerance):
    for name, values in other.history.items():
        np.testing.assert_allclose(record.history[name], values, atol=tolerance, rtol=0, err_msg=name)
    for own, its in zip(record.weights_last, other.weights_last, strict=True):
        np.testing.assert_allclose(own, its, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", NETS)
def test_runs_together_are_runs_apart_and_keras_own(name, make_data, settings, collect):
    data, runs = data_of(name, make_data), runs_of(NETS[name])
    assert [len(group) for group in cohorts(runs)] == [len(runs)]
    joint = collect(train_fused, runs, data, settings(), plan=plan_of(runs))
    for variant in CHAIN:
        own = [run for run in runs if run.variant == variant]
        alone = collect(train_fused, own, data, settings(), plan=plan_of(own))
        by_keras = collect(train_reference, own, data, settings())
        for key, record in alone.items():
            assert_alike(joint[key], record, 2e-6)
            assert_alike(joint[key], by_keras[key], 2e-5)


def test_a_run_without_noise_is_the_same_to_the_bit_in_the_company_of_noise(make_data, settings, collect):
    data = make_data()
    plain = {seed: dense() for seed in (0, 1)}
    quiet = [Run(f"plain {n}", n, plain[n]) for n in plain]
    alike = [Run(f"other {n}", n, plain[n]) for n in plain]
    noisy = [Run(f"other {n}", n, dense(layers.Dropout(0.5), layers.GaussianNoise(1.0))) for n in plain]
    without = collect(train_fused, quiet + alike, data, settings(), plan=plan_of(quiet + alike))
    beside = collect(train_fused, quiet + noisy, data, settings(), plan=plan_of(quiet + noisy))
    for run in quiet:
        assert_alike(beside[run.variant, run.seed], without[run.variant, run.seed], 0.0)


DIFFERENT = {
    "noise on the inputs": (
        lambda: sequence(keras.Input((6,)), layers.Dense(5)),
        lambda: sequence(keras.Input((6,)), layers.Dropout(0.3), layers.Dense(5)),
    ),
    "noise on the output": (
        lambda: compiled(keras.Sequential([keras.Input((6,)), layers.Dense(1, "sigmoid")])),
        lambda: compiled(keras.Sequential([keras.Input((6,)), layers.Dense(1, "sigmoid"), layers.Dropout(0.1)])),
    ),
    "noise of another number format": (
        lambda: sequence(keras.Input((6,)), layers.Dense(5)),
        lambda: sequence(keras.Input((6,)), layers.Dense(5), layers.Dropout(0.3, dtype="float16")),
    ),
    "noise that is counted otherwise": (
        lambda: dense(None, layers.Dropout(0.3)),
        lambda: dense(layers.Dropout(0.3), layers.Dropout(0.3)),
    ),
    "noise that stands before attention's own": (
        lambda: attending(dropout=0.1),
        lambda: attending(layers.Dropout(0.3), dropout=0.1),
    ),
    "noise that moves weights": (lambda: skipping(None), lambda: skipping(layers.Dropout(0.3))),
    "noise behind a number format of one's own": (lambda: casting(None), lambda: casting(layers.Dropout(0.3))),
    "metrics of other names": (
        lambda: with_metric(dense(), "first"),
        lambda: with_metric(dense(layers.Dropout(0.3)), "second"),
    ),
    "noise at other places": (lambda: dense(layers.Dropout(0.3)), lambda: dense(None, layers.Dropout(0.3))),
    "noise that is met twice": (
        lambda: sequence(keras.Input((6,)), layers.Dense(5), layers.Dense(5)),
        lambda: sequence(keras.Input((6,)), layers.Dense(5), noise := layers.Dropout(0.3), layers.Dense(5), noise),
    ),
    "noise with a penalty": (
        lambda: sequence(keras.Input((6,)), layers.Dense(5)),
        lambda: sequence(keras.Input((6,)), layers.Dense(5), layers.Dropout(0.3, activity_regularizer="l2")),
    ),
    "noise between a convolution and its pooling": (
        lambda: image(None),
        lambda: image(layers.Dropout(0.3)),
    ),
    "another activation": (
        lambda: sequence(keras.Input((6,)), layers.Dense(5, "relu")),
        lambda: sequence(keras.Input((6,)), layers.Dense(5, "tanh"), layers.Dropout(0.3)),
    ),
    "another loss": (
        dense,
        lambda: with_loss(dense(layers.Dropout(0.3)), "mse"),
    ),
    "a layer that is no noise": (
        lambda: sequence(keras.Input((6,)), layers.Dense(5)),
        lambda: sequence(keras.Input((6,)), layers.Dense(5), layers.ReLU()),
    ),
}


def casting(noise):
    """What is cast stays as it is in any precision, and a noise layer has the precision of the study."""
    inputs = keras.Input((6,))
    x = keras.ops.cast(layers.Dense(5)(inputs), "float32")
    return compiled(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(noise(x) if noise else x)))


def with_metric(model, name):
    model.compile("sgd", "binary_crossentropy", metrics=[keras.metrics.AUC(name=name)])
    return model


def skipping(noise):
    """Keras lists weights in the order of the graph's depths, in which noise lets a layer stand earlier."""
    inputs = keras.Input((4,))
    skip = layers.Dense(4)(inputs)
    x = layers.EinsumDense("ab,bc->ac", output_shape=4, bias_axes="c")(inputs)
    x = layers.EinsumDense("ab,bc->ac", output_shape=4, bias_axes="c")(x)
    x = layers.Add()([noise(skip) if noise else skip, x])
    return compiled(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x)))


def image(noise):
    convolution = layers.Conv2D(2, 3, padding="same", activation="relu")
    return sequence(keras.Input((4, 4, 1)), convolution, noise, layers.AveragePooling2D(2), layers.Flatten())


def with_loss(model, loss):
    model.compile(keras.optimizers.Adam(1e-2, epsilon=1e-3), loss)
    return model


@pytest.mark.parametrize("what", DIFFERENT)
def test_models_that_differ_in_more_train_apart(what):
    runs = [Run(str(n), 0, make()) for n, make in enumerate(DIFFERENT[what])]
    assert [len(group) for group in cohorts(runs)] == [1, 1]


def test_noise_that_models_share_is_the_same_only_where_it_is_called_so_in_both(make_data, settings, collect):
    """One Dropout object is the first of one model and the second of the other, whose masks have other keys."""
    start, middle, end = layers.Dense(6), layers.Dense(5), layers.Dense(1, activation="sigmoid")
    shared = layers.Dropout(0.5)
    few = compiled(keras.Sequential([keras.Input((6,)), start, middle, shared, end]))
    more = compiled(keras.Sequential([keras.Input((6,)), start, layers.Dropout(0.5), middle, shared, end]))
    runs = [Run("few", 0, few), Run("more", 0, more)]
    assert [len(group) for group in cohorts(runs)] == [1, 1]
    data = make_data()
    by_keras = collect(train_reference, runs, data, settings())
    for key, record in collect(train_fused, runs, data, settings()).items():
        assert_alike(record, by_keras[key], 2e-5)


def test_spatial_dropout_may_stand_between_a_convolution_and_its_pooling():
    runs = [Run("none", 0, image(None)), Run("spatial", 0, image(layers.SpatialDropout2D(0.3)))]
    assert [len(group) for group in cohorts(runs)] == [2]


def test_of_the_models_of_a_cohort_each_has_all_noise_that_the_next_has():
    """So that any part of it may train by itself: neither of a dropout and of normal noise elsewhere has the other."""
    runs = runs_of(dense, seeds=(0,), names=NOISE)
    for order in (runs, runs[::-1]):
        groups = [{order[place].variant for place in group} for group in cohorts(order)]
        assert sorted(map(len, groups)) == [1, 3]
        assert {"dropout", "normal"} not in (group & {"dropout", "normal"} for group in groups)
    crossed = [run for run in runs if run.variant in {"dropout", "normal"}]
    assert [len(group) for group in cohorts(crossed)] == [1, 1]


def test_every_part_of_a_cohort_trains_to_the_same(make_data, settings, collect):
    data, runs = make_data(), runs_of(dense)
    whole = collect(train_fused, runs, data, settings(), plan=plan_of(runs))
    for names in (("none", "dropout"), ("none", "both"), ("dropout", "both"), ("dropout",)):
        part = [run for run in runs if run.variant in names]
        for key, record in collect(train_fused, part, data, settings(), plan=plan_of(part)).items():
            assert_alike(record, whole[key], 2e-6)
        for key, record in collect(train_fused, part, data, settings(), plan=plan_of(runs)).items():
            assert_alike(record, whole[key], 2e-6)


@pytest.mark.parametrize("quitting", [("dropout", "both"), ("none",), ("none", "both")])
def test_who_stays_goes_on_as_in_the_whole_company(quitting, make_data, settings, collect):
    data, wanted = make_data(n=(53, 20, 0)), settings(epochs=4)
    rules = {name: StoppingRule(1, min_delta=1.0) if name in quitting else None for name in CHAIN}
    early = [replace(run, stopping=rules[run.variant]) for run in runs_of(dense)]
    joint = collect(train_fused, early, data, wanted, plan=plan_of(early))
    assert {key[0] for key, record in joint.items() if len(record.history["loss"]) < 4} == set(quitting)
    for run in early:
        alone = collect(train_fused, [run], data, wanted, plan=plan_of([run]))
        assert_alike(joint[run.variant, run.seed], alone[run.variant, run.seed], 5e-6)


def test_training_goes_on_where_those_with_noise_have_finished(make_data, settings, make_keeper):
    data, wanted = make_data(n=(53, 20, 0)), settings(epochs=4)
    models = {"noise": dense(layers.Dropout(0.3)), "none": dense()}
    stopping = {"noise": StoppingRule(1, min_delta=1.0), "none": None}
    runs = [Run(name, seed, models[name], stopping=stopping[name]) for seed in (0, 1) for name in models]
    keeper = make_keeper()
    train_fused(runs, data, wanted, keeper, plan=plan_of(runs), checkpoint_seconds=0.0)
    undisturbed = {(record.variant, record.seed): record for record in keeper.records}
    later = [one for one in keeper.states if one[2] == 2]
    assert later
    rest = [run for run in runs if run.variant == "none"]  # whoever goes on hands over what is not stored yet
    for chunk_id, state, _ in later[::2]:
        for given in (runs, rest):
            found = Collector()
            train_fused(given, data, wanted, found, plan=plan_of(runs), states={chunk_id: state})
            assert len(found.records) == 2
            for record in found.records:
                assert_alike(record, undisturbed[record.variant, record.seed], 0.0)


def test_the_plan_measures_one_cohort(make_data, settings):
    runs = runs_of(dense)
    plan = plan_fused(runs, make_data(), settings())
    assert {name for chunk in plan.chunks for name, _ in chunk.runs} == set(CHAIN)
    assert len({chunk.reason for chunk in plan.chunks}) == 1


def test_models_that_are_given_stay_as_they_are(make_data, settings, collect):
    runs = runs_of(dense)
    before = [(run.model.get_config(), [weight.copy() for weight in run.model.get_weights()]) for run in runs]
    collect(train_fused, runs, TrainingData(make_data().train, None, None), settings(), plan=plan_of(runs))
    for run, (config, weights) in zip(runs, before, strict=True):
        assert run.model.get_config() == config
        assert all(np.array_equal(a, b) for a, b in zip(run.model.get_weights(), weights, strict=True))
