"""Studies end to end, on data small enough to train in a moment."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import log_loss

import gengap as gg
from gengap.datasets import Dataset, Split
from gengap.errors import DataError, ModelError, UnknownNameError
from gengap_examples.demos import review_models, storm_models

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] + RNG.normal(size=150) > 0).astype(int)
HELD_OUT = {"validation_data": (X[90:120], Y[90:120]), "test_data": (X[120:], Y[120:])}


def net(units=1, activation="sigmoid", loss="binary_crossentropy", inputs=6, **compile_arguments):
    model = keras.Sequential(
        [keras.Input((inputs,)), layers.Dense(8, activation="relu"), layers.Dense(units, activation=activation)]
    )
    model.compile("rmsprop", loss, **compile_arguments)
    return model


def run(model, x=X[:90], y=Y[:90], *, remedies=(), seeds=2, epochs=2, engine="keras", held_out=HELD_OUT, **arguments):
    study = gg.Study(model, remedies=remedies, seeds=seeds, engine=engine)
    return study.run(x, y, epochs=epochs, batch_size=16, progress=False, **(held_out | arguments))


@pytest.fixture(scope="module")
def result():
    return run(net(metrics=["accuracy"]), remedies=["dropout(0.5)", gg.L2(0.01), gg.Subsample(0.5)], seeds=3, epochs=3)


def test_a_result_has_the_dims_and_names_of_the_vocabulary(result):
    assert result.variants == ("baseline", "dropout(0.5)", "l2(0.01)", "subsample(0.5)")
    assert result.history["val_score"].dims == ("variant", "seed", "epoch")
    assert result.history["epoch"].values.tolist() == [1, 2, 3]
    assert {"loss", "penalty", "train_score", "val_score", "val_loss", "accuracy", "val_accuracy"} <= set(
        result.history
    )
    assert result.test["prediction_best"].dims == ("variant", "seed", "sample")
    assert result.validation["prediction_epochs"].shape == (4, 3, 3, 30)
    assert result.manifest["data"]["training_climatology"] == pytest.approx(Y[:90].mean())


def test_the_penalty_stands_apart(result):
    assert (result.history["penalty"].sel(variant="l2(0.01)") > 0).all()
    assert (result.history["penalty"].sel(variant=["baseline", "dropout(0.5)"]) == 0).all()


def test_the_common_score_is_that_of_the_stored_predictions(result):
    for variant in result.variants:
        for seed in result.seeds:
            last = result.validation["prediction_last"].sel(variant=variant, seed=seed)
            stated = float(result.history["val_score"].sel(variant=variant, seed=seed, epoch=3))
            assert stated == pytest.approx(log_loss(Y[90:120], last), abs=1e-6)


def test_seeds_are_paired(result):
    again = run(net(metrics=["accuracy"]), remedies=["dropout(0.0)"], seeds=[2, 0], epochs=3)
    for seed in (0, 2):
        one, other = (r.history["val_score"].sel(variant="baseline", seed=seed).values for r in (result, again))
        np.testing.assert_array_equal(one, other)
    treated = again.history["val_score"].sel(variant="dropout(0)")
    np.testing.assert_array_equal(treated, again.history["val_score"].sel(variant="baseline"))


def test_a_trained_model_is_an_ordinary_keras_model(result):
    model = result.model("dropout(0.5)", seed=1, epoch="last")
    stored = result.test["prediction_last"].sel(variant="dropout(0.5)", seed=1)
    np.testing.assert_allclose(model.predict(X[120:], verbose=0)[:, 0], stored, atol=1e-6)
    assert model.compiled
    assert isinstance(result.model("l2(0.01)"), keras.Model)
    with pytest.raises(UnknownNameError, match="seeds are"):
        result.model("baseline", seed=99)


def test_the_users_model_stays_as_it_was():
    model = net()
    before = model.get_weights()
    run(model, remedies=["width(0.5)"])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize("on", ["hidden", "kernels"])
def test_a_penalty_written_by_hand_equals_the_remedy(on):
    def by_hand():
        l2 = keras.regularizers.L2(0.01)
        model = keras.Sequential(
            [
                keras.Input((6,)),
                layers.Dense(8, activation="relu", kernel_regularizer=l2),
                layers.Dense(1, activation="sigmoid", kernel_regularizer=l2 if on == "kernels" else None),
            ]
        )
        model.compile("rmsprop", "binary_crossentropy")
        return model

    hand = run({"plain": net(), "l2": by_hand()})
    remedy = run(net(), remedies=[gg.L2(0.01, on=on)])
    for name in ("val_score", "train_score", "penalty"):
        np.testing.assert_array_equal(hand.history[name].values, remedy.history[name].values)


def test_the_nets_of_the_tutorials_have_their_parameters():
    reviews, storms = review_models(), storm_models()
    counts = {name: model.count_params() for name, model in (reviews | storms).items()}
    assert (counts["original"], counts["smaller"], counts["bigger"]) == (160_305, 40_029, 5_383_681)
    assert (counts["l2"], counts["spatial dropout"]) == (17_169, 66_337)
    assert len(reviews) == 7


def test_multiclass_takes_codes_and_one_hot():
    codes = RNG.integers(0, 3, 150)
    held_out = {"validation_data": (X[90:], codes[90:])}
    sparse = run(net(3, "softmax", "sparse_categorical_crossentropy"), X[:90], codes[:90], held_out=held_out)
    one_hot = run(net(3, "softmax", "categorical_crossentropy"), X[:90], np.eye(3)[codes[:90]], held_out=held_out)
    np.testing.assert_allclose(sparse.history["val_score"], one_hot.history["val_score"], atol=1e-6)
    assert sparse.validation["prediction_last"].dims == ("variant", "seed", "sample", "label")
    assert sparse.manifest["data"]["training_climatology"] == pytest.approx(np.bincount(codes[:90]) / 90)


def test_regression_of_one_and_of_two_targets():
    y = np.column_stack([X[:, 0], X[:, 1] ** 2])
    one = run(net(1, None, "mse"), X[:90], y[:90, 0], held_out={"validation_data": (X[90:], y[90:, :1])})
    two = run(net(2, None, "mse"), X[:90], y[:90], held_out={"validation_data": (X[90:], y[90:])})
    assert one.validation["prediction_last"].dims == ("variant", "seed", "sample")
    assert two.validation["y_true"].dims == ("sample", "label")
    assert one.score == two.score == "squared_error"


def test_validation_split_takes_the_last_rows_as_keras_does():
    split = run(net(), X[:120], Y[:120], held_out={"validation_split": 0.25})
    given = run(net(), X[:90], Y[:90], held_out={"validation_data": (X[90:120], Y[90:120])})
    np.testing.assert_array_equal(split.history["val_score"], given.history["val_score"])


def test_a_study_shows_what_it_declares():
    study = gg.Study(net(), remedies=["early_stopping(3)"], seeds=np.int64(4))
    assert repr(study) == "Study(2 variants x 4 seeds on log_loss, fused: baseline, early_stopping(3))"
    assert "patience 3" in study._repr_html_()


def test_a_plan_names_every_run_once():
    study = gg.Study(net(), remedies=["l2(0.01)", "dropout(0.5)"], seeds=3)
    plan = study.plan(X[:90], Y[:90], epochs=1, **HELD_OUT)
    planned = sorted(run for chunk in plan.chunks for run in chunk.runs)
    assert planned == sorted((run.variant, run.seed) for run in study.runs())
    assert "9 runs in" in str(plan)


def test_data_sets_and_splits_are_taken_whole():
    days = np.repeat(np.arange(15), 2)
    data = Dataset(
        "toy", "binary", Split(X[:90], Y[:90]), Split(X[90:120], Y[90:120], groups=days), Split(X[120:], Y[120:]),
        "Noise.", (), ("no", "yes"), "", synthetic=True, licence="", citation="",
    )  # fmt: skip
    whole = gg.Study(net(), seeds=1, engine="keras").run(data, epochs=1, progress=False)
    assert whole.validation["group"].values.tolist() == days.tolist()
    assert whole.manifest["data"]["synthetic"] is True
    assert whole.manifest["data"]["label_names"] == ("no", "yes")


def test_a_result_survives_the_disk(result, tmp_path):
    result.save(tmp_path / "study")
    again = gg.Result.load(tmp_path / "study")
    np.testing.assert_array_equal(again.history["val_score"], result.history["val_score"])
    loaded = again.model("l2(0.01)", seed=0).predict(X[120:], verbose=0)
    np.testing.assert_allclose(loaded, result.model("l2(0.01)", seed=0).predict(X[120:], verbose=0), atol=1e-6)


def test_different_data_have_different_fingerprints(result):
    other = run(net(), X[:90] + 1e-3, epochs=1, seeds=1)
    assert other.manifest["data"]["fingerprint"] != result.manifest["data"]["fingerprint"]


def bad(**changes):
    return {"x": X[:90], "y": Y[:90], "validation_data": HELD_OUT["validation_data"]} | changes


NAN, INFINITE = X[:90].copy(), X[:90].copy()
NAN[7, 2], INFINITE[0, 0] = np.nan, np.inf


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (bad(x=NAN), "input of the training split holds NaN or infinite values, first in case 7"),
        (bad(x=INFINITE), "holds NaN or infinite values"),
        (bad(y=np.where(np.arange(90) == 3, np.nan, Y[:90])), "Answers of the training split hold NaN"),
        (bad(y=Y[:80]), r"has 90 cases but answers of shape \(80,\)"),
        (bad(y=Y[:90] + 1), "must be the integers 0 to 1; the training split has values from 1 to 2"),
        (bad(y=Y[:90] * 0.5), "must be the integers 0 to 1"),
        (bad(y=np.zeros(90)), "holds one label only"),
        (bad(y=np.stack([Y[:90]] * 2, axis=1)), r"must have shape \(n,\)"),
        (bad(y=np.array(["no", "yes"] * 45)), "Answers must be numbers"),
        (bad(y=None), "`y` is missing"),
        (bad(x=X[:0], y=Y[:0]), "The training split is empty"),
        (bad(x=X[:90, :4]), r"takes inputs of shape \(None, 6\), but the training split has shape \(90, 4\)"),
        (bad(validation_data=(X[:90], Y[:90])), "validation split is the training split itself"),
        (bad(validation_data=(X[:0], Y[:0])), "The validation split is empty"),
        (bad(validation_data=X[:90]), "`validation_data` must be a `Split`, or a tuple"),
        (bad(validation_split=0.2), "not both"),
        (bad(validation_data=None, validation_split=1.5), "must lie between 0 and 1"),
        (bad(sample_weight=np.ones(4)), r"`sample_weight` of the training split must have shape \(90,\)"),
        (bad(sample_weight=-np.ones(90)), "must be finite, not negative"),
    ],
)
def test_bad_data_get_one_sentence_before_training(arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        gg.Study(net(), seeds=1, engine="keras").run(**arguments, epochs=1, progress=False)


@pytest.mark.parametrize(
    ("model", "arguments", "error", "sentence"),
    [
        (lambda: keras.Sequential([keras.Input((6,)), layers.Dense(1)]), {}, ModelError, "not compiled"),
        (lambda: "model.keras", {}, ModelError, "must be a keras.Model; received str"),
        (dict, {}, ModelError, "mapping of models is empty"),
        (lambda: {"a": net()}, {"remedies": ["l2(0.1)"]}, ModelError, "one model and remedies, or a mapping"),
        (lambda: {"a": net(), "b": net(1, None, "mse")}, {}, ModelError, "cannot be compared"),
        (net, {"remedies": ["l2(0.1)", gg.L2(0.1)]}, ModelError, "more than once"),
        (net, {"remedies": ["l3(0.1)"]}, UnknownNameError, "no remedy named 'l3'"),
        (net, {"remedies": [layers.Dropout]}, TypeError, "Dropout is a Keras object, not a remedy"),
        (net, {"score": "auc"}, UnknownNameError, "`score` of a binary task must be one of log_loss"),
        (net, {"engine": "warp"}, UnknownNameError, "no engine 'warp'"),
        (net, {"primary_epoch": "first"}, UnknownNameError, "no epoch rule 'first'; choose from 'best', 'last'"),
        (net, {"initial_weights": "zero"}, UnknownNameError, "no kind of initial weights"),
        (net, {"seeds": 0}, ValueError, "at least one seed"),
        (net, {"seeds": [1, 1]}, ValueError, "each once"),
        (net, {"seeds": [0.5]}, TypeError, "integers"),
    ],
)  # fmt: skip
def test_bad_declarations_get_one_sentence(model, arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        gg.Study(model(), **arguments)


@pytest.mark.parametrize("arguments", [{"epochs": 0}, {"epochs": 1.5}, {"epochs": 1, "batch_size": 0}])
def test_bad_lengths_get_one_sentence(arguments):
    with pytest.raises(ValueError, match="must be a positive integer"):
        gg.Study(net(), engine="keras").run(X[:90], Y[:90], progress=False, **arguments)
