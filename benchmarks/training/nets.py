"""The nets that are raced, in Keras for every backend and once more in plain torch. Imports nothing of gengap."""

from collections.abc import Callable
from typing import Any


def review_net(units: int, *, l1: float = 0.0, l2: float = 0.0, dropout: float = 0.0) -> Callable[[int], Any]:
    """Return the builder of a net of the review tutorial, given the number of words."""

    def build(num_words: int) -> Any:
        import keras

        model = keras.Sequential([keras.Input((num_words,))])
        for _ in range(2):
            regularizer = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None
            model.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=regularizer))
            if dropout:
                model.add(keras.layers.Dropout(dropout))
        model.add(keras.layers.Dense(1, activation="sigmoid", dtype="float32"))
        model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
        return model

    return build


def storm_net(filters: tuple[int, ...], *, l2: float = 0.0, dropout: float = 0.0) -> Callable[[int], Any]:
    """Return the builder of a net of the storm course."""

    def build(_: int) -> Any:
        import keras

        def penalty() -> Any:
            return keras.regularizers.L2(l2) if l2 else None

        x = inputs = keras.Input((32, 32, 3))
        for count in filters:
            x = keras.layers.Conv2D(count, 5, padding="same", kernel_regularizer=penalty())(x)
            x = keras.layers.Activation("relu")(x)
            x = keras.layers.SpatialDropout2D(dropout)(x) if dropout else x
            x = keras.layers.AveragePooling2D(2)(x)
        x = keras.layers.Flatten()(x)
        outputs = keras.layers.Dense(1, activation="sigmoid", kernel_regularizer=penalty(), dtype="float32")(x)
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
        return model

    return build


def sounding_net(
    *, l2: float = 0.0, spatial: float = 0.0, dropout: float = 0.0, width: float = 1.0
) -> Callable[[int], Any]:
    """Return the builder of a variant of the soundings demo."""

    def build(_: int) -> Any:
        import keras

        layers, model = keras.layers, keras.Sequential([keras.Input((32, 5))])
        for count in (16, 32, 64):
            regularizer = keras.regularizers.L2(l2) if l2 else None
            units = max(1, round(count * width))
            model.add(layers.Conv1D(units, 5, padding="same", activation="relu", kernel_regularizer=regularizer))
            if spatial:
                model.add(layers.SpatialDropout1D(spatial))
            model.add(layers.AveragePooling1D(2))
        model.add(layers.Flatten())
        hidden = max(1, round(32 * width))
        regularizer = keras.regularizers.L2(l2) if l2 else None
        model.add(layers.Dense(hidden, activation="relu", kernel_regularizer=regularizer))
        if dropout:
            model.add(layers.Dropout(dropout))
        model.add(layers.Dense(1, activation="sigmoid", dtype="float32"))
        model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
        return model

    return build


def word_net(body: Callable[[Any], Any], *, words: int = 5_000) -> Callable[[int], Any]:
    """Return the builder of a classifier of word sequences: an embedding of 32 numbers, `body`, one probability."""

    def build(num_steps: int) -> Any:
        import keras

        inputs = keras.Input((num_steps,), dtype="int32")
        x = body(keras.layers.Embedding(words, 32)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", dtype="float32")(x))
        model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
        return model

    return build


def _lstm(x: Any) -> Any:
    import keras

    return keras.layers.LSTM(32)(x)


def _bigru(x: Any) -> Any:
    import keras

    return keras.layers.Dropout(0.3)(keras.layers.Bidirectional(keras.layers.GRU(16))(x))


def _attention(x: Any) -> Any:
    import keras

    attended = keras.layers.MultiHeadAttention(2, 16)(x, x)
    x = keras.layers.LayerNormalization()(keras.layers.Add()([x, attended]))
    return keras.layers.GlobalAveragePooling1D()(x)


def _transformer(x: Any) -> Any:
    import keras

    class TransformerBlock(keras.layers.Layer):
        """The block of Keras' example "Text classification with Transformer", as its users write it."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.att = keras.layers.MultiHeadAttention(2, 16)
            self.ffn = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(32)])
            self.layernorm1 = keras.layers.LayerNormalization(epsilon=1e-6)
            self.layernorm2 = keras.layers.LayerNormalization(epsilon=1e-6)
            self.dropout1 = keras.layers.Dropout(0.1)
            self.dropout2 = keras.layers.Dropout(0.1)

        def build(self, shape: Any) -> None:
            self.att.build(shape, shape)
            for part in (self.ffn, self.layernorm1, self.layernorm2, self.dropout1, self.dropout2):
                part.build(shape)

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            attended = self.dropout1(self.att(inputs, inputs), training=training)
            first = self.layernorm1(inputs + attended)
            return self.layernorm2(first + self.dropout2(self.ffn(first), training=training))

    x = keras.layers.GlobalAveragePooling1D()(TransformerBlock()(x))
    x = keras.layers.Dense(20, activation="relu")(keras.layers.Dropout(0.1)(x))
    return keras.layers.Dropout(0.1)(x)


def residual_net(_: int) -> Any:
    """Return a small residual net for pictures: three stages of one block each."""
    import keras

    layers = keras.layers

    def convolve(x: Any, filters: int, size: int = 3, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolve(x, 16))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        inner = convolve(layers.ReLU()(convolve(x, filters, strides=strides)), filters)
        x = convolve(x, filters, 1, strides) if strides > 1 else x
        x = layers.ReLU()(layers.Add()([x, inner]))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", dtype="float32")(x))
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def table_net(*, entities: int = 0, normalized: bool = False, dropout: float = 0.3) -> Callable[[int], Any]:
    """Return the builder of a net for tables: two hidden layers of 64.

    Args:
        entities: How many of the first columns are codes below 50, each with an embedding of its own.
        normalized: Whether each hidden layer has batch normalization.
        dropout: Rate of the dropout after each hidden layer.
    """

    def build(num_features: int) -> Any:
        import keras

        layers = keras.layers
        x = inputs = keras.Input((num_features,))
        if entities:
            codes = [layers.Embedding(50, 4)(inputs[:, column]) for column in range(entities)]
            x = layers.Concatenate()([*codes, inputs[:, entities:]])
        for _ in range(2):
            x = layers.Dense(64, activation="relu")(x)
            x = layers.BatchNormalization()(x) if normalized else x
            x = layers.Dropout(dropout)(x)
        model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", dtype="float32")(x))
        model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
        return model

    return build


KERAS: dict[str, Callable[[int], Any]] = {
    "original": review_net(16),
    "smaller": review_net(4),
    "bigger": review_net(512),
    "l2": review_net(16, l2=1e-3),
    "l1": review_net(16, l1=1e-3),
    "l1l2": review_net(16, l1=1e-3, l2=1e-3),
    "dropout": review_net(16, dropout=0.5),
    "storm-l2": storm_net((8, 16, 32), l2=1e-3),
    "storm-dropout": storm_net((16, 32, 64), dropout=0.2),
    "sounding": sounding_net(),
    "sounding-l2": sounding_net(l2=0.01),
    "sounding-dropout": sounding_net(dropout=0.5),
    "sounding-spatial": sounding_net(spatial=0.3),
    "sounding-both": sounding_net(spatial=0.3, dropout=0.5),
    "sounding-narrow": sounding_net(width=0.25),
    "lstm": word_net(_lstm),
    "bigru": word_net(_bigru),
    "attention": word_net(_attention),
    "transformer": word_net(_transformer),
    "resnet": residual_net,
    "tabular": table_net(normalized=True),
    "entity": table_net(entities=4),
    "dense": table_net(),
}


def torch_net(name: str, num_features: int) -> tuple[Any, Callable[[Any], Any], float]:
    """Return a hand-written torch net, its optimizer's builder and its L2 strength; KeyError where nobody wrote one."""
    import torch
    from torch import nn

    def rmsprop(parameters: Any) -> Any:
        return torch.optim.RMSprop(parameters, lr=1e-3, alpha=0.9, eps=1e-7)

    def adam(parameters: Any) -> Any:
        return torch.optim.Adam(parameters, lr=1e-3)

    def review(units: int) -> Any:
        return nn.Sequential(
            nn.Linear(num_features, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, 1)
        )

    def storm(filters: tuple[int, ...], dropout: float) -> Any:
        layers, channels = [], 3
        for count in filters:
            layers += [nn.Conv2d(channels, count, 5, padding=2), nn.ReLU()]
            layers += [nn.Dropout2d(dropout)] if dropout else []
            layers.append(nn.AvgPool2d(2))
            channels = count
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * channels, 1))
        return net.to(memory_format=torch.channels_last)

    def sounding() -> Any:
        layers, channels = [], 5
        for count in (16, 32, 64):
            layers += [nn.Conv1d(channels, count, 5, padding=2), nn.ReLU(), nn.AvgPool1d(2)]
            channels = count
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 1))

    builders: dict[str, Callable[[], tuple[Any, Callable[[Any], Any], float]]] = {
        "original": lambda: (review(16), rmsprop, 0.0),
        "smaller": lambda: (review(4), rmsprop, 0.0),
        "bigger": lambda: (review(512), rmsprop, 0.0),
        "storm-l2": lambda: (storm((8, 16, 32), 0.0), adam, 1e-3),
        "storm-dropout": lambda: (storm((16, 32, 64), 0.2), adam, 0.0),
        "sounding": lambda: (sounding(), adam, 0.0),
    }
    return builders[name]()
