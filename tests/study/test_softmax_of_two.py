"""A softmax of two units answers yes or no: the same scores as the sigmoid net that gives the same probabilities."""

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.keras_models.outputs import describe_output

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=120) > 0).astype(int)
KERNEL = np.array([[1.5], [-0.5], [0.25]], np.float32)
LOSSES = {
    "sparse_categorical_crossentropy": ("softmax", "sparse_categorical_crossentropy"),
    "categorical_crossentropy": ("softmax", "categorical_crossentropy"),
    "binary_crossentropy": ("softmax", "binary_crossentropy"),
    "logits": (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
}


def net(width, activation, loss):
    """A net of known weights; the second of two units has the logit of yes, the first the logit 0."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(width, activation=activation)])
    model.compile(keras.optimizers.SGD(0.0), loss)
    kernel = KERNEL if width == 1 else np.concatenate([np.zeros_like(KERNEL), KERNEL], axis=1)
    model.layers[-1].set_weights([kernel, np.zeros(width, np.float32)])
    return model


def trained(models, y=Y, **more):
    study = gg.Study(models, seeds=1, initial_weights="keep", **more)
    return study.run(X[:80], y[:80], validation_data=(X[80:], y[80:]), epochs=1, progress=False)


@pytest.fixture(scope="module")
def of_sigmoid():
    return trained(net(1, "sigmoid", "binary_crossentropy"), engine="keras")


@pytest.mark.parametrize("engine", ["keras", "fused"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_score_is_that_of_the_sigmoid_net(loss, engine, of_sigmoid):
    result = trained(net(2, *LOSSES[loss]), engine=engine)
    assert result.task == "binary"
    assert "label" not in result.validation.dims
    np.testing.assert_allclose(
        result.validation["prediction_last"], of_sigmoid.validation["prediction_last"], rtol=1e-5
    )
    found, wanted = gg.verify(result), gg.verify(of_sigmoid)
    assert set(found) == set(wanted) >= {"brier_score", "roc_auc", "miscalibration"}
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5)


def test_both_kinds_of_net_are_compared_and_one_hot_answers_taken():
    models = {"one": net(1, "sigmoid", "binary_crossentropy"), "two": net(2, *LOSSES["categorical_crossentropy"])}
    result = trained(models)
    one_hot = trained(models["two"], y=np.eye(2)[Y])
    np.testing.assert_array_equal(one_hot.validation["y_true"], Y[80:])
    scores = result.history["val_score"].isel(epoch=-1).values
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)


def test_who_declares_two_labels_keeps_them():
    assert describe_output(net(2, *LOSSES["logits"]), task="multiclass").task == "multiclass"


def test_a_forecast_of_members_is_of_yes():
    model = keras.Sequential([keras.Input((3,)), layers.Dropout(0.5), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    forecast = gg.predict_distribution(model, X[:4], num_members=8)
    assert forecast.members.dims == ("member", "sample")
    np.testing.assert_allclose(forecast.deterministic, model.predict(X[:4], verbose=0)[:, 1], rtol=1e-5)


def test_held_out_cases_of_one_label_are_scored_where_a_score_is_defined(tmp_path):
    y = np.r_[Y[:80], np.zeros(40, int)]
    result = trained(net(1, "sigmoid", "binary_crossentropy"), y=y, engine="keras")
    found = gg.verify(result)
    expected = -np.log1p(-result.validation["prediction_best"].values[0, 0].astype(np.float64)).mean()
    np.testing.assert_allclose(found["log_loss"].item(), expected, rtol=1e-6)
    assert np.isnan(found["roc_auc"]).all()
    assert "GG324" in gg.audit(result).codes
    gg.report(result, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
