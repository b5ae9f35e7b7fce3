"""Resampled studies: what is held out stays unseen, what is stored continues, what cannot be is refused."""

import keras
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

import gengap as gg
from gengap.analysis.cases import held_out
from gengap.analysis.comparison.estimators import case_values
from gengap.datasets.folds import fold_seed
from gengap.errors import DataError, StudyChangedError, UnknownNameError
from gengap.results.resampled import resampling_of
from gengap.storage import Store
from gengap.study.rounds import Rounds
from gengap.study.watching import progress_table

FIT = {"epochs": 2, "batch_size": 16, "progress": False}


def network(inputs=4, units=6):
    layers = keras.layers
    model = keras.Sequential([keras.Input((inputs,)), layers.Dense(units, "relu"), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def study(folder=None, *, seeds=2, remedies=("dropout(0.3)",), **more):
    return gg.Study(network(), remedies=list(remedies), seeds=seeds, storage=folder, **more)


@pytest.fixture
def pool(rng):
    x = rng.normal(size=(90, 4)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=90) > 0).astype(int)
    return gg.Split(x, y, groups=rng.integers(0, 40, 90))


def assert_equal(one, other):
    for part in ("history", "validation", "test"):
        xr.testing.assert_identical(getattr(one, part), getattr(other, part))
    xr.testing.assert_identical(one.runs.drop_vars("seconds"), other.runs.drop_vars("seconds"))


def test_every_case_is_predicted_by_the_fold_that_has_not_seen_it(pool):
    result = study().run(pool, cv=5, **FIT)
    assert result.test["prediction_best"].dims == ("variant", "seed", "sample")
    assert result.test.sizes["sample"] == 90
    assert np.array_equal(result.test["y_true"], pool.y)
    for seed in range(2):
        fold = result.test["fold"].sel(seed=seed).to_numpy()
        for place in range(5):
            model = result.model("dropout(0.3)", seed=seed, fold=place, epoch="last")
            mine = fold == place
            stored = result.test["prediction_last"].sel(variant="dropout(0.3)", seed=seed).to_numpy()[mine]
            np.testing.assert_allclose(model.predict(pool.x[mine], verbose=0)[:, 0], stored, atol=1e-5)
    told = resampling_of(result)
    assert (told.kind, told.folds, told.passes, told.cases, told.grouped) == ("passes", 5, 2, 90, True)
    # whole groups: up to 57 with scikit-learn 1.9, which divides them more evenly than 1.6
    assert told.fewest <= result.manifest["data"]["n_train"] <= told.most <= 90 * 3 / 5 + 9
    assert result.manifest["seeds"] == [0, 1]


def test_a_leak_into_the_test_fold_alone_is_invisible(pool):
    """A feature that equals the answer in the test cases of a fold, and there alone, moves no weight of its model."""
    test = np.arange(30)
    leaky = pool.x.copy()
    leaky[test, 3] = 8.0 * pool.y[test] - 4.0
    fit = {**FIT, "cv": KFold(3), "preprocess": StandardScaler()}
    one, other = (study(remedies=(), seeds=1).run(gg.Split(x, pool.y), **fit) for x in (pool.x, leaky))
    for epoch in ("best", "last"):
        weights = [r.model("baseline", seed=0, fold=0, epoch=epoch).get_weights() for r in (one, other)]
        assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    learned = [r.model("baseline", seed=0, fold=1).get_weights() for r in (one, other)]  # fold 1 learns from them
    assert not np.array_equal(learned[0][0], learned[1][0])
    assert not np.array_equal(one.test["prediction_last"][0, 0, :30], other.test["prediction_last"][0, 0, :30])


def test_a_scaler_is_fitted_inside_each_fold_and_the_users_own_is_left_alone(pool):
    scaler = StandardScaler()
    seen = []

    class Telling(StandardScaler):
        def fit(self, x, y=None):
            seen.append(np.sort(x[:, 0]))
            return super().fit(x, y)

    result = study(remedies=()).run(pool, cv=5, preprocess=Telling(), **FIT)
    tested = result.test["fold"].to_numpy()
    assert len(seen) == 10
    assert len({rows.tobytes() for rows in seen}) == 10  # each fold's own mean
    for at, rows in enumerate(seen):
        held_out = pool.x[tested[at // 5] == at % 5, 0]
        assert not np.isin(held_out, rows).any()
        assert len(rows) == result.runs["fold_training_cases"].to_numpy()[at // 5, at % 5]
    assert not hasattr(scaler, "mean_")


def test_preprocessing_by_a_layer_is_what_scaling_by_hand_would_be(pool):
    division = [
        (np.arange(30, 90), np.arange(30)),
        (np.r_[0:30, 60:90], np.arange(30, 60)),
        (np.arange(60), np.arange(60, 90)),
    ]
    result = study(remedies=(), seeds=1).run(
        gg.Split(pool.x * 7 + 3, pool.y), cv=division, preprocess=keras.layers.Normalization(axis=-1), **FIT
    )
    # fold 0 tests cases 0 to 29, chooses on 30 to 59, learns from 60 to 89
    x = pool.x * 7 + 3
    mean, sd = x[60:].mean(axis=0), x[60:].std(axis=0)
    by_hand = gg.Study(network(), seeds=[fold_seed(0, 0)]).run(
        ((x - mean) / sd)[60:], pool.y[60:],
        validation_data=(((x - mean) / sd)[30:60], pool.y[30:60]),
        test_data=(((x - mean) / sd)[:30], pool.y[:30]), **FIT,
    )  # fmt: skip
    for rule in ("best", "last"):
        np.testing.assert_allclose(
            result.test[f"prediction_{rule}"][0, 0, :30], by_hand.test[f"prediction_{rule}"][0, 0], atol=1e-5
        )
    assert result.manifest["preprocess"].startswith("Normalization(axis=(-1,)")


def test_rounds_train_on_what_each_fold_makes_of_the_inputs(pool):
    """The trials of a search see what the runs of a study see."""
    given, declared = {"cv": 3, "preprocess": StandardScaler()}, study(remedies=())
    rounds = Rounds(declared, {"x": pool, **given, "epochs": 2, "batch_size": 16})
    found, whole = rounds.train(declared.variants), declared.run(pool, **given, **FIT)
    np.testing.assert_allclose(found.test["prediction_last"], whole.test["prediction_last"], rtol=1e-6)


@pytest.mark.parametrize("cv", [3, None])
def test_inputs_are_judged_as_the_model_sees_them(pool, cv):
    """Before `preprocess` they may be large; behind it they are not, or are where it leaves them so."""
    x = pool.x * 1000
    rest = {"cv": cv} if cv else {"validation_data": (x[60:], pool.y[60:])}
    given = (x, pool.y) if cv else (x[:60], pool.y[:60])

    def sentences(preprocess):
        result = study(remedies=()).run(*given, **rest, preprocess=preprocess, **FIT)
        return [one.sentence for one in gg.audit(result).findings if one.code == "GG325"]

    assert not sentences(StandardScaler())
    (said,) = sentences(StandardScaler(with_std=False))
    assert "x[..., " in said


def test_choices_never_read_the_outer_fold(pool):
    """Answers of the cases of a test fold may be anything: nothing of its runs changes, their best epoch least."""
    division = list(KFold(3).split(pool.x))
    plain = gg.Split(pool.x, pool.y)
    turned = pool.y.copy()
    turned[:30] = 1 - turned[:30]
    fit = {**FIT, "epochs": 6}
    # in a fold's runs only: where these cases are learned from or chosen on, everything may change
    one, other = (gg.Study(network(), seeds=2).run(gg.Split(plain.x, y), cv=division, **fit) for y in (pool.y, turned))
    own = one.test["fold"].to_numpy() == 0
    assert own[:, :30].all()
    for kind in ("prediction_best", "prediction_last", "prediction_epochs"):
        a, b = (result.test[kind].to_numpy()[..., :30] for result in (one, other))
        assert np.array_equal(a, b)
    best = [result.runs["fold_best_epoch"].to_numpy()[..., 0] for result in (one, other)]
    assert np.array_equal(*best)
    assert not np.array_equal(one.history["val_score"], other.history["val_score"])


def test_the_climatology_of_a_case_is_that_of_its_folds_training_cases(pool):
    result = study(remedies=()).run(pool, cv=5, **FIT)
    fold, reference = result.test["fold"].to_numpy(), result.test["climatology"].to_numpy()
    assert len(np.unique(reference)) > 1
    for row in range(2):
        for place in range(5):
            (value,) = np.unique(reference[row, fold[row] == place])
            sizes = result.runs["fold_training_cases"].to_numpy()
            assert value * sizes[row, place] == pytest.approx(np.round(value * sizes[row, place]), abs=1e-9)


def test_a_stored_study_goes_on_with_more_seeds_and_gives_the_same_bits(tmp_path, pool):
    folder = tmp_path / "x"
    first = study(folder).run(pool, cv=4, **FIT)
    assert_equal(gg.load(folder), first)
    assert_equal(study(folder).run(pool, cv=4, **FIT), first)  # all there: nothing trains
    with Store.open(folder, mode="w") as store:
        store.discard(store.keys()[:3])
    assert_equal(study(folder).run(pool, cv=4, **FIT), first)
    more = study(folder, seeds=3).run(pool, cv=4, **FIT)
    assert more.seeds == (0, 1, 2)
    for part in ("prediction_best", "fold", "climatology"):
        assert np.array_equal(more.test[part].sel(seed=[0, 1]), first.test[part])
    for changed in ({"cv": 5}, {"cv": gg.CrossValidation(4, redraw=False)}, {}):
        with pytest.raises((StudyChangedError, DataError)):
            study(folder).run(pool, **{"validation_data": None, **changed}, **FIT)
    with pytest.raises(StudyChangedError, match="preprocess"):
        study(folder).run(pool, cv=4, preprocess=StandardScaler(), **FIT)


def test_a_saved_result_holds_folds_and_their_models(tmp_path, pool):
    result = study(remedies=(), seeds=1).run(pool, cv=3, **FIT)
    result.save(tmp_path / "saved")
    again = gg.Result.load(tmp_path / "saved")
    assert_equal(again, result)
    one, other = (r.model("baseline", seed=0, fold=2).get_weights() for r in (result, again))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    with pytest.raises(UnknownNameError, match=r"3 models of each variant.*give `fold=`"):
        again.model("baseline", seed=0)


def test_keras_own_loop_and_the_fused_engine_agree(pool):
    one, other = (study(engine=engine).run(pool, cv=3, **FIT) for engine in ("fused", "keras"))
    np.testing.assert_allclose(one.test["prediction_best"], other.test["prediction_best"], atol=1e-5)
    np.testing.assert_allclose(one.history["train_score"], other.history["train_score"], atol=1e-5)


def test_regression_and_labels_resample_too(rng):
    data = gg.datasets.diabetes()
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    result = gg.Study(model, seeds=1).run(data.pooled(), cv=3, **FIT)
    assert result.manifest["data"]["name"] == "diabetes"
    assert result.manifest["resampling"]["splitter"] == "KFold"
    y = rng.integers(0, 3, 60)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    result = gg.Study(model, seeds=1).run(rng.normal(size=(60, 2)), y, cv=3, **FIT)
    assert result.test["climatology"].dims == ("seed", "sample", "label")
    np.testing.assert_allclose(result.test["climatology"].sum("label"), 1)


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"validation_data": (np.zeros((3, 4)), [0, 1, 0])}, "an inner validation of its own"),
        ({"validation_split": 0.2}, "an inner validation of its own"),
        ({"test_data": (np.zeros((3, 4)), [0, 1, 0])}, "leave out `test_data`"),
        ({"preprocess": StandardScaler().fit_transform}, "`preprocess` must be"),
        ({"cv": "5"}, "`cv` must be"),
    ],
)
def test_what_contradicts_folds_is_refused_before_anything_trains(pool, more, match):
    with pytest.raises((DataError, TypeError), match=match):
        study().run(pool, **{"cv": 5, **more}, **FIT)


def test_a_data_set_with_splits_is_not_divided_unasked():
    data = gg.datasets.diabetes()
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(DataError, match=r"pass `data.pooled\(\)`"):
        gg.Study(model, seeds=1).run(data, cv=5, **FIT)


def test_a_scaler_that_cannot_take_the_inputs_says_so(rng):
    model = keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(DataError, match=r"StandardScaler.*cannot be fitted to inputs of shape"):
        gg.Study(model, seeds=1).run(
            rng.normal(size=(30, 2, 3)), rng.normal(size=30), cv=3, preprocess=StandardScaler(), **FIT
        )


def test_scores_that_rank_are_computed_within_folds_and_skill_against_each_folds_climatology(pool):
    result = study(remedies=()).run(pool, cv=4, **FIT)
    found = gg.verify(result, epoch="last")
    assert set(found.dims) == {"variant", "seed"}
    p, y = result.test["prediction_last"][0].to_numpy(), pool.y
    fold, reference = result.test["fold"].to_numpy(), result.test["climatology"].to_numpy()
    for row in range(2):
        areas = [roc_auc_score(y[fold[row] == place], p[row, fold[row] == place]) for place in range(4)]
        assert float(found["roc_auc"][0, row]) == pytest.approx(np.mean(areas))
        skill = 1 - np.square(p[row] - y).sum() / np.square(reference[row] - y).sum()
        assert float(found["brier_skill_score"][0, row]) == pytest.approx(skill)
    held = held_out(result, "test")
    for score in ("roc_auc", "brier_skill_score"):
        values = case_values(result, held, "baseline", rule="last", score=score)
        np.testing.assert_allclose(values.mean(axis=1), found[score][0])


class Passing(keras.layers.Layer):
    """A user's layer, of which the study looks whether it draws in inference."""

    def call(self, inputs):
        return inputs


@pytest.mark.filterwarnings("ignore:Predictions are made in batches")  # of a layer that nobody knows
@pytest.mark.parametrize("cv", [3, None])
def test_a_table_with_words_is_encoded_by_what_each_fold_learned_from(rng, cv):
    table = pd.DataFrame({"size": rng.normal(size=60) * 50 + 10, "kind": rng.choice(["hail", "wind", "calm"], 60)})
    y = (table["kind"] == "hail").to_numpy().astype(int)
    encoder = gg.datasets.TableEncoder.declare(table)
    width = encoder.fit(table).width
    splits = {"cv": 3} if cv else {"validation_data": (table[40:], y[40:])}
    kept, model = table.copy(), keras.Sequential([keras.Input((width,)), Passing(), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    result = gg.Study(model, seeds=1).run(
        table if cv else table[:40], y if cv else y[:40], preprocess=gg.datasets.TableEncoder(), **splits, **FIT
    )
    assert table.equals(kept)
    again = gg.Study(model, seeds=1).run(
        table if cv else table[:40], y if cv else y[:40], preprocess=gg.datasets.TableEncoder(), **splits, **FIT
    )
    assert again.manifest["data"]["fingerprint"] == result.manifest["data"]["fingerprint"]
    assert np.array_equal(again.history["val_score"], result.history["val_score"])


def test_twins_in_other_groups_are_counted(pool):
    x = pool.x.copy()
    x[1], x[3] = x[0], x[2]
    groups = np.r_[[100, 101, 102, 102], pool.groups[4:]]
    result = study(remedies=(), seeds=1).run(gg.Split(x, pool.y, groups=groups), cv=3, **FIT)
    assert resampling_of(result).duplicates == 2  # 0 and 1; 2 and 3 are of one group


def test_whoever_watches_sees_every_fold(tmp_path, pool):
    study(tmp_path / "x", remedies=(), seeds=1).run(pool, cv=3, **FIT)
    table, finished = progress_table(tmp_path / "x")
    assert finished
    assert "1 variants x 1 seeds x 3 folds" in table.title
