"""Models of images, generators and losses of pairs, as Keras' examples have them."""

import keras
import numpy as np
from keras import layers, ops

from keras_examples.example import Example

SIZE = 8


def images(n, rng):
    x = rng.normal(size=(n, SIZE, SIZE, 1)).astype("float32")
    y = x[:, :4, :4].mean(axis=(1, 2, 3)) - x[:, 4:, 4:].mean(axis=(1, 2, 3)) + 0.1 * rng.normal(size=n)
    return x, np.digitize(y, [-0.15, 0.15])


def hot_images(n, rng):
    x, y = images(n, rng)
    return x, np.eye(3, dtype="float32")[y]


def vectors(n, rng):
    x = rng.normal(size=(n, 5)).astype("float32")
    return x, (x[:, 0] - x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=n)).astype("float32")


def signs(n, rng):
    x, y = vectors(n, rng)
    return x, (y > 0).astype("float32")


def compiled(inputs, outputs, optimizer="sgd", *, logits=False, **given):
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    chosen = {"sgd": keras.optimizers.SGD(0.1, momentum=0.9), "adam": keras.optimizers.Adam(0.01, epsilon=1e-3)}
    model.compile(chosen[optimizer], given.pop("loss", loss), **given)
    return model


class Patches(layers.Layer):
    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, images):
        shape = ops.shape(images)
        patches = keras.ops.image.extract_patches(images, size=self.patch_size)
        count = (SIZE // self.patch_size) ** 2
        return ops.reshape(patches, (shape[0], count, self.patch_size**2 * shape[3]))

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size}


class PatchEncoder(layers.Layer):
    def __init__(self, num_patches, projection_dim):
        super().__init__()
        self.num_patches = num_patches
        self.projection = layers.Dense(units=projection_dim)
        self.position_embedding = layers.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def call(self, patch):
        positions = ops.expand_dims(ops.arange(start=0, stop=self.num_patches, step=1), axis=0)
        return self.projection(patch) + self.position_embedding(positions)


def feed_forward(x, units, rate):
    for one in units:
        x = layers.Dropout(rate)(layers.Dense(one, activation=keras.activations.gelu)(x))
    return x


def vision_transformer(noise):
    inputs = keras.Input((SIZE, SIZE, 1))
    augmented = layers.RandomFlip("horizontal")(inputs) if noise else inputs
    x = PatchEncoder(4, 6)(Patches(4)(augmented))
    for _ in range(2):
        attended = layers.MultiHeadAttention(num_heads=2, key_dim=3, dropout=0.1 * noise)(
            *[layers.LayerNormalization()(x)] * 2
        )
        x2 = layers.Add()([attended, x])
        x = layers.Add()([feed_forward(layers.LayerNormalization()(x2), [8, 6], 0.1 * noise), x2])
    x = layers.Dropout(0.3 * noise)(layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x)))
    return compiled(inputs, layers.Dense(3)(feed_forward(x, [8], 0.3 * noise)), logits=True)


class MLPMixerLayer(layers.Layer):
    def __init__(self, num_patches, hidden_units, dropout_rate):
        super().__init__()
        self.mlp1 = keras.Sequential(
            [layers.Dense(num_patches, activation="gelu"), layers.Dense(num_patches), layers.Dropout(dropout_rate)]
        )
        self.mlp2 = keras.Sequential([layers.Dense(hidden_units, activation="gelu"), layers.Dropout(dropout_rate)])
        self.normalize = layers.LayerNormalization(epsilon=1e-6)

    def build(self, input_shape):
        return super().build(input_shape)

    def call(self, inputs):
        channels = ops.transpose(self.normalize(inputs), axes=(0, 2, 1))
        x = ops.transpose(self.mlp1(channels), axes=(0, 2, 1)) + inputs
        return x + self.mlp2(self.normalize(x))


def mlp_mixer(noise):
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.Dense(5)(Patches(4)(inputs))
    x = keras.Sequential([MLPMixerLayer(4, 5, 0.2 * noise) for _ in range(2)])(x)
    x = layers.Dropout(0.2 * noise)(layers.GlobalAveragePooling1D()(x))
    return compiled(inputs, layers.Dense(3, "softmax")(x), metrics=["accuracy"])


def conv_mixer(noise):
    inputs = keras.Input((SIZE, SIZE, 1))

    def activated(x):
        return layers.BatchNormalization()(layers.Activation("gelu")(x))

    x = activated(layers.Conv2D(4, 2, strides=2)(layers.Rescaling(scale=1.0 / 2)(inputs)))
    for _ in range(2):
        x = layers.Add()([activated(layers.DepthwiseConv2D(3, padding="same")(x)), x])
        x = activated(layers.Conv2D(4, kernel_size=1)(x))
    x = layers.Dropout(0.2 * noise)(layers.GlobalAvgPool2D()(x))
    return compiled(inputs, layers.Dense(3, "softmax")(x))


class StochasticDepth(layers.Layer):
    """Leaves a whole branch away, case by case."""

    def __init__(self, drop_prop, **kwargs):
        super().__init__(**kwargs)
        self.drop_prob, self.seed_generator = drop_prop, keras.random.SeedGenerator(1337)

    def call(self, x, training=None):
        if not training:
            return x
        kept = 1 - self.drop_prob
        shape = (ops.shape(x)[0], *(1,) * (len(x.shape) - 1))
        return (x / kept) * ops.floor(kept + keras.random.uniform(shape, 0, 1, seed=self.seed_generator))


def stochastic_depth(noise):
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.MaxPool2D(2)(layers.Conv2D(4, 3, padding="same", activation="relu")(inputs))
    x = layers.Reshape((16, 4))(x)
    for rate in (0.2, 0.4):
        attended = layers.MultiHeadAttention(2, 2)(x, x)
        x = layers.Add()([StochasticDepth(rate * noise)(attended), x])
        x = layers.Add()([StochasticDepth(rate * noise)(layers.Dense(4, "gelu")(layers.LayerNormalization()(x))), x])
    weights = ops.softmax(layers.Dense(1)(x), axis=1)  # pooling over the sequence
    pooled = ops.squeeze(ops.matmul(ops.transpose(weights, (0, 2, 1)), x), axis=-2)
    return compiled(inputs, layers.Dense(3, "softmax")(pooled))


class BilinearSampler(layers.Layer):
    """Turns and shifts an image by six numbers that a network finds for it."""

    def call(self, inputs):
        image, theta = inputs
        line = ops.linspace(-1.0, 1.0, SIZE)
        y, x = ops.meshgrid(line, line, indexing="ij")
        grid = ops.stack([ops.reshape(x, (-1,)), ops.reshape(y, (-1,)), ops.ones(SIZE * SIZE)])
        where = (ops.matmul(ops.reshape(theta, (-1, 2, 3)), grid) + 1) * (SIZE - 1) / 2
        at_x, at_y = where[:, 0], where[:, 1]
        flat, total = ops.reshape(image, (-1, SIZE * SIZE)), 0.0
        x0, y0 = ops.floor(at_x), ops.floor(at_y)
        for dx in (0, 1):
            for dy in (0, 1):
                share = (1 - ops.abs(at_x - x0 - dx)) * (1 - ops.abs(at_y - y0 - dy))
                row, column = ops.clip(y0 + dy, 0, SIZE - 1), ops.clip(x0 + dx, 0, SIZE - 1)
                total = total + share * ops.take_along_axis(flat, ops.cast(row * SIZE + column, "int32"), axis=1)
        return ops.reshape(total, (-1, SIZE, SIZE, 1))


def spatial_transformer(noise):
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.Flatten()(layers.AveragePooling2D(2)(layers.Conv2D(2, 3, activation="relu")(inputs)))
    start = keras.initializers.Constant(0.05)
    theta = layers.Dense(6, kernel_initializer="zeros", bias_initializer=start)(layers.Dense(4, "relu")(x))
    theta = theta + np.array([0.9, 0, 0, 0, 0.9, 0], "float32")
    x = layers.Conv2D(3, 3, activation="relu")(BilinearSampler()([inputs, theta]))
    x = layers.Dropout(0.3 * noise)(layers.GlobalAveragePooling2D()(x))
    return compiled(inputs, layers.Dense(3, "softmax")(x))


class Involution(layers.Layer):
    """A convolution whose kernel each place makes for itself."""

    def __init__(self, channel, group_number, kernel_size, reduction_ratio, **kwargs):
        super().__init__(**kwargs)
        self.channel, self.group_number, self.kernel_size = channel, group_number, kernel_size
        self.reduction_ratio = reduction_ratio

    def build(self, input_shape):
        _, self.height, self.width, self.channels = input_shape
        self.kernel_gen = keras.Sequential(
            [
                layers.Conv2D(self.channel // self.reduction_ratio, 1),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Conv2D(self.kernel_size**2 * self.group_number, 1),
            ]
        )

    def call(self, x):
        taps = self.kernel_size**2
        kernel = ops.reshape(self.kernel_gen(x), (-1, self.height, self.width, taps, 1, self.group_number))
        patches = keras.ops.image.extract_patches(x, size=self.kernel_size, strides=1, padding="same")
        shape = (-1, self.height, self.width, taps, self.channels // self.group_number, self.group_number)
        output = ops.sum(kernel * ops.reshape(patches, shape), axis=3)
        return ops.reshape(output, (-1, self.height, self.width, self.channels))


def involution(_):
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.MaxPooling2D(2)(layers.Conv2D(4, 3, padding="same", activation="relu")(inputs))
    x = layers.ReLU()(Involution(4, 1, 3, 2)(x))
    return compiled(inputs, layers.Dense(3)(layers.Flatten()(x)), logits=True, metrics=["accuracy"])


class OrthogonalRegularizer(keras.regularizers.Regularizer):
    """Keeps the matrix of a small network near a rotation."""

    def __init__(self, num_features, l2reg=0.01):
        self.num_features, self.l2reg = num_features, l2reg
        self.eye = ops.eye(num_features)

    def __call__(self, x):
        x = ops.reshape(x, (-1, self.num_features, self.num_features))
        xxt = ops.reshape(ops.tensordot(x, x, axes=(2, 2)), (-1, self.num_features, self.num_features))
        return ops.sum(self.l2reg * ops.square(xxt - self.eye))

    def get_config(self):
        return {"num_features": self.num_features, "l2reg": self.l2reg}


def point_net(noise):
    """The transformation's penalty looks at all pairs of cases of a batch, as the example has it."""
    inputs = keras.Input((10, 3))
    x = layers.GlobalMaxPooling1D()(layers.Activation("relu")(layers.BatchNormalization()(layers.Conv1D(6, 1)(inputs))))
    bias = keras.initializers.Constant(np.eye(3).flatten())
    given = {"kernel_initializer": "zeros", "activity_regularizer": OrthogonalRegularizer(3)}
    turned = layers.Reshape((3, 3))(layers.Dense(9, bias_initializer=bias, **given)(x))
    x = layers.Conv1D(5, 1, activation="relu")(layers.Dot(axes=(2, 1))([inputs, turned]))
    x = layers.Dropout(0.3 * noise)(layers.Dense(4, "relu")(layers.GlobalMaxPooling1D()(x)))
    return compiled(inputs, layers.Dense(3, "softmax")(x))


def clouds(n, rng):
    x = rng.normal(size=(n, 10, 3)).astype("float32")
    return x, np.digitize(x[..., 0].max(axis=1), [1.2, 1.8])


class Sampling(layers.Layer):
    """Draws z by its mean and variance, and adds the divergence from the prior to the objective."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.seed_generator = scale, keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        divergence = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
        self.add_loss(0.05 * ops.mean(ops.sum(divergence, axis=1)))
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + self.scale * ops.exp(0.5 * z_log_var) * epsilon


def variational(noise):
    inputs = keras.Input((5,))
    x = layers.Dense(6, activation="relu")(inputs)
    z = Sampling(noise)([layers.Dense(2, name="z_mean")(x), layers.Dense(2, name="z_log_var")(x)])
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(6, activation="relu")(z)))
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), "mse")
    return model


class DenseVariational(layers.Layer):
    """A kernel with a distribution, drawn anew for every batch in training."""

    def __init__(self, units, noise=1.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.noise = units, noise

    def build(self, shape):
        self.mean = self.add_weight((shape[-1], self.units), "glorot_normal", name="mean")
        self.rho = self.add_weight((shape[-1], self.units), keras.initializers.Constant(-3.0), name="rho")

    def call(self, x, training=False):
        spread = ops.softplus(self.rho)
        self.add_loss(ops.sum(ops.square(self.mean) + ops.square(spread) - 2 * ops.log(spread)) / 2000)
        if training and self.noise:
            return ops.matmul(x, self.mean + self.noise * spread * keras.random.normal(ops.shape(spread)))
        return ops.matmul(x, self.mean)


def bayesian(noise):
    inputs = keras.Input((5,))
    x = layers.Activation("sigmoid")(DenseVariational(4, noise)(layers.BatchNormalization()(inputs)))
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(keras.optimizers.RMSprop(0.01, epsilon=1e-4), "mse", metrics=[keras.metrics.RootMeanSquaredError()])
    return model


def of_triplets(y_true, y_pred):
    """Pairs of one kind nearer than pairs of two, by a margin, over all pairs of the batch."""
    kind, place = ops.argmax(y_true, axis=-1), ops.normalize(y_pred, axis=-1)
    distance = 1 - ops.matmul(place, ops.transpose(place))
    same = ops.cast(kind[:, None] == kind[None, :], "float32")
    return ops.mean(same * distance + (1 - same) * ops.relu(0.5 - distance), axis=1)


def metric_learning(noise):
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    x = layers.UnitNormalization()(layers.Dense(3)(layers.Dropout(0.2 * noise)(layers.GlobalAveragePooling2D()(x))))
    return compiled(inputs, x, loss=of_triplets)


class Siamese(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = keras.Sequential([layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dense(3)])

    def call(self, left, right):
        return ops.sqrt(ops.maximum(ops.sum(ops.square(self.embedding(left) - self.embedding(right)), 1, True), 1e-7))


def contrastive(y_true, y_pred):
    square, margin = ops.square(y_pred), ops.square(ops.maximum(1 - y_pred, 0))
    return ops.mean((1 - y_true) * square + y_true * margin)


def siamese(_):
    left, right = keras.Input((5,)), keras.Input((5,))
    distance = layers.BatchNormalization()(Siamese()(left, right))
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(distance))
    model.compile(keras.optimizers.RMSprop(0.01, epsilon=1e-4), contrastive, metrics=["accuracy"])
    return model


def two_vectors(n, rng):
    (left, one), (right, other) = vectors(n, rng), vectors(n, rng)
    return [left, right], ((one > 0) != (other > 0)).astype("float32")


class CustomModel(keras.Model):
    """The guide's own step of training."""

    def train_step(self, data):
        x, y = data
        y_pred = self(x, training=True)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        self.zero_grad()
        loss.backward()
        weights = list(self.trainable_weights)
        self.optimizer.apply([weight.value.grad for weight in weights], weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


def guide(noise):
    inputs = keras.Input((5,))
    model = CustomModel(inputs, layers.Dense(1)(layers.Dropout(0.3 * noise)(layers.Dense(4, "relu")(inputs))))
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), "mse", metrics=["mae"])
    return model


class Subclassed(keras.Model):
    """Parts in a constructor, a call, and a step of training of its own."""

    def __init__(self, units=4, rate=0.3, **kwargs):
        super().__init__(**kwargs)
        self.first, self.drop, self.last = layers.Dense(units, "relu"), layers.Dropout(rate), layers.Dense(1)

    def call(self, x, training=False):
        return ops.sigmoid(self.last(self.drop(self.first(x), training=training)))

    train_step = CustomModel.train_step


def subclassed(noise):
    model = Subclassed(rate=0.3 * noise)
    model(np.zeros((1, 5), "float32"))
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    return model


EXAMPLES = {
    "vision transformer": Example(vision_transformer, images, noisy=True, slow=True),
    "mlp mixer": Example(mlp_mixer, images, noisy=True, slow=True),
    "conv mixer": Example(conv_mixer, images, noisy=True),
    "stochastic depth": Example(stochastic_depth, images, noisy=True, slow=True),
    "spatial transformer": Example(spatial_transformer, images, noisy=True),
    "involution": Example(involution, images),
    "point net": Example(point_net, clouds, noisy=True, adds_losses=True),
    "variational": Example(variational, vectors, noisy=True, never_rests=True, adds_losses=True),
    "bayesian": Example(bayesian, vectors, noisy=True, adds_losses=True),
    "metric learning": Example(metric_learning, hot_images, noisy=True, study={"task": "regression"}),
    "siamese": Example(siamese, two_vectors, study={"task": "binary"}),
    "the guide's train_step": Example(guide, vectors, noisy=True),
    "subclassed": Example(subclassed, signs, noisy=True, study={"task": "binary"}),
}
