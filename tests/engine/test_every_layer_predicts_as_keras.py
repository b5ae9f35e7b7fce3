# ruff: noqa: PLW0108  every test makes a layer of its own
"""The law of every layer: what the fused engine computes of K runs is what Keras computes of each, masked or not.

One table of all layers of `keras.layers`, noise at rate 0, each behind inputs without a mask, behind an embedding that
makes one, and behind `Masking`; in inference and in training.
"""

import inspect
import warnings

import keras
import numpy as np
import pytest
import torch
from keras import layers

from gengap.errors import SlowPathWarning
from gengap.keras_models.devices import computing_on
from gengap.layers.doors import PassContext
from gengap.layers.program import Program
from gengap.layers.stack import Stack

ops = keras.ops

SEQUENCES = {
    "Activation": lambda h: layers.Activation("swish")(h),
    "ActivityRegularization": lambda h: layers.ActivityRegularization(l2=0.1)(h),
    "AdaptiveAveragePooling1D": lambda h: layers.AdaptiveAveragePooling1D(2)(h),
    "AdaptiveMaxPooling1D": lambda h: layers.AdaptiveMaxPooling1D(2)(h),
    "Add": lambda h: layers.Add()([h, layers.Dense(4)(h)]),
    "AdditiveAttention": lambda h: layers.AdditiveAttention()([h, layers.Dense(4)(h)]),
    "AdditiveAttention, without a scale": lambda h: layers.AdditiveAttention(use_scale=False)([h, h]),
    "AlphaDropout": lambda h: layers.AlphaDropout(0.0)(h),
    "Attention": lambda h: layers.Attention(use_scale=True)([h, layers.Dense(4)(h)]),
    "Attention, plain": lambda h: layers.Attention()([h, h]),
    "Attention, causal": lambda h: layers.Attention()([h, layers.Dense(4)(h)], use_causal_mask=True),
    "Attention, of sums": lambda h: layers.Attention(use_scale=True, score_mode="concat")([h, layers.Dense(4)(h)]),
    "Average": lambda h: layers.Average()([h, layers.Dense(4)(h)]),
    "AveragePooling1D": lambda h: layers.AveragePooling1D(2)(h),
    "BatchNormalization": lambda h: layers.BatchNormalization()(h),
    "BatchNormalization, dressed": lambda h: layers.BatchNormalization(synchronized=False)(layers.Dense(3)(h)),
    "Bidirectional": lambda h: layers.Bidirectional(layers.GRU(3, return_sequences=True))(h),
    "Concatenate": lambda h: layers.Concatenate()([h, layers.Dense(2)(h)]),
    "Concatenate, in time": lambda h: layers.Concatenate(axis=1)([h, layers.Dense(4)(h)]),
    "Conv1D": lambda h: layers.Conv1D(3, 2, padding="causal")(h),
    "Conv1DTranspose": lambda h: layers.Conv1DTranspose(3, 2)(h),
    "Cropping1D": lambda h: layers.Cropping1D(1)(h),
    "Dense": lambda h: layers.Dense(3, activation="tanh")(h),
    "DepthwiseConv1D": lambda h: layers.DepthwiseConv1D(2)(h),
    "Dot": lambda h: layers.Dot(axes=2)([h, layers.Dense(4)(h)]),
    "Dropout": lambda h: layers.Dropout(0.0)(h),
    "ELU": lambda h: layers.ELU()(h),
    "EinsumDense": lambda h: layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d")(h),
    "Flatten": lambda h: layers.Flatten()(h),
    "GRU": lambda h: layers.GRU(3)(h),
    "GRU, going on": lambda h: layers.GRU(3, return_sequences=True, reset_after=False)(h),
    "GaussianDropout": lambda h: layers.GaussianDropout(0.0)(h),
    "GaussianNoise": lambda h: layers.GaussianNoise(0.0)(h),
    "GlobalAveragePooling1D": lambda h: layers.GlobalAveragePooling1D()(h),
    "GlobalMaxPooling1D": lambda h: layers.GlobalMaxPooling1D()(h),
    "GroupNormalization": lambda h: layers.GroupNormalization(2)(h),
    "GroupQueryAttention": lambda h: layers.GroupQueryAttention(3, 4, 2)(h, h),
    "GroupQueryAttention, causal": lambda h: layers.GroupQueryAttention(3, 2, 2)(h, h, use_causal_mask=True),
    "Identity": lambda h: layers.Identity()(h),
    "LSTM": lambda h: layers.LSTM(3)(h),
    "LSTM, going on": lambda h: layers.LSTM(3, return_sequences=True, go_backwards=True)(h),
    "Lambda": lambda h: layers.Lambda(lambda x: x * 2.0)(h),
    "Lambda, masked": lambda h: layers.GRU(3)(layers.Lambda(lambda x: x * 2.0, mask=lambda _, m: m)(h)),
    "LayerNormalization": lambda h: layers.LayerNormalization()(h),
    "LeakyReLU": lambda h: layers.LeakyReLU()(h),
    "Masking": lambda h: layers.LSTM(3)(layers.Masking()(layers.ReLU()(h))),
    "MaxPooling1D": lambda h: layers.MaxPooling1D(2)(h),
    "Maximum": lambda h: layers.Maximum()([h, layers.Dense(4)(h)]),
    "Minimum": lambda h: layers.Minimum()([h, layers.Dense(4)(h)]),
    "MultiHeadAttention": lambda h: layers.MultiHeadAttention(2, 3)(h, h),
    "MultiHeadAttention, causal": lambda h: layers.MultiHeadAttention(2, 3)(h, h, use_causal_mask=True),
    "MultiHeadAttention, of others": lambda h: layers.MultiHeadAttention(2, 3)(h, layers.Dense(4)(h)),
    "Multiply": lambda h: layers.Multiply()([h, layers.Dense(4)(h)]),
    "Normalization": lambda h: layers.Normalization(mean=0.5, variance=2.0)(h),
    "PReLU": lambda h: layers.PReLU()(h),
    "PReLU, one for all steps": lambda h: layers.PReLU(shared_axes=[1])(h),
    "Permute": lambda h: layers.Permute((2, 1))(h),
    "RMSNormalization": lambda h: layers.RMSNormalization()(h),
    "RNN": lambda h: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True)(h),
    "ReLU": lambda h: layers.ReLU(max_value=1.0)(h),
    "RepeatVector": lambda h: layers.RepeatVector(3)(layers.GlobalMaxPooling1D()(h)),
    "Rescaling": lambda h: layers.Rescaling(2.0, 1.0)(h),
    "Reshape": lambda h: layers.Reshape((4, 5))(h),
    "SeparableConv1D": lambda h: layers.SeparableConv1D(3, 2)(h),
    "SimpleRNN": lambda h: layers.SimpleRNN(3)(h),
    "Softmax": lambda h: layers.Softmax(axis=1)(ops.relu(h)),  # Keras refuses a mask of two axes here
    "SpatialDropout1D": lambda h: layers.SpatialDropout1D(0.0)(h),
    "SpectralNormalization": lambda h: layers.SpectralNormalization(layers.Dense(3))(h),
    "StackedRNNCells": lambda h: layers.RNN(layers.StackedRNNCells([layers.SimpleRNNCell(3)]))(h),
    "Subtract": lambda h: layers.Subtract()([h, layers.Dense(4)(h)]),
    "TimeDistributed": lambda h: layers.TimeDistributed(layers.Dense(3))(h),
    "TimeDistributed, normalized": lambda h: layers.TimeDistributed(layers.BatchNormalization())(h),
    "TimeDistributed, windows": lambda h: layers.TimeDistributed(layers.Conv1D(2, 2))(layers.Reshape((5, 2, 2))(h)),
    "TimeDistributed, of sequences": lambda h: layers.TimeDistributed(layers.GRU(2))(layers.Reshape((5, 2, 2))(h)),
    "UnitNormalization": lambda h: layers.UnitNormalization()(h),
    "UpSampling1D": lambda h: layers.UpSampling1D(2)(h),
    "ZeroPadding1D": lambda h: layers.ZeroPadding1D(1)(h),
    "a layer of one's own": lambda h: Block()(h),
    "a layer of one's own with masks": lambda h: layers.GRU(3)(Doubled()(h)),
    "a nested model": lambda h: nested(h)(h),
    "a nested functional model": lambda h: nested_attention(h)(h),
    "two in a row": lambda h: layers.MultiHeadAttention(2, 3)(*[layers.MultiHeadAttention(2, 3)(h, h)] * 2),
    "residual": lambda h: layers.GRU(3)(layers.LayerNormalization()(layers.MultiHeadAttention(1, 2)(h, h) + h)),
    "parts": lambda h: layers.Concatenate(axis=2)([h[:, 1:, :2], h[:, :-1, -1:], ops.repeat(h[:, None, 2], 4, axis=1)]),
    "parts of few": lambda h: ops.concatenate([h[:, ..., 0], h[:, 2]], axis=1),
    "operations": lambda h: layers.GRU(3)(ops.relu(h) * 2.0 + ops.mean(h, axis=1, keepdims=True)),
    "a cast that keeps the mask": lambda h: layers.MultiHeadAttention(1, 2)(*[ops.cast(h, "float32")] * 2),
}
"""What is made of a sequence `(batch, 5, 4)`, by the name of its layer."""

IMAGES = {
    "AdaptiveAveragePooling2D": lambda: layers.AdaptiveAveragePooling2D(2),
    "AdaptiveMaxPooling2D": lambda: layers.AdaptiveMaxPooling2D(2),
    "AveragePooling2D": lambda: layers.AveragePooling2D(2),
    "CenterCrop": lambda: layers.CenterCrop(4, 4),
    "Conv2D": lambda: layers.Conv2D(3, 2),
    "Conv2DTranspose": lambda: layers.Conv2DTranspose(3, 2),
    "Conv2DTranspose, dressed": lambda: layers.Conv2DTranspose(
        3, 3, strides=2, padding="same", activation="relu", use_bias=False
    ),
    "Conv2DTranspose, channels first": lambda: layers.Conv2DTranspose(
        3, 2, strides=(2, 1), output_padding=(1, 0), data_format="channels_first"
    ),
    "Cropping2D": lambda: layers.Cropping2D(1),
    "DepthwiseConv2D": lambda: layers.DepthwiseConv2D(2),
    "GlobalAveragePooling2D": lambda: layers.GlobalAveragePooling2D(),
    "GlobalMaxPooling2D": lambda: layers.GlobalMaxPooling2D(),
    "MaxPooling2D": lambda: layers.MaxPooling2D(2),
    "Resizing": lambda: layers.Resizing(4, 5),
    "SeparableConv2D": lambda: layers.SeparableConv2D(3, 2),
    "SpatialDropout2D": lambda: layers.SpatialDropout2D(0.0),
    "UpSampling2D": lambda: layers.UpSampling2D(2),
    "ZeroPadding2D": lambda: layers.ZeroPadding2D(1),
}
"""Layers of images `(batch, 6, 6, 3)`."""

VOLUMES = {
    "AdaptiveAveragePooling3D": lambda: layers.AdaptiveAveragePooling3D(2),
    "AdaptiveMaxPooling3D": lambda: layers.AdaptiveMaxPooling3D(2),
    "AveragePooling3D": lambda: layers.AveragePooling3D(2),
    "Conv3D": lambda: layers.Conv3D(3, 2),
    "Conv3DTranspose": lambda: layers.Conv3DTranspose(3, 2),
    "ConvLSTM2D": lambda: layers.ConvLSTM2D(2, 2),
    "Cropping3D": lambda: layers.Cropping3D(1),
    "GlobalAveragePooling3D": lambda: layers.GlobalAveragePooling3D(),
    "GlobalMaxPooling3D": lambda: layers.GlobalMaxPooling3D(),
    "MaxPooling3D": lambda: layers.MaxPooling3D(2),
    "SpatialDropout3D": lambda: layers.SpatialDropout3D(0.0),
    "UpSampling3D": lambda: layers.UpSampling3D(2),
    "ZeroPadding3D": lambda: layers.ZeroPadding3D(1),
}
"""Layers of volumes `(batch, 4, 4, 4, 2)`."""

ELSEWHERE = {
    "Embedding": "it makes the masks of all sequences here",
    "InputLayer": "every model begins with it",
    "Layer": "it does nothing",
    "GroupedQueryAttention": "the class behind the public name GroupQueryAttention",
    "Wrapper": "it is a base class",
    "LSTMCell": "inside RNN",
    "GRUCell": "inside RNN",
    "SimpleRNNCell": "inside StackedRNNCells",
    "ConvLSTM1D": "ConvLSTM2D with one axis less",
    "ConvLSTM3D": "ConvLSTM2D with one axis more",
    "ReversibleEmbedding": "an Embedding that also computes backwards; in the test of word numbers",
    **dict.fromkeys(("CategoryEncoding", "Discretization"), "in the test of word numbers"),
    **dict.fromkeys(("Hashing", "HashedCrossing", "IntegerLookup", "StringLookup", "TextVectorization"), "TensorFlow"),
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer"), "it needs another backend"),
    "TorchModuleWrapper": "such models take Keras' own loop",
    "Pipeline": "it holds layers that are covered one by one",
    "MaxNumBoundingBoxes": "of bounding boxes",
    **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), "of waves; in the test of what a pipeline begins with"),
    **dict.fromkeys(("AugMix", "AutoContrast", "CutMix", "MixUp", "RandAugment"), "augmentation: noise"),
    **dict.fromkeys(("ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "Solarization"), "augmentation"),
}  # fmt: skip
"""Layers that no table has, and why."""


@keras.saving.register_keras_serializable("every_layer")
class Block(layers.Layer):
    """A transformer block as one writes it: its attention reads the mask on the tensor that the block was given."""

    def __init__(self, **given):
        super().__init__(**given)
        self.attention, self.norm = layers.MultiHeadAttention(2, 3), layers.LayerNormalization()
        self.supports_masking = True

    def build(self, shape):
        self.attention.build(shape, shape)
        self.norm.build(shape)

    def call(self, x):
        return self.norm(x + self.attention(x, x))


@keras.saving.register_keras_serializable("every_layer")
class Doubled(layers.Layer):
    """Keeps every second step, and the mask of it; it has no weights."""

    def call(self, x, mask=None):
        x = x if mask is None else x * ops.cast(mask, x.dtype)[..., None]
        return x[:, ::2]

    def compute_mask(self, inputs, previous_mask):
        return None if previous_mask is None else previous_mask[:, ::2]


def nested(h):
    return keras.Sequential([keras.Input(h.shape[1:]), layers.GRU(3, return_sequences=True), layers.Dense(2)])


def nested_attention(h):
    x = keras.Input(h.shape[1:])
    return keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x))


def numbers():
    """Word numbers whose sequences end in zeros, but one that is all there."""
    x = np.random.default_rng(0).integers(1, 9, (6, 5)).astype("int32")
    for row, length in enumerate((5, 3, 4, 1, 2, 5)):
        x[row, length:] = 0
    return x


def begin(front):
    """Return an input, the sequence behind it, and data for it."""
    if front == "embedding":
        x = keras.Input((5,), dtype="int32")
        return x, layers.Embedding(9, 4, mask_zero=True)(x), numbers()
    x, data = keras.Input((5, 4)), np.random.default_rng(0).normal(size=(6, 5, 4)).astype("float32")
    if front == "masking":
        data[numbers() == 0] = 0.0
        return x, layers.Masking()(x), data
    return x, x, data


def end(h):
    for tensor in keras.tree.flatten(h)[:1]:
        h = layers.Flatten()(tensor) if len(tensor.shape) > 3 else tensor
    h = layers.GlobalAveragePooling1D()(h) if len(h.shape) == 3 else h
    return layers.Dense(1)(h)


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""These laws hold on a card, where there is one."""


def check(model, x):
    """Two runs of other weights, and one gone wild, are each run by itself, in inference and in training."""
    with computing_on(DEVICE):
        check_there(model, x)


def check_there(model, x):
    rng = np.random.default_rng(1)
    own = [np.array(value) for value in model.get_weights()]
    other = [v + 0.1 * np.abs(rng.normal(size=v.shape)).astype(v.dtype) if v.dtype.kind == "f" else v for v in own]
    wanted = []
    for weights in (own, other):
        model.set_weights(weights)
        with torch.no_grad():
            wanted.append([keras.ops.convert_to_numpy(model(x, training=mode)) for mode in (False, True)])
    wild = [v * 1e6 if v.dtype.kind == "f" else v for v in own]
    program = Program([model] * 3, [0, 1, 2], Stack(model, [own, other, wild], device=DEVICE))
    tensor = torch.from_numpy(x).to(DEVICE)
    for position, training in enumerate((False, True)):
        with torch.no_grad():
            found = program([tensor.expand(3, *tensor.shape)], PassContext(training=training)).cpu().numpy()
        for k in range(2):
            np.testing.assert_allclose(found[k], wanted[k][position], atol=2e-6, rtol=2e-5)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowPathWarning)
        warnings.filterwarnings("ignore", message=".*was passed an input with a mask attached to it")
        warnings.filterwarnings(
            "ignore", message=".*RNN module weights are not part of single"
        )  # Keras' own, on a card
        yield


def fronts():
    """Every layer without a mask and with one, made by an embedding or by `Masking` in turn; the rest is slow."""
    for place, name in enumerate(SEQUENCES):
        for turn, front in enumerate(("embedding", "masking", "plain")):
            waits = turn == place % 2
            yield pytest.param(name, front, marks=pytest.mark.slow if waits else (), id=f"{name}-{front}")


@pytest.mark.parametrize(("name", "front"), list(fronts()))
def test_layers_of_sequences(name, front):
    start, h, x = begin(front)
    check(keras.Model(start, end(SEQUENCES[name](h))), x)


@pytest.mark.parametrize("name", [*IMAGES, *VOLUMES])
def test_layers_of_images_and_volumes(name):
    shape = (6, 6, 3) if name in IMAGES else (4, 4, 4, 2)
    layer = (IMAGES | VOLUMES)[name]()
    x = np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")
    check(keras.Sequential([keras.Input(shape), layer, layers.Flatten(), layers.Dense(1)]), x)


@pytest.mark.parametrize("name", [name for name in dir(layers) if name.startswith("Random")])
def test_augmentation_is_off_in_inference(name):
    given = {"RandomCrop": (6, 6), "RandomRotation": (0.1,), "RandomTranslation": (0.1, 0.1), "RandomZoom": (0.1,)}
    given |= {"RandomBrightness": (0.1,), "RandomContrast": (0.1,), "RandomColorDegeneration": (0.1,)}
    given |= dict.fromkeys(("RandomHue", "RandomSaturation", "RandomSharpness"), (0.1,))
    given["RandomPosterization"] = (4,)
    layer = getattr(layers, name)(*given.get(name, ()))
    model = keras.Sequential([keras.Input((6, 6, 3)), layer, layers.Flatten(), layers.Dense(1)])
    x = torch.rand(4, 6, 6, 3, device=DEVICE)
    weights = [np.array(value) for value in model.get_weights()]
    program = Program([model, model], [0, 1], Stack(model, [weights, weights], device=DEVICE))
    found = program([x.expand(2, *x.shape)], PassContext(training=False))
    for one in found:
        torch.testing.assert_close(one, model(x, training=False))


@pytest.mark.parametrize(
    "layer",
    [
        layers.CategoryEncoding(9, output_mode="multi_hot"),
        layers.Discretization([2.5, 5.5], output_mode="one_hot"),
        layers.ReversibleEmbedding(9, 4, mask_zero=True),
        layers.Embedding(9, 4, mask_zero=True),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_of_word_numbers(layer):
    start = keras.Input((5,), dtype="int32")
    h = layer(start)
    h = layers.Attention()([h, h]) if len(h.shape) == 3 else layers.Rescaling(1.0)(h)
    check(keras.Model(start, end(h)), numbers())


@pytest.mark.parametrize("name", ["STFTSpectrogram", "MelSpectrogram"])
def test_what_a_pipeline_begins_with(name):
    given = {"frame_length": 16, "frame_step": 8, "fft_length": 16} if name.startswith("STFT") else {"num_mel_bins": 4}
    layer = getattr(layers, name)(**given)
    start = keras.Input((4096,) if name.startswith("Mel") else (64, 1))
    x = np.random.default_rng(0).normal(size=(3, *start.shape[1:])).astype("float32")
    check(keras.Model(start, layers.Dense(1)(layers.Flatten()(layer(start)))), x)


def test_the_tables_hold_every_layer():
    classes = [cls for cls in vars(layers).values() if inspect.isclass(cls) and issubclass(cls, layers.Layer)]
    known = {"GroupQueryAttention", *(cls.__name__ for cls in classes)}
    covered = {name.split(",")[0] for name in (*SEQUENCES, *IMAGES, *VOLUMES, *ELSEWHERE)}
    assert {name for name in known - covered if not name.startswith("Random")} == set()
    assert set(ELSEWHERE) <= known
