"""Models of tables, as Keras' examples on structured data have them."""

import keras
import numpy as np
from keras import layers, ops

from keras_examples.example import Example

COLUMNS = ("age", "hours", "work", "region")
SIZES = {"work": 4, "region": 5}


def rows(n, rng):
    """Two numbers and two categories, as a mapping of columns."""
    x = {
        "age": rng.normal(size=(n, 1)).astype("float32"),
        "hours": rng.normal(size=(n, 1)).astype("float32"),
        "work": rng.integers(0, SIZES["work"], (n, 1)).astype("int32"),
        "region": rng.integers(0, SIZES["region"], (n, 1)).astype("int32"),
    }
    y = x["age"] + 0.5 * x["work"] - 1 + 0.5 * rng.normal(size=(n, 1)) > 0
    return x, y[:, 0].astype("float32")


def numbers(n, rng, width=6):
    x = rng.normal(size=(n, width)).astype("float32")
    return x, (x[:, 0] * x[:, 1] + x[:, 2] + 0.3 * rng.normal(size=n)).astype("float32")


def three_kinds(n, rng):
    x, y = numbers(n, rng)
    return x, np.digitize(y, [-0.5, 0.5])


def column_inputs():
    return {name: keras.Input((1,), name=name, dtype="int32" if name in SIZES else "float32") for name in COLUMNS}


def embedded(inputs, width=4):
    """Every column as a vector."""
    return [
        layers.Reshape((width,))(layers.Embedding(SIZES[name], width)(one))
        if name in SIZES
        else layers.Dense(width)(one)
        for name, one in inputs.items()
    ]


class GatedLinearUnit(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.linear, self.sigmoid = layers.Dense(units), layers.Dense(units, activation="sigmoid")

    def call(self, inputs):
        return self.linear(inputs) * self.sigmoid(inputs)


class GatedResidualNetwork(layers.Layer):
    """Dense, dropout, a gate and a normalized sum; its parts are built when it is called."""

    def __init__(self, units, dropout_rate):
        super().__init__()
        self.units = units
        self.elu_dense, self.linear_dense = layers.Dense(units, activation="elu"), layers.Dense(units)
        self.dropout = layers.Dropout(dropout_rate)
        self.gated_linear_unit = GatedLinearUnit(units)
        self.layer_norm = layers.LayerNormalization()
        self.project = layers.Dense(units)

    def call(self, inputs):
        x = self.dropout(self.linear_dense(self.elu_dense(inputs)))
        inputs = self.project(inputs) if inputs.shape[-1] != self.units else inputs
        return self.layer_norm(inputs + self.gated_linear_unit(x))


class VariableSelection(layers.Layer):
    """A network for every feature, and a softmax that weighs them."""

    def __init__(self, num_features, units, dropout_rate):
        super().__init__()
        self.grns = [GatedResidualNetwork(units, dropout_rate) for _ in range(num_features)]
        self.grn_concat = GatedResidualNetwork(units, dropout_rate)
        self.softmax = layers.Dense(num_features, activation="softmax")

    def call(self, inputs):
        weights = ops.expand_dims(self.softmax(self.grn_concat(ops.concatenate(inputs, axis=-1))), axis=-1)
        x = ops.stack([grn(one) for grn, one in zip(self.grns, inputs, strict=True)], axis=1)
        return ops.squeeze(ops.matmul(ops.transpose(weights, (0, 2, 1)), x), axis=1)


def gated_residual(noise):
    inputs = column_inputs()
    x = VariableSelection(4, 5, 0.2 * noise)(embedded(inputs, 5))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(GatedResidualNetwork(5, 0.2 * noise)(x)))
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


class ColumnEmbedding(layers.Layer):
    """Adds to every column a vector of its own."""

    def __init__(self, num_columns, width):
        super().__init__()
        self.num_columns, self.embedding = num_columns, layers.Embedding(num_columns, width)

    def call(self, x):
        return x + self.embedding(ops.arange(self.num_columns))


def tab_transformer(noise):
    inputs = column_inputs()
    kinds = [layers.Embedding(size, 4)(layers.Flatten()(inputs[name])) for name, size in SIZES.items()]
    x = ColumnEmbedding(2, 4)(layers.Concatenate(axis=1)(kinds))
    for _ in range(2):
        attended = layers.MultiHeadAttention(2, 2, dropout=0.2 * noise)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([attended, x]))
        fed = keras.Sequential([layers.Dense(4, "gelu"), layers.Dropout(0.2 * noise)])(x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([fed, x]))
    numeric = layers.LayerNormalization(epsilon=1e-6)(layers.Concatenate()([inputs["age"], inputs["hours"]]))
    features = layers.Concatenate()([layers.Flatten()(x), numeric])
    features = layers.Dropout(0.2 * noise)(layers.Dense(8, "selu")(layers.BatchNormalization()(features)))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(features))
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")]
    )
    return model


def wide_deep_cross(noise):
    inputs = column_inputs()
    first = layers.Concatenate()(embedded(inputs, 3))
    cross = first
    for _ in range(2):
        cross = first * layers.Dense(first.shape[-1])(cross) + cross
    deep = first
    for units in (6, 5):
        deep = layers.Dropout(0.3 * noise)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(deep))))
    hot = layers.Concatenate()([layers.Flatten()(layers.CategoryEncoding(SIZES[name])(inputs[name])) for name in SIZES])
    model = keras.Model(inputs, layers.Dense(2, "softmax")(layers.Concatenate()([cross, deep, hot])))
    model.compile(keras.optimizers.RMSprop(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class NeuralDecisionTree(layers.Layer):
    """Routes softly through a tree: leaves are weights, and the constructor chooses the features it sees."""

    def __init__(self, depth, num_features, used_features_rate, num_classes):
        super().__init__()
        self.depth, self.num_leaves = depth, 2**depth
        used = int(num_features * used_features_rate)
        one_hot = np.eye(num_features)
        chosen = np.random.choice(np.arange(num_features), used, replace=False)  # noqa: NPY002  as the example has it
        self.used_features_mask = ops.convert_to_tensor(one_hot[chosen], dtype="float32")
        self.pi = self.add_weight(initializer="random_normal", shape=(self.num_leaves, num_classes), trainable=True)
        self.decision_fn = layers.Dense(self.num_leaves, activation="sigmoid", name="decision")

    def call(self, features):
        batch_size = ops.shape(features)[0]
        features = ops.matmul(features, ops.transpose(self.used_features_mask, axes=[1, 0]))
        decisions = ops.expand_dims(self.decision_fn(features), axis=2)
        decisions = ops.concatenate([decisions, 1 - decisions], axis=2)
        mu = ops.ones([batch_size, 1, 1])
        begin, end = 1, 2
        for level in range(self.depth):
            mu = ops.tile(ops.reshape(mu, [batch_size, -1, 1]), (1, 1, 2)) * decisions[:, begin:end, :]
            begin, end = end, end + 2 ** (level + 1)
        mu = ops.reshape(mu, [batch_size, self.num_leaves])
        return ops.matmul(mu, ops.softmax(self.pi))


class NeuralDecisionForest(keras.Model):
    def __init__(self, num_trees=3, depth=2, num_features=6, num_classes=3):
        super().__init__()
        self.ensemble = [NeuralDecisionTree(depth, num_features, 0.7, num_classes) for _ in range(num_trees)]

    def call(self, inputs):
        return ops.mean(ops.stack([tree(inputs) for tree in self.ensemble]), axis=0)


def decision_tree(_):
    inputs = keras.Input((6,))
    features = layers.BatchNormalization()(inputs)
    model = keras.Model(inputs, NeuralDecisionTree(3, 6, 1.0, 3)(features))
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    return model


def decision_forest(_):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, NeuralDecisionForest()(layers.BatchNormalization()(inputs)))
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    return model


class RecommenderNet(keras.Model):
    """Users and items as vectors and biases; the score is their product."""

    def __init__(self, num_users, num_items, embedding_size, **kwargs):
        super().__init__(**kwargs)
        options = {"embeddings_initializer": "he_normal", "embeddings_regularizer": keras.regularizers.l2(1e-3)}
        self.users, self.items = (layers.Embedding(n, embedding_size, **options) for n in (num_users, num_items))
        self.user_bias, self.item_bias = layers.Embedding(num_users, 1), layers.Embedding(num_items, 1)

    def call(self, inputs):
        user, item = self.users(inputs[:, 0]), self.items(inputs[:, 1])
        product = ops.sum(user * item, axis=1, keepdims=True)
        return ops.sigmoid(product + self.user_bias(inputs[:, 0]) + self.item_bias(inputs[:, 1]))


def recommender(_):
    model = RecommenderNet(7, 9, 3)
    model(np.zeros((1, 2), "int32"))
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), keras.losses.BinaryCrossentropy())
    return model


def ratings(n, rng):
    x = np.stack([rng.integers(0, 7, n), rng.integers(0, 9, n)], axis=1).astype("int32")
    return x, (x.sum(axis=1) + rng.normal(size=n) > 7).astype("float32")


class Antirectifier(layers.Layer):
    """Both signs of a centred, normalized vector, mixed by a kernel."""

    def __init__(self, initializer="he_normal", **kwargs):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1] * 2, input_shape[-1]), self.initializer, name="kernel")

    def call(self, inputs):
        centred = ops.normalize(inputs - ops.mean(inputs, axis=-1, keepdims=True), axis=-1)
        both = ops.concatenate([ops.relu(centred), ops.relu(-centred)], axis=-1)
        return ops.matmul(both, self.kernel)

    def get_config(self):
        return {**super().get_config(), "initializer": keras.initializers.serialize(self.initializer)}


def antirectifier(noise):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5), Antirectifier(), layers.Dense(5)])
    for layer in (Antirectifier(), layers.Dropout(0.5 * noise), layers.Dense(3)):
        model.add(layer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.RMSprop(0.01, epsilon=1e-4), loss)
    return model


class FiLM(layers.Layer):
    """Scales and shifts features by what another input says."""

    def build(self, shapes):
        features, _ = shapes
        self.gamma, self.beta = layers.Dense(features[-1], bias_initializer="ones"), layers.Dense(features[-1])
        self.gamma.build(shapes[1])
        self.beta.build(shapes[1])

    def call(self, inputs):
        features, condition = inputs
        return self.gamma(condition) * features + self.beta(condition)


def film(noise):
    inputs, condition = keras.Input((6,), name="signal"), keras.Input((2,), name="condition")
    x = FiLM()([layers.Dense(5, "relu")(inputs), condition])
    x = layers.GaussianNoise(0.1 * noise)(x)
    model = keras.Model([inputs, condition], layers.Dense(1)(layers.Activation("relu")(x)))
    model.compile(keras.optimizers.AdamW(0.01, epsilon=1e-3), "mse", metrics=["mae"])
    return model


def with_condition(n, rng):
    x, y = numbers(n, rng)
    condition = rng.normal(size=(n, 2)).astype("float32")
    return [x, condition], y + condition[:, 0]


def experts(noise):
    """Experts that two tasks share, each with a gate of its own; outputs by name."""
    inputs = keras.Input((6,))
    shared = ops.stack([layers.Dense(4, "relu")(inputs) for _ in range(3)], axis=1)
    heads = {}
    for name, last in {"kind": layers.Dense(3, "softmax", name="kind"), "size": layers.Dense(1, name="size")}.items():
        gate = layers.Dense(3, "softmax")(inputs)
        heads[name] = last(layers.Dropout(0.2 * noise)(ops.einsum("be,bed->bd", gate, shared)))
    model = keras.Model(inputs, heads)
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    model.compile(keras.optimizers.SGD(0.1), losses, loss_weights={"kind": 1.0, "size": 0.3})
    return model


def two_answers(n, rng):
    x, y = numbers(n, rng)
    return x, {"kind": np.digitize(y, [-0.5, 0.5]), "size": y[:, None]}


class QREmbedding(layers.Layer):
    """Quotient and remainder of an index have a vector each; their product stands for it."""

    def __init__(self, vocabulary, dim, buckets, name=None):
        super().__init__(name=name)
        self.buckets = buckets
        self.quotient, self.remainder = layers.Embedding(-(-vocabulary // buckets), dim), layers.Embedding(buckets, dim)

    def call(self, inputs):
        return self.quotient(inputs // self.buckets) * self.remainder(ops.mod(inputs, self.buckets))


def memory_efficient(_):
    user, item = keras.Input((), name="user", dtype="int32"), keras.Input((), name="item", dtype="int32")
    both = layers.Dot(axes=1)([QREmbedding(20, 4, 5)(user), QREmbedding(30, 4, 6)(item)])
    model = keras.Model([user, item], layers.Dense(1)(both))
    model.compile(keras.optimizers.SGD(0.2), "mse")
    return model


def pairs_of_indices(n, rng):
    user, item = rng.integers(0, 20, n).astype("int32"), rng.integers(0, 30, n).astype("int32")
    return {"user": user, "item": item}, (0.1 * user - 0.05 * item + 0.1 * rng.normal(size=n)).astype("float32")


EXAMPLES = {
    "gated residual network": Example(gated_residual, rows, noisy=True, slow=True),
    "tab transformer": Example(tab_transformer, rows, noisy=True, slow=True),
    "wide, deep and cross": Example(wide_deep_cross, rows, noisy=True),
    "decision tree": Example(decision_tree, three_kinds, draws_in_constructor=True, study={"task": "multiclass"}),
    "decision forest": Example(decision_forest, three_kinds, draws_in_constructor=True, study={"task": "multiclass"}),
    "recommender": Example(recommender, ratings),
    "antirectifier": Example(antirectifier, three_kinds, noisy=True),
    "film": Example(film, with_condition, noisy=True),
    "experts with two heads": Example(experts, two_answers, noisy=True, study={"output": "kind"}),
    "memory efficient embeddings": Example(memory_efficient, pairs_of_indices),
}
