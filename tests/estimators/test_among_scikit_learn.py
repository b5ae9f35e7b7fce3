"""Studies as estimators: in pipelines, searches and routing, on labels of any kind, leaving everything as it was."""

import pickle
import random

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import gengap as gg
from gengap.errors import DataError, ModelError

SHORT = {"epochs": 3}


@pytest.fixture(scope="module")
def iris():
    x, codes = load_iris(return_X_y=True)
    return x, np.array(["setosa", "versicolor", "virginica"], dtype=object)[codes]


def keras_way(X, y, units=8):
    """What `keras.wrappers.SKLearnClassifier` is given: as many outputs as the one-hot `y` has columns."""
    layers = [keras.Input((X.shape[1],)), keras.layers.Dense(units, "relu"), keras.layers.Dense(y.shape[1], "softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.05), "categorical_crossentropy")
    return model


def legacy_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002  it is what must not move


def test_learns_labels_that_are_words(iris):
    x, y = iris
    fitted = gg.StudyClassifier(keras_way, seeds=2, remedies=["dropout(0.2)"], fit_kwargs={"epochs": 15}).fit(x, y)
    assert fitted.score(x, y) > 0.9
    assert list(fitted.classes_) == sorted(set(y))
    assert fitted.predict_proba(x).sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert fitted.result_.variants == ("baseline", "dropout(0.2)")
    assert fitted.variant_ in fitted.result_.variants
    assert isinstance(fitted.model_, keras.Model)


def test_a_fit_trains_as_many_epochs_as_are_promised_and_then_all_cases(iris):
    x, y = iris
    fitted = gg.StudyClassifier(seeds=2, remedies=["l2(0.01)"], ensemble=True, fit_kwargs=SHORT).fit(x, y)
    assert int(fitted.result_.runs["epochs"].sum()) == 2 * 2 * 3
    assert fitted.result_.manifest["data"]["n_train"] == 120
    assert fitted.result_.manifest["data"]["n_validation"] == 30
    assert len(fitted.history_["loss"]) == fitted.epochs_ <= 3
    assert len(fitted.models_) == 2
    alone = [fitted._fitted.kind.of_labels and model.predict(x, verbose=0) for model in fitted.models_]
    assert fitted.predict_proba(x) == pytest.approx(np.mean(alone, axis=0), abs=1e-6)


def test_the_choice_is_what_a_study_of_ones_own_recommends(iris):
    x, y = iris
    fitted = gg.StudyClassifier(keras_way, seeds=2, cv=3, fit_kwargs=SHORT).fit(x, y)
    codes = np.unique(y, return_inverse=True)[1]
    study = gg.Study(keras_way(x, np.eye(3)), seeds=2)
    result = study.run(x, codes, cv=3, epochs=3, progress=False)
    assert fitted.result_.test["prediction_best"].to_numpy() == pytest.approx(
        result.test["prediction_best"].to_numpy(), abs=1e-6
    )
    assert fitted.variant_ == gg.recommend(result).choice.variant


def test_serves_in_a_pipeline_a_search_and_a_cross_validation(iris):
    x, y = iris
    pipeline = make_pipeline(StandardScaler(), gg.StudyClassifier(keras_way, seeds=1, fit_kwargs=SHORT))
    grid = {"studyclassifier__remedies": [(), ("l2(0.5)",)], "studyclassifier__model_kwargs": [{"units": 4}]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(x, y)
    assert search.best_estimator_[-1].model_.layers[0].units == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert (
        len(cross_val_score(gg.StudyRegressor(seeds=1, fit_kwargs=SHORT), *load_diabetes(return_X_y=True), cv=2)) == 2
    )


def test_takes_mixed_columns_by_a_column_transformer():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"size": rng.normal(size=80), "colour": rng.choice(["red", "blue"], 80)})
    y = np.where((table["size"] > 0) ^ (table["colour"] == "red"), "yes", "no")
    encoded = ColumnTransformer([("words", OneHotEncoder(), ["colour"])], remainder=StandardScaler())
    pipeline = make_pipeline(encoded, gg.StudyClassifier(seeds=1, fit_kwargs={"epochs": 5})).fit(table, y)
    assert pipeline.predict(table.head(3)).shape == (3,)


def test_keeps_text_sparse_all_the_way(monkeypatch):
    texts = ["good film", "fine film indeed", "bad film", "awful film indeed"] * 15
    y = [True, True, False, False] * 15
    densified = []
    whole = sparse.csr_matrix.toarray
    monkeypatch.setattr(sparse.csr_matrix, "toarray", lambda own, *a, **k: densified.append(own.shape[0]) or whole(own))
    fitted = make_pipeline(TfidfVectorizer(), gg.StudyClassifier(seeds=2, fit_kwargs={"epochs": 20})).fit(texts, y)
    assert max(densified, default=0) < len(texts)
    assert fitted.predict(["good film", "awful film"]).tolist() == [True, False]


def test_groups_and_weights_are_routed(iris):
    x, y = iris
    groups = np.arange(150) // 2
    with sklearn.config_context(enable_metadata_routing=True):
        asked = gg.StudyClassifier(keras_way, seeds=1, fit_kwargs=SHORT)
        asked = asked.set_fit_request(groups=True, sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(
            asked,
            x,
            y,
            cv=GroupKFold(2),
            params={"groups": groups, "sample_weight": np.linspace(0.5, 1, 150)},
            return_estimator=True,
            return_indices=True,
        )
    for fitted, rows in zip(found["estimator"], found["indices"]["train"], strict=True):
        held = fitted.result_.validation
        assert set(held["group"].to_numpy()) <= set(groups[rows])
        assert np.isin(groups[rows], held["group"].to_numpy()).sum() == held.sizes["sample"]  # whole groups
        assert set(np.round(held["sample_weight"].to_numpy(), 6)) <= set(np.round(np.linspace(0.5, 1, 150)[rows], 6))


def test_weights_of_labels_are_weights_of_their_cases(iris):
    x, y = iris
    one = {"seeds": 1, "fit_kwargs": {"epochs": 1}}
    by_label = gg.StudyClassifier(keras_way, class_weight={"setosa": 5.0}, **one).fit(x, y)
    by_case = gg.StudyClassifier(keras_way, **one).fit(x, y, sample_weight=np.where(y == "setosa", 5.0, 1.0))
    plain = gg.StudyClassifier(keras_way, **one).fit(x, y)
    assert by_label.predict_proba(x) == pytest.approx(by_case.predict_proba(x), abs=1e-6)
    assert by_label.predict_proba(x) != pytest.approx(plain.predict_proba(x), abs=1e-3)
    balanced = gg.StudyClassifier(class_weight="balanced")._class_weight(np.array(["a", "b"]), np.array([0, 0, 0, 1]))
    assert balanced == pytest.approx({0: 4 / 6, 1: 2.0})


def test_nothing_of_the_users_changes(iris):
    x, y = iris
    model, kwargs = keras_way(x, np.eye(3)), {"epochs": 2}
    before = [weight.copy() for weight in model.get_weights()]
    states = legacy_state(), random.getstate(), torch.random.get_rng_state()
    estimator = gg.StudyClassifier(model, seeds=1, fit_kwargs=kwargs)
    first = clone(estimator).fit(x, y).predict_proba(x)
    assert estimator.fit(x, y).predict_proba(x) == pytest.approx(first, abs=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert kwargs == {"epochs": 2}
    assert np.array_equal(legacy_state(), states[0])
    assert random.getstate() == states[1]
    assert torch.equal(torch.random.get_rng_state(), states[2])
    assert pickle.loads(pickle.dumps(estimator)).predict_proba(x) == pytest.approx(first, abs=0)


def test_a_model_that_is_made_in_a_fit_moves_no_generator_either(iris):
    x, y = iris
    states = legacy_state(), random.getstate(), torch.random.get_rng_state()
    for model in (None, keras_way):
        gg.StudyClassifier(model, seeds=1, fit_kwargs={"epochs": 1}).fit(x, y)
    assert np.array_equal(legacy_state(), states[0])
    assert random.getstate() == states[1]
    assert torch.equal(torch.random.get_rng_state(), states[2])


@pytest.mark.parametrize("weights", ["auto", "fresh"])
def test_a_layer_that_the_choice_thawed_starts_from_its_weights_on_all_cases_too(iris, weights):
    x, y = iris[0], np.unique(iris[1], return_inverse=True)[1]
    given = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(3, "softmax")])
    given.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    given.fit(x, y, epochs=3, verbose=0)
    given.layers[0].trainable = False
    given.compile(keras.optimizers.SGD(1e-4), "sparse_categorical_crossentropy")
    asked = {"initial_weights": weights}
    fitted = gg.StudyClassifier(given, remedies=["learning_rate(300)+thaw()"], seeds=1, study_kwargs=asked)
    fitted.set_params(fit_kwargs={"epochs": 1}).fit(x, y)
    assert "thaw" in fitted.variant_
    before, after = (model.layers[0].kernel.numpy() for model in (given, fitted.model_))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9  # drawn anew it has nothing in common


def test_strengths_are_searched_in_place_of_given_remedies(iris):
    pytest.importorskip("optuna")
    x, y = iris
    space = {gg.L2: (1e-4, 1e-1)}
    found = gg.StudyClassifier(keras_way, search=space, n_trials=3, seeds=2, fit_kwargs=SHORT).fit(x, y)
    assert found.variant_ in found.result_.variants
    assert len(found.result_.manifest["search"]["trials"]) == 3
    assert found.predict_proba(x).shape == (150, 3)
    with pytest.raises(DataError, match="leave out `remedies` and `cv`"):
        gg.StudyClassifier(keras_way, search=space, remedies=["l2(0.1)"]).fit(x, y)


def test_rates_that_callbacks_set_are_those_of_the_last_training_too(iris):
    x, y = iris
    given = {"callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (1 + epoch))]}
    fitted = gg.StudyClassifier(seeds=1, fit_kwargs={**SHORT, "epochs": 3}, study_kwargs=given).fit(x, y)
    rates = [0.01 / (1 + epoch) for epoch in range(fitted.epochs_)]
    np.testing.assert_allclose(fitted.history_["learning_rate"], rates, rtol=1e-6)
    blind = {"callbacks": [keras.callbacks.ReduceLROnPlateau()]}
    with pytest.raises(DataError, match="monitor='loss'"):
        gg.StudyClassifier(seeds=1, fit_kwargs=SHORT, study_kwargs=blind).fit(x, y)


def test_references_stand_beside_and_are_not_chosen(iris):
    x, y = iris
    fitted = gg.StudyClassifier(seeds=1, fit_kwargs=SHORT, study_kwargs={"references": ["linear"]}).fit(x, y)
    assert fitted.result_.variants == ("baseline", "logistic regression")
    assert fitted.variant_ == "baseline"


def test_answers_far_from_zero_beside_their_spread_are_learned_as_well():
    x, y = load_diabetes(return_X_y=True)
    pressure = 101_325 + 50 * (y - y.mean()) / y.std()  # Pa
    assert gg.StudyRegressor(seeds=1, fit_kwargs={"epochs": 20}).fit(x, pressure).score(x, pressure) > 0.4


def test_predicts_several_numbers():
    x, y = load_diabetes(return_X_y=True)
    both = np.stack([y, -3 * y], axis=1)
    fitted = gg.StudyRegressor(seeds=1, fit_kwargs={"epochs": 25, "batch_size": 16}).fit(x, both)
    assert fitted.predict(x).shape == both.shape
    assert fitted.score(x, both) > 0.3


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"model": 3}, ModelError, "function of `X, y`"),
        ({"model_kwargs": {"units": 3}}, ModelError, "give one as `model`"),
        ({"model": lambda X, y: None}, ModelError, "returned NoneType"),
        ({"fit_kwargs": {"class_weight": {0: 1}}}, TypeError, "classifiers have it"),
        ({"fit_kwargs": {"validation_split": 0.1}}, TypeError, "a fifth of the cases"),
        ({"fit_kwargs": {"steps_per_epoch": 3}}, TypeError, "received `steps_per_epoch`"),
        ({"fit_kwargs": "epochs"}, TypeError, "must be a mapping"),
        ({"study_kwargs": ["score"]}, TypeError, "must be a mapping"),
        ({"study_kwargs": {"seeds": 4}}, TypeError, "give `seeds=` to the estimator"),
        ({"class_weight": {"setosa": "two"}}, DataError, "must hold numbers"),
        ({"remedies": ["subsample(0.5)"]}, DataError, "no model to predict with"),
        ({"class_weight": {"setosaa": 2}}, DataError, "the labels of y are"),
        ({"class_weight": "even"}, DataError, "'balanced' or None"),
    ],
)
def test_refuses_in_a_sentence(iris, arguments, error, said):
    with pytest.raises(error, match=said):
        gg.StudyClassifier(**arguments).fit(*iris)


def test_a_label_with_one_case_cannot_be_chosen_on(iris):
    x, _ = iris
    with pytest.raises(DataError, match=r"labels count \[149, 1\] cases"):
        gg.StudyClassifier(seeds=1).fit(x, np.arange(150) == 7)


def test_a_model_of_other_labels_is_refused(iris):
    x, y = iris
    with pytest.raises(ModelError, match="forecasts 2 labels, and `y` has 3"):
        gg.StudyClassifier(keras_way(x, np.eye(2)), seeds=1).fit(x, y)
    with pytest.raises(ModelError, match="needs a model of numbers"):
        gg.StudyRegressor(keras_way(x, np.eye(2)), seeds=1).fit(x, x[:, 0])
