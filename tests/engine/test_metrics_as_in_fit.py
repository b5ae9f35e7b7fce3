"""Every metric of Keras, and those of one's own: both engines log what plain `fit` logs on the same batches."""

import keras
import numpy as np
import pytest
import torch
from keras import layers, metrics, ops

import gengap as gg
from gengap.keras_models.clone import clone_compiled

RNG = np.random.default_rng(2)
X, XV = RNG.normal(size=(40, 3)).astype(np.float32), RNG.normal(size=(16, 3)).astype(np.float32)
LABEL, LABELV = RNG.integers(0, 3, 40), RNG.integers(0, 3, 16)
NUMBER, NUMBERV = X[:, 1] + 1, XV[:, 1] + 1
EVENT, EVENTV = (X[:, 0] > 0).astype(np.float32), (XV[:, 0] > 0).astype(np.float32)
ONE_HOT, ONE_HOTV = np.eye(3, dtype=np.float32)[LABEL], np.eye(3, dtype=np.float32)[LABELV]


def bias(y_true, y_pred):
    return y_true - y_pred


class Largest(metrics.Metric):
    """What no adding up of steps could give."""

    def __init__(self, name="largest", **kwargs):
        super().__init__(name=name, **kwargs)
        self.largest = self.add_variable((), "zeros", name="largest")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_true - y_pred))))

    def result(self):
        return self.largest


KINDS = {
    "regression": (1, None, "mse", (NUMBER[:, None], NUMBERV[:, None])),
    "binary": (1, "sigmoid", "binary_crossentropy", (EVENT[:, None], EVENTV[:, None])),
    "labels": (3, "softmax", "categorical_crossentropy", (ONE_HOT, ONE_HOTV)),
    "codes": (3, "softmax", "sparse_categorical_crossentropy", (LABEL, LABELV)),
}
CASES = {
    "regression": [
        *(bias, Largest, metrics.R2Score, metrics.MeanSquaredError, metrics.RootMeanSquaredError),
        *(metrics.MeanAbsoluteError, metrics.LogCoshError, metrics.CosineSimilarity, metrics.PearsonCorrelation),
        *(metrics.ConcordanceCorrelation, metrics.MeanAbsolutePercentageError, metrics.Poisson),
        *(metrics.MeanSquaredLogarithmicError,),
    ],
    "binary": [
        *(bias, Largest, metrics.BinaryAccuracy, metrics.AUC, metrics.Precision, metrics.Recall),
        *(metrics.BinaryCrossentropy, metrics.TruePositives, metrics.FalseNegatives, metrics.Hinge),
        *(lambda: metrics.BinaryIoU(target_class_ids=[0, 1]), lambda: metrics.PrecisionAtRecall(0.5)),
        *(lambda: metrics.F1Score(threshold=0.5), lambda: metrics.SensitivityAtSpecificity(0.5)),
    ],
    "labels": [
        *(metrics.F1Score, lambda: metrics.F1Score(average="macro"), lambda: metrics.FBetaScore(average="weighted")),
        *(metrics.CategoricalAccuracy, lambda: metrics.TopKCategoricalAccuracy(2), metrics.CategoricalCrossentropy),
        *(metrics.KLDivergence, lambda: metrics.OneHotMeanIoU(3), metrics.CategoricalHinge, bias),
        *(lambda: metrics.AUC(multi_label=True, num_labels=3),),
    ],
    "codes": [
        *(metrics.SparseCategoricalAccuracy, metrics.SparseCategoricalCrossentropy),
        *(lambda: metrics.SparseTopKCategoricalAccuracy(2), lambda: metrics.MeanIoU(3, sparse_y_pred=False)),
    ],
}
LISTED = [(kind, number) for kind, made in CASES.items() for number in range(len(made))]


def compiled(kind, number):
    keras.utils.set_random_seed(4)
    width, activation, loss, _ = KINDS[kind]
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(width, activation)])
    metric = CASES[kind][number]
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=[metric if metric is bias else metric()])
    return model


def fitted(model, x, y, xv, yv, epochs=2):
    """Return what `fit` and `evaluate` log, epoch by epoch: in one `fit` some results on torch change afterwards."""
    twin, rows = clone_compiled(model), []
    for _ in range(epochs):
        history = twin.fit(x, y, epochs=1, batch_size=16, shuffle=False, verbose=0).history
        logs = expanded({name: values[0] for name, values in history.items()})
        held_out = twin.evaluate(xv, yv, batch_size=16, verbose=0, return_dict=True)
        rows.append(logs | expanded({f"val_{name}": value for name, value in held_out.items()}))
    return {name: [row[name] for row in rows] for name in rows[0]}


def expanded(logs):
    arrays = {name: np.asarray(keras.ops.convert_to_numpy(value)) for name, value in logs.items()}
    many = {f"{name}_{i}": one for name, array in arrays.items() if array.ndim for i, one in enumerate(array)}
    return {name: float(array) for name, array in arrays.items() if not array.ndim} | many


@pytest.mark.parametrize(("kind", "number"), LISTED)
def test_both_engines_log_what_fit_logs(kind, number):
    model, (y, yv) = compiled(kind, number), KINDS[kind][3]
    given = {"epochs": 2, "batch_size": 16, "shuffle": False, "validation_data": (XV, yv)}
    expected = fitted(model, X, y, XV, yv)
    assert len(expected) >= 4
    for engine in ("keras", "fused"):
        study = gg.Study(model, seeds=1, engine=engine, initial_weights="keep")
        history = study.run(X, y, progress=False, **given).history
        for name, values in expected.items():
            np.testing.assert_allclose(
                history[name].values[0, 0], values, rtol=1e-4, atol=1e-5, err_msg=f"{engine} {name}"
            )


class Guide(keras.Model):
    """A `train_step` as Keras' guide on custom training writes it, for torch."""

    def train_step(self, data):
        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        loss.backward()
        variables = list(self.trainable_weights)
        gradients = [variable.value.grad for variable in variables]
        with torch.no_grad():
            self.optimizer.apply(gradients, variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class Tracked(keras.Model):
    """Its own tracker is fed by its `train_step` alone."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.surprise = metrics.Mean(name="surprise")

    def train_step(self, data):
        x, y, *_ = data
        self.surprise.update_state(ops.mean(ops.abs(y - self(x))))
        return super().train_step(data)


def guided(cls):
    keras.utils.set_random_seed(4)
    inputs = keras.Input((3,))
    model = cls(inputs, layers.Dense(1)(layers.Dense(4, "tanh")(inputs)))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("cls", [Guide, Tracked])
@pytest.mark.parametrize("engine", ["keras", "fused"])
def test_a_train_step_of_ones_own_gets_what_fit_gives_it(cls, engine):
    model = guided(cls)
    given = {"epochs": 2, "batch_size": 16, "shuffle": False, "validation_data": (XV, NUMBERV)}
    expected = fitted(model, X, NUMBER[:, None], XV, NUMBERV[:, None])
    study = gg.Study(model, seeds=1, engine=engine, initial_weights="keep")
    result = study.run(X, NUMBER, progress=False, **given)
    for name in ("loss", "mae", "val_loss", "val_mae", *(("surprise",) if cls is Tracked else ())):
        np.testing.assert_allclose(result.history[name].values[0, 0], expected[name], rtol=1e-5, err_msg=name)
    assert "val_surprise" not in result.history  # nothing was measured there: Keras' fit would log 0


def test_a_train_step_of_ones_own_gets_weights_where_there_are_some():
    seen = []

    class Weighing(keras.Model):
        def train_step(self, data):
            seen.append(len(data))
            return super().train_step(data)

    model, weight = guided(Weighing), np.linspace(0.5, 1.5, 40).astype(np.float32)
    gg.Study(model, seeds=1).run(X, NUMBER, sample_weight=weight, epochs=1, progress=False)
    gg.Study(model, seeds=1).run(X, NUMBER, epochs=1, progress=False)
    assert seen == [3, 3, 2, 2]
