"""The laws that every remedy obeys on every model, the zoo, and the exemptions with their reasons.

One table: `tests/remedies/test_laws.py` runs it as tests, `scripts/law_matrix.py` prints it as it ran.
"""

import functools
import json
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import torch

import gengap.remedies as gr
from gengap.errors import RemedyError, SlowPathWarning
from gengap.keras_models.fusable import why_not_fused
from gengap.keras_models.heads import flat_inputs
from gengap.keras_models.layer_rates import plain_class
from gengap.layers.doors import PassContext
from gengap.layers.program import Program
from gengap.layers.stack import Stack

layers = keras.layers
RNG = np.random.default_rng(7)


class ExemptError(Exception):
    """A law does not apply, for this reason."""


# --- the zoo: each gives a compiled model and data (x, y)


def _data(shape, y, n=12):
    return RNG.normal(size=(n, *shape)).astype("float32"), y(n)


def _binary(n):
    return RNG.integers(0, 2, (n, 1)).astype("float32")


def review_net():
    model = keras.Sequential(
        [keras.Input((20,)), layers.Dense(8, activation="relu"), layers.Dense(8, activation="relu")]
    )
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return model, *_data((20,), _binary)


def storm_cnn():
    x = start = keras.Input((8, 8, 3))
    for filters in (4, 8):
        x = layers.Conv2D(filters, 5, padding="same", kernel_regularizer=keras.regularizers.L2(1e-3))(x)
        x = layers.Activation("relu")(x)
        x = layers.AveragePooling2D(2)(x)
    x = layers.Dense(1, kernel_regularizer=keras.regularizers.L2(1e-3))(layers.Flatten()(x))
    model = keras.Model(start, layers.Activation("sigmoid")(x))
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy())
    return model, *_data((8, 8, 3), _binary)


def soundings_cnn():
    model = keras.Sequential([keras.Input((16, 5))])
    for filters in (4, 6):
        model.add(layers.Conv1D(filters, 5, padding="same", activation="relu"))
        model.add(layers.MaxPooling1D(2))
    model.add(layers.Dropout(0.1))
    model.add(layers.Flatten())
    model.add(layers.Dense(3))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, *_data((16, 5), lambda n: RNG.integers(0, 3, n))


def regression_mlp():
    x = start = keras.Input((6,))
    for units in (8, 8):
        x = layers.BatchNormalization()(layers.Dense(units, use_bias=False)(x))
        x = keras.ops.gelu(x)
    model = keras.Model(start, layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    return model, *_data((6,), lambda n: RNG.normal(size=(n, 1)))


def nested():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="relu"), layers.Dense(8)], name="inner")
    x = start = keras.Input((6,))
    x = layers.Dense(8, activation="tanh")(x)
    x = keras.ops.relu(layers.Add()([inner(x), x]))
    model = keras.Model(start, layers.Dense(1, activation="sigmoid")(x))
    model.compile(keras.optimizers.AdamW(1e-3), "binary_crossentropy")
    return model, *_data((6,), _binary)


def shared():
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    encoder, relu = layers.Dense(8), layers.ReLU()
    both = layers.Concatenate()([relu(encoder(left)), relu(encoder(right))])
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(both))
    model.compile("adam", "binary_crossentropy")
    x, y = _data((6,), _binary)
    return model, [x, x[::-1]], y


def two_in_two_out():
    image, table = keras.Input((8, 8, 2), name="image"), keras.Input((4,), name="table")
    a = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(image))
    b = layers.Dense(6, activation="relu")(table)
    both = layers.Dense(8, activation="relu")(layers.Concatenate()([a, b]))
    outputs = {"p": layers.Dense(1, activation="sigmoid", name="p")(both), "t": layers.Dense(1, name="t")(both)}
    model = keras.Model({"image": image, "table": table}, outputs)
    model.compile("adam", {"p": "binary_crossentropy", "t": "mse"}, loss_weights={"p": 1.0, "t": 0.1})
    x = {"image": _data((8, 8, 2), _binary)[0], "table": _data((4,), _binary)[0]}
    return model, x, {"p": _binary(12), "t": RNG.normal(size=(12, 1))}


def pretrained_and_frozen():
    parts = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.GlobalMaxPooling2D()]
    backbone = keras.Sequential([keras.Input((8, 8, 3)), *parts], name="backbone")
    backbone.trainable = False
    x = start = keras.Input((8, 8, 3))
    x = layers.Dense(8, activation="relu")(backbone(x))
    model = keras.Model(start, layers.Dense(4, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model, *_data((8, 8, 3), lambda n: RNG.integers(0, 4, n))


def mixed_precision():
    x = start = keras.Input((6,))
    for _ in range(2):
        x = layers.Dense(8, activation="relu", dtype="mixed_bfloat16")(x)
    model = keras.Model(start, layers.Dense(1, activation="sigmoid", dtype="float32")(x))
    model.compile("adam", "binary_crossentropy")
    return model, *_data((6,), _binary)


def recurrent():
    start = keras.Input((4,), dtype="int32")
    x = layers.Embedding(11, 6, mask_zero=True)(start)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.GRU(4)(x)
    model = keras.Model(start, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy")
    return model, RNG.integers(0, 11, (12, 4)), _binary(12)


def masked_sequential():
    """The most common model of texts: its masks are operations between its layers, which `add` refuses."""
    parts = [layers.Embedding(11, 6, mask_zero=True), layers.LSTM(4, return_sequences=True), layers.LSTM(4)]
    model = keras.Sequential([keras.Input((4,), dtype="int32"), *parts, layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model, RNG.integers(0, 11, (12, 4)), _binary(12)


class Scale(layers.Layer):
    """A custom layer with weights of one axis and a `get_config` of its own."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer=keras.initializers.Constant(self.start))

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return {**super().get_config(), "start": self.start}


keras.saving.register_keras_serializable("laws")(Scale)


def custom_layer():
    parts = [layers.Dense(8, activation="relu"), Scale(0.5), layers.Dense(8), layers.LeakyReLU(), layers.Dense(1)]
    model = keras.Sequential([keras.Input((6,)), *parts])
    model.compile("adam", "mse")
    return model, *_data((6,), lambda n: RNG.normal(size=(n, 1)))


def _application(make, size=32):
    keras.utils.set_random_seed(1)
    model = make(size)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model, *_data((size, size, 3), lambda n: RNG.integers(0, 3, n), n=4)


def resnet():
    """ResNet v2 of keras.applications with two blocks a stack."""
    from keras.src.applications import resnet as source

    def stacks(x):
        x = source.stack_residual_blocks_v2(x, 4, 2, name="conv2")
        return source.stack_residual_blocks_v2(x, 8, 2, stride1=1, name="conv3")

    return _application(
        lambda size: source.ResNet(stacks, True, True, weights=None, input_shape=(size, size, 3), classes=3)
    )


def densenet():
    from keras.src.applications.densenet import DenseNet

    return _application(lambda size: DenseNet([1, 2, 1, 1], weights=None, input_shape=(size, size, 3), classes=3))


def mobilenet():
    make = functools.partial(keras.applications.MobileNet, alpha=0.25, weights=None, classes=3)
    return _application(lambda size: make(input_shape=(size, size, 3)))


ZOO = {
    f.__name__: f
    for f in (
        review_net, storm_cnn, soundings_cnn, regression_mlp, nested, shared, two_in_two_out, pretrained_and_frozen,
        mixed_precision, recurrent, masked_sequential,
        custom_layer, resnet, densenet, mobilenet,
    )
}  # fmt: skip
LARGE = frozenset({"resnet", "densenet", "mobilenet"})

# --- the remedies: how each is given, and at which strength it must do nothing

TREATMENTS = {
    "width": (gr.Width(0.5), gr.Width(1)),
    "depth": (gr.Depth(1), gr.Depth(0)),
    "shallower": (gr.Depth(-1), None),
    "freeze": (gr.Freeze(), None),
    "thaw": (gr.Thaw(), None),
    "learning_rate": (gr.LearningRate(0.1), gr.LearningRate(1)),
    "layer_rate": (gr.LearningRate(0.1, on="hidden"), gr.LearningRate(1, on="hidden")),
    "l1": (gr.L1(1e-3), gr.L1(0)),
    "l2": (gr.L2(1e-3), gr.L2(0)),
    "l1l2": (gr.L1L2(1e-3, 1e-3), gr.L1L2(0, 0)),
    "weight_decay": (gr.WeightDecay(0.01), gr.WeightDecay(0)),
    "max_norm": (gr.MaxNorm(0.5), None),
    "dropout": (gr.Dropout(0.5), gr.Dropout(0)),
    "spatial_dropout": (gr.SpatialDropout(0.2), gr.SpatialDropout(0)),
    "gaussian_dropout": (gr.GaussianDropout(0.3), gr.GaussianDropout(0)),
    "gaussian_noise": (gr.GaussianNoise(0.1), gr.GaussianNoise(0)),
    "label_smoothing": (gr.LabelSmoothing(0.1), gr.LabelSmoothing(0)),
    "batch_norm": (gr.BatchNorm(), None),
    "ema": (gr.EMA(0.9), gr.EMA(0)),
    "augment": (gr.Augment(layers.GaussianNoise(0.1)), gr.Augment(layers.GaussianNoise(0.0))),
    "dropout+l2": (gr.Dropout(0.5) + gr.L2(1e-3), gr.Dropout(0) + gr.L2(0)),
}

FLAT = "its hidden layers have flat outputs: there are no maps to drop"
NO_LABELS = "its loss has no labels to smooth"
SEQUENCE = "its last hidden layer turns a sequence into a vector: it can neither be repeated nor left out"
NOTHING_FROZEN = "nothing in it is frozen"
EXEMPT = {
    **{(name, "thaw"): NOTHING_FROZEN for name in ZOO if name != "pretrained_and_frozen"},
    **{(name, "spatial_dropout"): FLAT for name in ("review_net", "regression_mlp", "nested", "shared")},
    **{(name, "spatial_dropout"): FLAT for name in ("pretrained_and_frozen", "mixed_precision", "custom_layer")},
    **{(name, "label_smoothing"): NO_LABELS for name in ("regression_mlp", "custom_layer")},
    ("two_in_two_out", "augment"): "it has two inputs: one must be named",
    ("shared", "augment"): "it has two inputs: one must be named",
    ("mobilenet", "batch_norm"): "its hidden layers are normalized already",
    ("resnet", "shallower"): "its last hidden layer ends a residual branch whose sum needs as many channels",
    ("regression_mlp", "batch_norm"): "its hidden layers are normalized already",
    **{(name, "depth"): SEQUENCE for name in ("recurrent", "masked_sequential")},
    **{(name, "shallower"): SEQUENCE for name in ("recurrent", "masked_sequential")},
    **{
        (name, "augment"): "its inputs are word numbers, to which noise cannot be added"
        for name in ("recurrent", "masked_sequential")
    },
}
"""Model and remedy that do not go together, with the reason that the remedy's own error gives."""


# --- the laws


class Case:
    """One model of the zoo under one remedy: fitted, treated, and the treated clone fitted in turn.

    Raises ExemptError where the two do not go together, and AssertionError where they were said not to but do.
    """

    def __init__(self, name, treatment):
        self.name = name
        self.remedy, self.zero = TREATMENTS[treatment]
        self.model, self.x, self.y = ZOO[name]()
        self.model.fit(self.x, self.y, verbose=0)
        self.before = state(self.model), self.model.get_config(), self.model.get_compile_config()
        if (name, treatment) in EXEMPT:
            try:
                self.remedy(self.model)
            except RemedyError:
                raise ExemptError(EXEMPT[name, treatment]) from None
            raise AssertionError("the exemption is out of date: the remedy works")
        self.result = self.remedy(self.model)
        self.start = self.result.get_weights()
        self.optimizer_steps = int(self.result.optimizer.iterations)
        self.history = self.result.fit(self.x, self.y, epochs=2, verbose=0).history


def state(model):
    return [np.array(v) for v in (*model.get_weights(), *model.optimizer.variables)]


def outputs(model, x):
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, x)
    return [keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in keras.tree.flatten(model(tensors))]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def as_json(configuration):
    """A configuration as a file holds it: tuples are lists."""
    return json.loads(json.dumps(configuration, default=str))


def untouched(case):
    """The original keeps its weights, optimizer state, configuration and what compile was told."""
    weights, config, compiled = case.before
    assert_same(weights, state(case.model))
    assert case.model.get_config() == config
    assert case.model.get_compile_config() == compiled


def trains(case):
    """The result is compiled with an optimizer of the same class in its first state, and training changes it."""
    assert plain_class(case.result.optimizer) is plain_class(case.model.optimizer)
    assert case.optimizer_steps == 0
    assert np.isfinite(case.history["loss"]).all()
    assert any(not np.array_equal(a, b) for a, b in zip(case.start, case.result.get_weights(), strict=True))


def saves(case):
    """The result saves as `.keras` and loads back with equal weights, optimizer, compilation and predictions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        case.result.save(path)
        loaded = keras.models.load_model(path)
    assert_same(state(case.result), state(loaded))
    assert_same(outputs(case.result, case.x), outputs(loaded, case.x))
    assert as_json(loaded.get_compile_config()) == as_json(case.result.get_compile_config())


def config(case):
    """`from_config(get_config())` has an equal configuration."""
    if not _round_trips(case.model):
        raise ExemptError("Keras forgets the `trainable` of a nested Sequential, in the original too")
    assert _round_trips(case.result)


def _round_trips(model):
    return as_json(type(model).from_config(model.get_config()).get_config()) == as_json(model.get_config())


def zero(case):
    """At strength 0 the result is the original: equal layers, compilation, weights and predictions."""
    if case.zero is None:
        raise ExemptError("it has no strength that could be 0")
    result = case.zero(case.model)
    assert result.get_compile_config() == case.model.get_compile_config()
    if any(isinstance(part, gr.Augment) for part in case.zero.parts()):
        assert len(result.layers) == len(case.model.layers) + 1, "a layer that is asked for is there at any strength"
    else:
        assert [layer.name for layer in result.layers] == [layer.name for layer in case.model.layers]
    assert_same(case.model.get_weights(), result.get_weights())
    assert_same(outputs(case.model, case.x), outputs(result, case.x))


def shapes(case):
    """Inputs and outputs keep their shapes, their order and their structure."""
    for one, other in ((case.model.outputs, case.result.outputs), (case.model.inputs, case.result.inputs)):
        assert [tensor.shape for tensor in one] == [tensor.shape for tensor in other]
    if not isinstance(case.model, keras.Sequential):
        keras.tree.assert_same_structure(case.model.output, case.result.output)


def carried(case):
    """Every weight whose layer and shape stayed begins with the original's value; frozen ones stay frozen."""
    new = {_path(w): (w, value) for w, value in zip(case.result.weights, case.start, strict=True)}
    old = {_path(w): (w, np.array(w)) for w in case.model.weights}
    same = [path for path in old if path in new and old[path][0].shape == new[path][0].shape]
    assert same, "no weight was carried"
    for path in same:
        np.testing.assert_array_equal(old[path][1], new[path][1])
        if not any(isinstance(part, gr.Freeze | gr.Thaw) for part in case.remedy.parts()):
            assert old[path][0].trainable == new[path][0].trainable


def _path(variable):
    return variable.path.split("/", 1)[-1] if variable.path.count("/") > 1 else variable.path


def explained(case):
    """The explanation says something of every part, and the name reads back."""
    explanation = case.remedy.explain(case.model)
    assert {str(part) for part in case.remedy.parts()} == {change.remedy for change in explanation.changes}
    assert gr.remedy(str(case.remedy)) == case.remedy


def fused(case):
    """The fused engine takes every step through join or fuse that it did not already loop in the original."""
    if why_not_fused(case.model):
        raise ExemptError(f"the engine trains the original by Keras' own loop: {why_not_fused(case.model)}")
    assert why_not_fused(case.result) is None
    before, after = looped(case.model, case.x), looped(case.result, case.x)
    if str(case.remedy) == "batch_norm()" and case.name in {"recurrent", "masked_sequential"}:
        assert after - before == {"BatchNormalization"}, "the exemption is out of date"
        raise ExemptError("the engine loops batch normalization of masked sequences")
    assert not after - before, f"looped: {after - before}"


def looped(model, x):
    """Classes of the operations that the engine runs one model at a time."""
    arrays = [np.stack([np.asarray(value)] * 2) for value in flat_inputs(model, x)]
    weights = [np.array(value) for value in model.get_weights()]
    program = Program([model, model], [0, 1], Stack(model, [weights, weights]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowPathWarning)
        program([torch.from_numpy(value) for value in arrays], PassContext(training=True))
    steps = {step.index: type(step.operation).__name__ for step in program.graph.steps}
    return {steps[index] for index, door in program.doors.items() if door == "loop"}


LAWS = (untouched, trains, saves, config, zero, shapes, carried, explained, fused)


def verdicts(name, treatment):
    """Run all laws on one pair: law -> "" where it holds, or the reason of its exemption."""
    try:
        case = Case(name, treatment)
    except ExemptError as reason:
        return {law.__name__: str(reason) for law in LAWS}
    found = {}
    for law in LAWS:
        try:
            law(case)
            found[law.__name__] = ""
        except ExemptError as reason:
            found[law.__name__] = str(reason)
        except AssertionError as error:
            raise AssertionError(f"{law.__name__}: {error}") from error
    return found
