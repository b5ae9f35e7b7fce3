"""Models of time series and text, as Keras' examples have them."""

import keras
import numpy as np
from keras import layers, ops

from keras_examples.example import Example

STEPS, WORDS = 12, 15


def series(n, rng, width=4):
    x = rng.normal(size=(n, STEPS, width)).astype("float32")
    return x, (x[:, -3:, 0].sum(axis=1) + 0.3 * rng.normal(size=n)).astype("float32")


def kinds_of_series(n, rng):
    x, y = series(n, rng)
    return x, np.digitize(y, [-0.7, 0.7])


def texts(n, rng):
    """Words, and zeros behind the end."""
    x = rng.integers(1, WORDS, (n, STEPS)).astype("int32")
    x[np.arange(STEPS) >= rng.integers(3, STEPS + 1, n)[:, None]] = 0
    return x, (np.isin(x, [1, 2, 3, 4]).sum(axis=1) + rng.normal(size=n) > 2).astype("float32")


def timeseries_transformer(noise):
    inputs = x = keras.Input((STEPS, 4))
    for _ in range(2):
        attended = layers.MultiHeadAttention(key_dim=3, num_heads=2, dropout=0.2 * noise)(x, x)
        res = layers.LayerNormalization(epsilon=1e-6)(layers.Dropout(0.2 * noise)(attended)) + x
        x = layers.Dropout(0.2 * noise)(layers.Conv1D(filters=4, kernel_size=1, activation="relu")(res))
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Conv1D(filters=4, kernel_size=1)(x)) + res
    x = layers.GlobalAveragePooling1D(data_format="channels_last")(x)
    x = layers.Dropout(0.3 * noise)(layers.Dense(6, activation="relu")(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(
        keras.optimizers.SGD(0.02), "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"]
    )
    return model


def wavenet(noise):
    inputs = keras.Input((STEPS, 4))
    x, skips = layers.Conv1D(4, 1)(inputs), []
    for dilation in (1, 2, 4):
        wave = layers.Conv1D(4, 2, padding="causal", dilation_rate=dilation, activation="tanh")(x)
        gate = layers.Conv1D(4, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(x)
        both = layers.Conv1D(4, 1)(layers.SpatialDropout1D(0.2 * noise)(wave * gate))
        x = x + both
        skips.append(both)
    x = layers.Conv1D(3, 1, activation="relu")(ops.relu(layers.Add()(skips)))
    model = keras.Model(inputs, layers.Dense(1)(x[:, -1]))
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), "mse")
    return model


def convolutional_lstm(noise):
    inputs = keras.Input((3, 5, 5, 1))
    x = layers.ConvLSTM2D(2, (3, 3), padding="same", return_sequences=True, activation="tanh")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.ConvLSTM2D(2, (1, 1), padding="same", dropout=0.2 * noise)(x)
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def films(n, rng):
    x = rng.normal(size=(n, 3, 5, 5, 1)).astype("float32")
    return x, x[:, -1, 2, 2, 0] + x[:, 0, 2, 2, 0]


def forecaster(noise):
    """Two series of different length and what is known ahead; the forecast is a curve."""
    past, static = keras.Input((STEPS, 4), name="past"), keras.Input((3,), name="static")
    state = layers.Dense(5, "tanh")(static)
    x = layers.GRU(5, return_sequences=True, dropout=0.2 * noise)(past, initial_state=state)
    x = layers.GRU(4)(x)
    x = layers.TimeDistributed(layers.Dense(3, "relu"))(layers.RepeatVector(4)(x))
    model = keras.Model([past, static], layers.Reshape((4,))(layers.Dense(1)(x)))
    model.compile(keras.optimizers.RMSprop(0.01, epsilon=1e-4), keras.losses.Huber())
    return model


def with_static(n, rng):
    x, y = series(n, rng)
    static = rng.normal(size=(n, 3)).astype("float32")
    return {"past": x, "static": static}, np.stack([y, y + static[:, 0], static[:, 1], -y], axis=1).astype("float32")


class GraphConv(layers.Layer):
    """Neighbours' mean and the node itself, with a weight that the constructor makes."""

    def __init__(self, in_feat, out_feat, neighbours, combination="concat", **kwargs):
        super().__init__(**kwargs)
        self.in_feat, self.out_feat, self.neighbours = in_feat, out_feat, neighbours
        self.combination = combination
        self.weight = self.add_weight(initializer="glorot_uniform", shape=(in_feat, out_feat), trainable=True)

    def call(self, features):  # (batch, steps, nodes, features)
        around = ops.stack([ops.mean(ops.take(features, nodes, axis=2), axis=2) for nodes in self.neighbours], axis=2)
        own, around = ops.matmul(features, self.weight), ops.matmul(around, self.weight)
        return ops.relu(ops.concatenate([own, around], axis=-1) if self.combination == "concat" else own + around)


class LSTMGC(layers.Layer):
    """A graph convolution of every step, then an LSTM over the steps of every node."""

    def __init__(self, out_feat, lstm_units, horizon, neighbours, **kwargs):
        super().__init__(**kwargs)
        self.graph_conv = GraphConv(1, out_feat, neighbours)
        self.lstm, self.dense = layers.LSTM(lstm_units, activation="relu"), layers.Dense(horizon)

    def call(self, inputs):  # (batch, steps, nodes)
        x = self.graph_conv(ops.expand_dims(inputs, -1))
        _, steps, nodes, width = x.shape
        x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, steps, width))
        return ops.reshape(self.dense(self.lstm(x)), (-1, nodes))


def traffic(_):
    model = keras.Sequential([keras.Input((6, 3)), LSTMGC(4, 5, 1, [[1], [0, 2], [1]])])
    model.compile(keras.optimizers.RMSprop(0.01, epsilon=1e-4), "mse")
    return model


def speeds(n, rng):
    x = rng.normal(size=(n, 6, 3)).astype("float32")
    return x, x[:, -1] + 0.5 * x[:, -2, ::-1]


def autoencoder(noise):
    model = keras.Sequential([keras.Input((STEPS, 1)), layers.Conv1D(4, 3, 2, padding="same", activation="relu")])
    for layer in (
        layers.Dropout(0.2 * noise),
        layers.Conv1DTranspose(4, 3, 2, padding="same", activation="relu"),
        layers.Conv1DTranspose(1, 3, padding="same"),
    ):
        model.add(layer)
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), "mse")
    return model


def themselves(n, rng):
    x = np.cumsum(rng.normal(size=(n, STEPS, 1)), axis=1).astype("float32")
    return x, x


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(vocab_size, embed_dim)
        self.pos_emb = layers.Embedding(maxlen, embed_dim)

    def call(self, x):
        return self.token_emb(x) + self.pos_emb(ops.arange(0, ops.shape(x)[-1]))


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1, self.layernorm2 = (layers.LayerNormalization(epsilon=1e-6) for _ in range(2))
        self.dropout1, self.dropout2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, inputs):
        out = self.layernorm1(inputs + self.dropout1(self.att(inputs, inputs)))
        return self.layernorm2(out + self.dropout2(self.ffn(out)))


def text_transformer(noise):
    inputs = keras.Input((STEPS,))
    x = TransformerBlock(4, 2, 6, 0.2 * noise)(TokenAndPositionEmbedding(STEPS, WORDS, 4)(inputs))
    x = layers.Dropout(0.1 * noise)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dropout(0.1 * noise)(layers.Dense(5, activation="relu")(x))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class FNetEncoder(layers.Layer):
    """Mixes words by a Fourier transform instead of attention."""

    def __init__(self, embed_dim, dense_dim, **kwargs):
        super().__init__(**kwargs)
        self.embed_dim, self.dense_dim = embed_dim, dense_dim
        self.dense_proj = keras.Sequential([layers.Dense(dense_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm_1, self.layernorm_2 = layers.LayerNormalization(), layers.LayerNormalization()

    def call(self, inputs):
        mixed, _ = ops.fft2((ops.cast(inputs, "float32"), ops.zeros_like(inputs)))
        x = self.layernorm_1(inputs + mixed)
        return self.layernorm_2(x + self.dense_proj(x))


def fnet(noise):
    inputs = keras.Input((STEPS,), dtype="int64")
    x = FNetEncoder(4, 5)(TokenAndPositionEmbedding(STEPS, WORDS, 4)(inputs))
    x = layers.Dropout(0.5 * noise)(layers.GlobalMaxPooling1D()(x))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile(keras.optimizers.SGD(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model


class Router(layers.Layer):
    """Sends every word to its expert, as long as that has room in this batch; adds a loss that shares them out."""

    def __init__(self, num_experts, expert_capacity, jitter):
        super().__init__()
        self.num_experts, self.expert_capacity, self.jitter = num_experts, expert_capacity, jitter
        self.route = layers.Dense(num_experts)

    def call(self, inputs, training=False):
        logits = self.route(inputs)
        if training and self.jitter:
            logits = logits + keras.random.uniform(ops.shape(logits), 1 - self.jitter, 1 + self.jitter)
        probs = keras.activations.softmax(logits, axis=-1)
        gate, index = ops.top_k(probs, k=1)
        hot = ops.one_hot(ops.squeeze(index, -1), self.num_experts)
        share, density = ops.mean(hot, axis=0), ops.mean(probs, axis=0)
        self.add_loss(ops.mean(share * density) * self.num_experts**2)
        position = ops.cumsum(hot, axis=0) * hot
        hot = hot * ops.cast(position <= self.expert_capacity, "float32")
        return hot * gate


class Switch(layers.Layer):
    def __init__(self, num_experts, embed_dim, capacity, jitter):
        super().__init__()
        self.embed_dim, self.router = embed_dim, Router(num_experts, capacity, jitter)
        self.experts = [layers.Dense(embed_dim, "relu") for _ in range(num_experts)]

    def call(self, inputs):
        flat = ops.reshape(inputs, (-1, self.embed_dim))
        gates = self.router(flat)
        outputs = ops.stack([expert(flat) for expert in self.experts], axis=1)
        return ops.reshape(ops.sum(outputs * ops.expand_dims(gates, -1), axis=1), (-1, STEPS, self.embed_dim))


def switch_transformer(noise):
    inputs = keras.Input((STEPS,))
    x = TokenAndPositionEmbedding(STEPS, WORDS, 4)(inputs)
    x = layers.LayerNormalization(epsilon=1e-6)(x + layers.MultiHeadAttention(2, 2)(x, x))
    x = layers.LayerNormalization(epsilon=1e-6)(x + Switch(3, 4, 30, 0.1 * noise)(x))
    x = layers.Dropout(0.2 * noise)(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def masked_bidirectional(noise):
    model = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(WORDS, 4, mask_zero=True)])
    for layer in (
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Dropout(0.3 * noise),
        layers.Bidirectional(layers.LSTM(3)),
        layers.Dense(1, activation="sigmoid"),
    ):
        model.add(layer)
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


class Halting(layers.Layer):
    """Refines its state step by step in a loop whose length its configuration says."""

    def __init__(self, steps=3, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], shape[-1]), "orthogonal", name="kernel")

    def call(self, x):
        def refine(i, state):
            return i + 1, ops.tanh(ops.matmul(state, self.kernel) + x)

        return ops.while_loop(lambda i, _: i < self.steps, refine, (0, ops.zeros_like(x)))[1]

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}


def halting(_):
    model = keras.Sequential([keras.Input((STEPS, 4)), layers.Flatten(), layers.Dense(4), Halting(4), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05, nesterov=True, momentum=0.8), "mse")
    return model


EXAMPLES = {
    "timeseries transformer": Example(timeseries_transformer, kinds_of_series, noisy=True, slow=True),
    "wavenet": Example(wavenet, series, noisy=True),
    "convolutional lstm": Example(convolutional_lstm, films, noisy=True, slow=True),
    "forecaster": Example(forecaster, with_static, noisy=True, slow=True),
    "traffic": Example(traffic, speeds),
    "autoencoder": Example(autoencoder, themselves, noisy=True),
    "text transformer": Example(text_transformer, texts, noisy=True),
    "fnet": Example(fnet, texts, noisy=True),
    "switch transformer": Example(switch_transformer, texts, noisy=True, adds_losses=True),
    "masked bidirectional lstm": Example(masked_bidirectional, texts, noisy=True, slow=True),
    "while loop": Example(halting, series),
}
