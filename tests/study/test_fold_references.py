"""References beside a resampled study: fitted in every fold, as scikit-learn fits them there."""

import keras
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gengap as gg
from gengap.datasets.folds import fold_seed

FIT = {"epochs": 2, "batch_size": 16, "progress": False}
C = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2)


def network():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(3)
    x = (5 + 20 * rng.normal(size=(90, 4))).astype(np.float32)
    return gg.Split(x, (x[:, 0] > 5 + 15 * rng.normal(size=90)).astype(int))


@pytest.fixture(scope="module")
def result(pool):
    given = {"logistic": "linear", "forest": RandomForestClassifier(5)}
    study = gg.Study(network(), seeds=3, references=given)
    return study.run(pool, cv=3, preprocess=StandardScaler(), **FIT)


def test_every_fold_fits_and_chooses_on_its_own_cases(pool, result):
    """By hand: the fold's training cases fit, the next fold (its inner validation) chooses, its test cases are read."""
    fold, inner = (getattr(result, part)["fold"].to_numpy() for part in ("test", "validation"))
    for seed in range(3):
        for place in range(3):
            test, validation = fold[seed] == place, inner[seed] == place
            train = ~(test | validation)
            scaler = StandardScaler().fit(pool.x[train])
            x = {"train": scaler.transform(pool.x[train]), "validation": scaler.transform(pool.x[validation])}
            fits = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=3000)) for c in C]
            fits = [one.fit(x["train"], pool.y[train]) for one in fits]
            chances = [one.predict_proba(x["validation"])[np.arange(30), pool.y[validation]] for one in fits]
            best = fits[int(np.argmin([-np.log(p).mean() for p in chances]))]
            forest = RandomForestClassifier(5, random_state=fold_seed(seed, place) % 2**32)
            forest.fit(x["train"], pool.y[train])
            for name, fit in (("logistic", best), ("forest", forest)):
                wanted = fit.predict_proba(scaler.transform(pool.x[test]))[:, 1]
                found = result.test["prediction_best"].sel(variant=name, seed=seed).to_numpy()[test]
                np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_they_are_rows_like_any_other_for_new_training_sets(result):
    said = gg.compare(result)
    assert "new training sets of 30 cases" in said.table.title
    assert {"logistic", "forest"} <= {one.variant for one in said.contrasts}
    assert (
        "folds, by each fold's own validation score" in result.manifest["variants"]["logistic"]["reference"]["chosen"]
    )
    advice = gg.recommend(result)
    assert {one.variant for one in advice.options} == {"baseline", "logistic", "forest"}
    assert [one.code for one in advice.findings] == ["GG201"] * len(advice.findings) != []
    assert all("for new training sets of 30 cases" in str(one) for one in advice.findings)


def test_a_deterministic_one_is_the_same_for_all_seeds_of_one_division(pool):
    study = gg.Study(network(), seeds=2, references=["linear"])
    crossed = study.run(pool, cv=gg.CrossValidation(3, redraw=False), **FIT)
    first, second = crossed.test["prediction_best"].sel(variant="logistic regression").to_numpy()
    assert np.array_equal(first, second)
    assert np.isfinite(first).all()


def test_a_store_keeps_them_over_more_and_fewer_passes(pool, tmp_path):
    def study(seeds):
        return gg.Study(network(), seeds=seeds, references=["linear"], storage=tmp_path)

    few = study(2).run(pool, cv=3, **FIT)
    more = study(3).run(pool, cv=3, **FIT)
    again = study(2).run(pool, cv=3, **FIT)
    name, part = "logistic regression", "prediction_best"
    assert again.test.equals(few.test)
    assert gg.load(tmp_path).test.equals(more.test)
    assert np.isfinite(more.test[part].sel(variant=name)).all()
    assert np.array_equal(more.test[part].sel(variant=name, seed=[0, 1]), few.test[part].sel(variant=name))
