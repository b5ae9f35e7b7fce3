"""What a resampled study chose, trained on all cases and shipped with what was fitted to them."""

from string import Formatter

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import gengap as gg
from gengap.errors import ModelError
from gengap.shipping import card_words
from gengap.verification.recalibration import Temperature

FIT = {"epochs": 3, "batch_size": 16, "progress": False}


def net(width=5):
    model = keras.Sequential([keras.Input((width,)), layers.Dense(6, "relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    return model


def asked(shipped, x):
    return shipped.model.predict(np.asarray(x, np.float32), verbose=0)[:, 0]


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(2)
    x = (300 + 40 * rng.normal(size=(80, 5))).astype(np.float32)
    return gg.Split(x, (x[:, 0] > 300 + 30 * rng.normal(size=80)).astype(int))


@pytest.fixture(scope="module")
def folds(pool):
    study = gg.Study(net(), remedies=["l2(0.01)"], seeds=3)
    return study.run(pool, cv=4, preprocess=keras.layers.Normalization(axis=-1), **FIT)


def test_it_is_the_variant_trained_on_all_cases_with_its_layer_in_front(folds, pool, tmp_path):
    layer = keras.layers.Normalization(axis=-1)
    shipped = gg.ship(folds, "l2(0.01)", retrain_on=pool, preprocess=layer, seeds="all")
    epochs = int(np.floor(np.median(folds.runs["fold_best_epoch"].sel(variant="l2(0.01)")) + 0.5))
    scaled = (pool.x - pool.x.mean(axis=0)) / pool.x.std(axis=0)
    by_hand = gg.Study(net(), remedies=["l2(0.01)"], seeds=3)
    trained = by_hand.run(scaled, pool.y, **{**FIT, "epochs": epochs})
    forecasts = [
        trained.model("l2(0.01)", seed=seed, epoch="last").predict(scaled, verbose=0)[:, 0] for seed in range(3)
    ]
    np.testing.assert_allclose(asked(shipped, pool.x), np.mean(forecasts, axis=0), atol=2e-5)
    loaded = keras.saving.load_model(shipped.save(tmp_path / "model.keras")[0])
    np.testing.assert_allclose(loaded.predict(pool.x, verbose=0)[:, 0], asked(shipped, pool.x), atol=1e-6)
    assert not layer.built, "the user's own layer is left alone"


def test_the_card_says_what_was_judged_and_what_was_not(folds, pool):
    layer = keras.layers.Normalization(axis=-1)
    card = gg.ship(folds, "baseline", retrain_on=pool, preprocess=layer, temperature=True).card
    told = " ".join(card.limits)
    mean = float(np.mean(gg.analysis.cases.held_out(folds, "test").scores(
        folds.test["prediction_best"].sel(variant="baseline").to_numpy(), score="log_loss")))  # fmt: skip
    assert f"a log_loss of {mean:.4f} (95 % interval " in told
    assert "Retrained on all 80 cases" in told
    assert "not part of it" not in told
    assert not card.evaluated
    assert "first layer" in card.preprocessing["note"]
    [seed] = card.model["seeds"]
    out_of_fold = folds.test["prediction_best"].sel(variant="baseline", seed=seed).to_numpy()
    assert card.model["temperature"] == pytest.approx(Temperature.fit(pool.y, out_of_fold).temperature)


def test_what_cannot_be_is_refused_before_training(folds, pool):
    layer, other = keras.layers.Normalization(axis=-1), gg.Split(pool.x + 1, pool.y)
    for match, arguments in {
        "No run of a resampled study": {},
        "give `ship` the same `preprocess=`": {"retrain_on": pool},
        "must be what the study was given": {"retrain_on": pool, "preprocess": StandardScaler()},
        "fingerprints differ": {"retrain_on": other, "preprocess": layer},
        "must be the `Split`": {"retrain_on": (pool.x, pool.y), "preprocess": layer},
        "MinMaxScaler cannot be a layer": {"retrain_on": pool, "preprocess": MinMaxScaler()},
    }.items():
        with pytest.raises((gg.errors.DataError, gg.errors.ModelError), match=match):
            gg.ship(folds, **{"variant": "baseline", **arguments})


def test_a_scaler_of_scikit_learn_becomes_a_layer(pool):
    result = gg.Study(net(), seeds=2).run(pool, cv=2, preprocess=StandardScaler(with_std=False), **FIT)
    shipped = gg.ship(result, "baseline", retrain_on=pool, preprocess=StandardScaler(with_std=False))
    inner = shipped.model.layers[-1]
    np.testing.assert_allclose(
        asked(shipped, pool.x), inner.predict(pool.x - pool.x.mean(axis=0), verbose=0)[:, 0], atol=1e-5
    )


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"pressure": rng.normal(101_300, 900, 90).round(), "wet": rng.random(90) < 0.5,
                          "cape": rng.gamma(2, 400, 90).round(1)})  # fmt: skip
    table.loc[::9, "cape"] = np.nan
    return table, (table["pressure"] < 101_300).astype(int).to_numpy()


def test_a_table_of_numbers_is_encoded_by_the_model_itself(frame, tmp_path):
    """Blanks, truth values and large numbers, raw, by plain Keras and by `gengap predict`."""
    table, y = frame
    result = gg.Study(net(4), seeds=2).run(table, y, cv=2, preprocess=gg.datasets.TableEncoder(), **FIT)
    shipped = gg.ship(result, "baseline", retrain_on=gg.Split(table, y), preprocess=gg.datasets.TableEncoder())
    encoder = gg.datasets.TableEncoder().fit(table)
    inner, raw = shipped.model.layers[-1], table.astype(float).to_numpy(np.float32)
    wanted = inner.predict(encoder.transform(table), verbose=0)[:, 0]
    np.testing.assert_allclose(asked(shipped, raw), wanted, atol=1e-6)
    path = shipped.save(tmp_path / "model.keras")[0]
    table[["cape", "wet", "pressure"]].to_csv(tmp_path / "rows.csv", index=False)
    found = gg.shipping.predict_rows(path, tmp_path / "rows.csv").table
    np.testing.assert_allclose(found["probability of label 1"], wanted, atol=1e-4)
    assert shipped.card.preprocessing["inside"]
    holes = raw[:1].copy()
    holes[0, 0] = np.nan  # training lacked no pressure: nothing was learned about it
    assert np.isnan(asked(shipped, holes)).all()


def test_words_are_encoded_by_the_model_itself(frame, tmp_path):
    table, y = frame
    table = table.assign(region=np.where(np.arange(90) % 3, "coast", "hills"))
    encoder = gg.datasets.TableEncoder
    result = gg.Study(net(6), seeds=2).run(table, y, cv=2, preprocess=encoder(), **{**FIT, "epochs": 1})
    shipped = gg.ship(result, "baseline", retrain_on=gg.Split(table, y), preprocess=encoder())
    path = shipped.save(tmp_path / "model.keras")[0]
    table.to_csv(tmp_path / "rows.csv", index=False)
    found = gg.shipping.predict_rows(path, tmp_path / "rows.csv").table
    wanted = shipped.model.layers[-1].predict(encoder().fit(table).transform(table), verbose=0)[:, 0]
    np.testing.assert_allclose(found["probability of label 1"], wanted, atol=1e-6)


def test_the_card_speaks_chinese(folds, pool, tmp_path):
    layer = keras.layers.Normalization(axis=-1)
    shipped = gg.ship(folds, retrain_on=pool, preprocess=layer, seeds="all", temperature=True)
    english, chinese = shipped.cards["en"], shipped.cards["zh"]
    assert len(english.limits) == len(chinese.limits) > 3
    files = shipped.save(tmp_path / "model.keras", lang="zh")
    text = files[1].read_text(encoding="utf-8")
    assert "## 局限" in text
    assert "在全部 80 个样本上重新训练" in text
    assert "适用于同样大小的新训练集" in text
    own = [
        line for line in text.split("## 制作环境")[0].splitlines() if "recommended" not in line and "建议" not in line
    ]
    assert not [line for line in own if " of " in line or " the " in line], "no English sentence is left"
    assert "## Limits" in shipped.card.to_markdown()
    with pytest.raises(ValueError, match="en and zh"):
        shipped.save(tmp_path / "model.keras", lang="de")


def test_both_languages_fill_the_same_blanks():
    def blanks(text):
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert card_words.ENGLISH.keys() == card_words.CHINESE.keys()
    for key, english in card_words.ENGLISH.items():
        assert blanks(english) == blanks(card_words.CHINESE[key]), key


def test_a_head_on_a_frozen_backbone_is_retrained_and_what_was_thawed_says_what_to_do(pool):
    body = keras.Sequential([keras.Input((5,)), layers.BatchNormalization(name="bn"), layers.Dense(4, "tanh")])
    body.get_layer("bn").moving_mean.assign([300.0] * 5)
    body.get_layer("bn").moving_variance.assign([1600.0] * 5)
    model = keras.Sequential([keras.Input((5,)), body, layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    study = gg.Study(gg.Freeze(body.name)(model), remedies=[gg.Thaw(body.name)], seeds=2)
    result = study.run(pool, cv=2, **FIT)
    shipped = gg.ship(result, "baseline", retrain_on=pool)
    frozen = next(layer for layer in shipped.model.layers if isinstance(layer, keras.Sequential))
    for ours, theirs in zip(frozen.get_weights(), body.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ModelError, match="train this variant in a study of its own on all cases"):
        gg.ship(result, f"thaw({body.name})", retrain_on=pool)
