"""Simple models beside the networks: the same cases, rows like any other, and what is said where they do as well."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers
from scipy import sparse
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gengap as gg
from gengap.analysis.cases import held_out
from gengap.analysis.comparison.estimators import case_values


def net(width, *, units=16, task="binary", labels=1, rate=0.02):
    last = {"binary": "sigmoid", "multiclass": "softmax", "regression": None}[task]
    loss = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "regression": "mse"}[task]
    model = keras.Sequential([
        keras.Input((width,)), layers.Dense(units, activation="relu"), layers.Dense(labels, activation=last),
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


def taught(teacher, *, n=(400, 200, 800), seed=0, width=6):
    """Synthetic cases of a known probability."""
    rng = np.random.default_rng(seed)

    def split(many):
        x = rng.normal(size=(many, width)).astype("float32")
        return gg.Split(x, (rng.random(many) < 1 / (1 + np.exp(-teacher(x)))).astype(int))

    train, validation, test = map(split, n)
    return gg.Dataset(
        "taught", "binary", train, validation, test, "", (), ("no", "yes"), "", synthetic=True, licence="", citation=""
    )


@pytest.fixture(scope="module")
def linear():
    data = taught(lambda x: 1.5 * x[:, 0] - x[:, 1])
    study = gg.Study(net(6, units=64), seeds=5, references=["linear", "boosted_trees"])
    return data, study.run(data, epochs=12, batch_size=16, progress=False)


def test_a_logistic_teacher_makes_the_reference_win_and_it_is_said(linear):
    _, result = linear
    said = gg.recommend(result)
    assert said.choice.variant == "logistic regression"
    [finding] = [one for one in said.findings if one.subject == "logistic regression"]
    assert finding.code == "GG201"
    assert finding.message.key == "GG201" or finding.values["least"] > 0
    assert "GG201 logistic regression" in str(said)


def test_a_deep_teacher_does_not():
    data = taught(lambda x: 4 * np.sign(x[:, 0] * x[:, 1]), n=(1500, 300, 600))
    study = gg.Study(net(6, units=32), seeds=4, references=["linear"])
    said = gg.recommend(study.run(data, epochs=20, batch_size=32, progress=False))
    assert said.choice.variant == "baseline"
    assert said.findings == ()
    assert "logistic regression" not in {one.variant for one in said.best_set}


def test_the_reference_is_what_scikit_learn_gives(linear):
    data, result = linear
    said = result.manifest["variants"]["logistic regression"]["reference"]
    assert said["varies_with_seed"] is False
    losses, fits = [], []
    for strength in (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2):
        fit = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=3000))
        fits.append(fit.fit(data.train.x, data.train.y))
        p = fit.predict_proba(data.validation.x)[:, 1]
        losses.append(-np.mean(np.log(np.where(data.validation.y == 1, p, 1 - p))))
    wanted = fits[int(np.argmin(losses))].predict_proba(data.test.x)[:, 1]
    for rule in ("best", "last"):
        found = result.test[f"prediction_{rule}"].sel(variant="logistic regression").to_numpy()
        np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=1e-6)
    assert int(result.runs["parameters"].sel(variant="logistic regression")[0]) == 7


def test_rows_of_the_comparison_are_paired_by_case(linear):
    _, result = linear
    row = next(one for one in gg.compare(result).contrasts if one.variant == "logistic regression")
    held = held_out(result, "test")
    mine, other = (case_values(result, held, name, rule="best", score="log_loss") for name in (row.variant, "baseline"))
    assert row.difference == pytest.approx((mine - other).mean())
    assert np.ptp(mine, axis=0).max() == 0
    assert row.low < row.difference < row.high
    assert np.isfinite([row.p, row.se]).all()
    gate = gg.gate(result, variant="logistic regression", against="baseline", no_worse_than=0.5)
    assert gate.exit_code == 0


def test_curves_diagnosis_and_report_speak_of_networks_alone(linear, tmp_path, draw_only):
    _, result = linear
    assert [one.variant for one in gg.diagnose(result).variants] == ["baseline"]
    assert not [one for one in gg.audit(result).findings if "regression" in str(one.subject)]
    assert gg.early_stopping(result, patience=3).column("variant") == ("baseline",)
    assert gg.summarize(result).column("variant").count("logistic regression") == 1
    for lang in ("en", "zh"):
        page = tmp_path / f"{lang}.html"
        gg.report(result, page, lang=lang)
        draw_only()  # the first page is drawn
        assert "logistic regression" in page.read_text()
        assert "GG201" in page.read_text()


def test_no_model_of_keras_is_shipped_of_a_reference(linear):
    _, result = linear
    with pytest.raises(gg.errors.ModelError, match="recommended option is 'logistic regression'"):
        gg.ship(result)
    gg.ship(result, "baseline")


def test_a_folder_keeps_them(tmp_path):
    data = taught(lambda x: x[:, 0], n=(80, 40, 40))
    forest = {"forest": RandomForestClassifier(5, max_depth=3)}
    study = gg.Study(net(6), seeds=2, references=forest, storage=tmp_path / "study")
    first = study.run(data, epochs=1, progress=False)
    assert first.manifest["variants"]["forest"]["reference"]["varies_with_seed"] is True
    again = gg.load(tmp_path / "study")
    assert again.variants == ("baseline", "forest")
    np.testing.assert_array_equal(again.test["prediction_best"], first.test["prediction_best"])
    more = study.with_seeds(3).run(data, epochs=1, progress=False)
    np.testing.assert_array_equal(more.test["prediction_best"][:, :2], first.test["prediction_best"])
    more.save(tmp_path / "saved")
    assert gg.load(tmp_path / "saved").variants == ("baseline", "forest")
    assert gg.load(tmp_path / "saved").runs["parameters"].dtype.kind == "i"


def test_a_random_state_of_the_users_stays(tmp_path):
    data = taught(lambda x: x[:, 0], n=(80, 40, 40))
    fixed = {"forest": RandomForestClassifier(5, max_depth=3, random_state=3)}
    result = gg.Study(net(6), seeds=2, references=fixed).run(data, epochs=1, progress=False)
    wanted = RandomForestClassifier(5, max_depth=3, random_state=3).fit(data.train.x, data.train.y)
    found = result.test["prediction_best"].sel(variant="forest").to_numpy()
    np.testing.assert_allclose(found, [wanted.predict_proba(data.test.x)[:, 1]] * 2, atol=1e-7)
    assert fixed["forest"].get_params()["random_state"] == 3
    assert not hasattr(fixed["forest"], "classes_")  # the user's own is not fitted


def test_regression_several_targets_and_more_axes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 3, 2)).astype("float32")
    y = np.stack([x[:, 0, 0], x[:, 1, 1] ** 2], axis=1)
    model = keras.Sequential([keras.Input((3, 2)), layers.Flatten(), layers.Dense(2)])
    model.compile("adam", "mse")
    study = gg.Study(model, seeds=2, references=["linear", "boosted_trees"])
    parts = {"validation_data": (x[80:110], y[80:110]), "test_data": (x[110:], y[110:])}
    result = study.run(x[:80], y[:80], **parts, epochs=1, progress=False)
    said = result.manifest["variants"]["ridge regression"]["reference"]
    assert said["inputs"] == "inputs of shape (3, 2) are flattened"
    found = result.test["prediction_best"].sel(variant="ridge regression", seed=0).to_numpy()
    chosen = float(said["chosen"].partition("=")[2].split()[0])
    wanted = make_pipeline(StandardScaler(), Ridge(alpha=chosen)).fit(x[:80].reshape(80, -1), y[:80])
    np.testing.assert_allclose(found, wanted.predict(x[110:].reshape(40, -1)), atol=1e-5)
    assert gg.recommend(result).choice.variant != "baseline"


def test_sparse_rows_go_in_as_they_are_and_weights_count():
    rng = np.random.default_rng(1)
    dense = (rng.random((160, 30)) < 0.1).astype("float32")
    y = (dense[:, :3].sum(axis=1) > 0).astype(int)
    x, weight = sparse.csr_matrix(dense), rng.random(100) + 0.1
    study = gg.Study(net(30), seeds=2, references={"logistic": LogisticRegression(C=2.0)})
    parts = {"validation_data": (x[100:130], y[100:130]), "test_data": (x[130:], y[130:])}
    result = study.run(x[:100], y[:100], sample_weight=weight, **parts, epochs=1, progress=False)
    wanted = LogisticRegression(C=2.0).fit(x[:100], y[:100], sample_weight=weight)
    found = result.test["prediction_best"].sel(variant="logistic", seed=1)
    np.testing.assert_allclose(found, wanted.predict_proba(x[130:])[:, 1], atol=1e-6)
    with pytest.raises(gg.errors.DataError, match="take dense rows"):
        gg.Study(net(30), seeds=2, references=["boosted_trees"]).run(x[:100], y[:100], **parts, epochs=1)


def test_a_label_that_training_lacks_has_no_probability():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(90, 4)).astype("float32")
    y = np.r_[rng.integers(0, 2, 60), rng.integers(0, 3, 30)]
    study = gg.Study(net(4, task="multiclass", labels=3), seeds=2, references=["linear"])
    result = study.run(x[:60], y[:60], validation_data=(x[60:], y[60:]), epochs=1, progress=False)
    found = result.validation["prediction_best"].sel(variant="logistic regression").to_numpy()
    assert (found[..., 2] == 0).all()
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)


def test_wrong_references_are_refused_before_anything_is_trained(linear):
    data, _ = linear
    for match, given in {
        "no reference 'lasso'": ["lasso"],
        "without 'predict_proba'": {"ridge": Ridge()},
        "already a variant named 'baseline'": {"baseline": LogisticRegression()},
    }.items():
        with pytest.raises(gg.errors.GengapError, match=match):
            gg.Study(net(6), references=given)
    broken = gg.Study(net(6), seeds=2, references={"trees": LogisticRegression(C=-1.0)})
    with pytest.raises(gg.errors.DataError, match="'trees' cannot be fitted"):
        broken.run(data, epochs=1, progress=False)
    weighed = replace(data, train=replace(data.train, sample_weight=np.ones(len(data.train))))

    class Plain(DummyClassifier):
        def fit(self, X, y):
            return super().fit(X, y)

    with pytest.raises(gg.errors.DataError, match="takes none"):
        gg.Study(net(6), seeds=2, references={"plain": Plain()}).run(weighed, epochs=1, progress=False)
    with pytest.raises(gg.errors.DataError, match="not finite"):
        gg.Study(net(10, task="regression"), seeds=2, references={"mean": Nan()}).run(
            gg.datasets.diabetes(), epochs=1, progress=False
        )


class Nan(DummyRegressor):
    """Forecasts nothing."""

    def predict(self, X):
        return np.full(len(X), np.nan)


def test_trees_of_a_regression():
    data = gg.datasets.diabetes()
    study = gg.Study(net(10, task="regression"), seeds=2, references=["boosted_trees"])
    result = study.run(data, epochs=1, progress=False)
    said = result.manifest["variants"]["gradient-boosted trees"]["reference"]["chosen"]
    rounds = int(said.partition("=")[2].split()[0])
    wanted = HistGradientBoostingRegressor(max_iter=rounds, early_stopping=False).fit(data.train.x, data.train.y)
    found = result.test["prediction_best"].sel(variant="gradient-boosted trees", seed=0)
    np.testing.assert_allclose(found, wanted.predict(data.test.x), atol=1e-5)


@pytest.mark.parametrize(
    ("noise", "words"), [(0.22, "the reference is ahead"), (0.28, "the network is ahead by no more than the 0.50")]
)
def test_a_finding_says_which_of_the_two_is_ahead(noise, words):
    """`Ahead by no more than the tolerance` was said of networks that were far behind."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    net, one = (np.clip(y + rng.normal(0, sd, (3, 60)), 0.05, 0.95) for sd in (0.33, noise))
    result = gg.Result.from_predictions(
        y, {"net": net, "ref": one[:1].repeat(3, axis=0)}, task="binary", score="brier_score"
    )
    result.manifest["variants"]["ref"]["reference"] = "made"
    said = gg.recommend(result, tolerance=0.5)
    (finding,) = said.findings
    assert words in str(finding)
    scores = {one.variant: one.score for one in said.options}
    assert ("reference is ahead" in words) == (scores["ref"] < scores["net"])
