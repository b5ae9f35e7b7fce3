"""What is shipped forecasts what the study stored, and says what it is."""

import json
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.analysis.cases import held_out
from gengap.verification import log_loss
from gengap.verification.recalibration import Temperature

PARTS = ("train", "validation", "test")


def stored(result, variant, seeds, rule="best", part="test"):
    forecasts = result.splits[part][f"prediction_{rule}"].sel(variant=variant, seed=list(seeds))
    return forecasts.transpose("seed", "sample", ...).to_numpy().astype(np.float64).mean(axis=0)


def asked(model, x):
    return np.squeeze(np.asarray(model.predict(x, verbose=0), np.float64))


@pytest.mark.parametrize("rule", ["best", "last"])
def test_the_run_of_the_median_seed_is_shipped_as_trained(result, data, rule):
    shipped = gg.ship(result, "l2(0.001)", epoch=rule)
    seed = result.median_seed("l2(0.001)", epoch=rule)
    assert shipped.card.model["seeds"] == [seed]
    np.testing.assert_allclose(asked(shipped.model, data.test.x), stored(result, "l2(0.001)", [seed], rule), atol=1e-6)


def test_all_runs_in_one_graph_score_what_the_card_says(result, data):
    shipped = gg.ship(result, "baseline", seeds="all")
    forecast = asked(shipped.model, data.test.x)
    np.testing.assert_allclose(forecast, stored(result, "baseline", result.seeds), atol=1e-6)
    said = {one.score: one for one in shipped.card.scores}
    assert abs(said["log_loss"].value - log_loss(data.test.y, forecast)) < 1e-6
    assert said["log_loss"].low < said["log_loss"].value < said["log_loss"].high
    assert said["roc_auc"].larger_is_better
    assert "costs 4 times" in " ".join(shipped.card.limits)


def test_logits_become_probabilities_and_are_tempered(of_labels, labels):
    plain = gg.ship(of_labels, seeds="all", variant="baseline")
    np.testing.assert_allclose(
        asked(plain.model, labels.test.x), stored(of_labels, "baseline", of_labels.seeds), atol=1e-6
    )
    warm = gg.ship(of_labels, "baseline", seeds="all", temperature=True)
    held = held_out(of_labels, "validation")
    fitted = Temperature.fit(held.y_true, stored(of_labels, "baseline", of_labels.seeds, part="validation"))
    assert warm.card.model["temperature"] == pytest.approx(fitted.temperature, rel=1e-6)
    wanted = fitted.apply(stored(of_labels, "baseline", of_labels.seeds))
    np.testing.assert_allclose(asked(warm.model, labels.test.x), wanted, atol=1e-6)
    values = [one.value for one in warm.card.scores if one.score == "log_loss"]
    assert values[1] == pytest.approx(log_loss(labels.test.y, wanted), abs=1e-9)
    assert values[0] != values[1]


def test_a_saturated_forecast_is_tempered_without_infinities():
    from gengap.datasets.output_kind import OutputKind
    from gengap.shipping.graph import one_model

    model = keras.Sequential([keras.Input((1,)), layers.Activation("sigmoid")])
    kind = OutputKind("binary", from_logits=False, one_hot=False, width=1)
    warm = one_model([model], kind, seeds=[0], temperature=2.0, noise=False)
    x = np.array([[-200.0], [-3.0], [0.0], [3.0], [200.0]], np.float32)
    wanted = Temperature(2.0).apply(asked(model, x).astype(np.float64))
    np.testing.assert_allclose(asked(warm, x), wanted, atol=2e-6)


def test_what_is_recommended_is_shipped(result):
    shipped = gg.ship(result)
    choice = gg.recommend(result).choice
    assert (shipped.card.model["variant"], shipped.card.model["epoch_rule"]) == (choice.variant, choice.rule.name)
    assert any("looks a little better" in one for one in shipped.card.limits)
    assert "synthetic" in shipped.card.to_markdown()


def test_noise_stays_on_when_it_is_called_and_normalization_does_not(result, data):
    shipped = gg.ship(result, "baseline", noise=True)
    quiet = gg.ship(result, "baseline").model
    x = data.test.x[:40]
    draws = np.stack([np.asarray(keras.ops.convert_to_numpy(shipped.model(x))) for _ in range(200)])
    assert draws.std(axis=0).min() > 1e-4
    assert np.abs(draws.mean(axis=0) - np.asarray(quiet.predict(x, verbose=0))).max() < 0.2
    alone = np.stack([np.asarray(keras.ops.convert_to_numpy(shipped.model(x[:1]))) for _ in range(400)])
    assert abs(alone.mean() - draws[:, 0].mean()) < 0.05  # batch statistics of one case would put it elsewhere
    assert not shipped.card.evaluated
    assert not shipped.card.scores
    assert "not itself evaluated" in shipped.card.to_markdown()


def test_noise_is_refused_where_there_is_none(of_labels):
    bare = keras.Sequential([keras.Input((5,)), layers.Dense(3, activation="softmax")])
    bare.compile("sgd", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)).astype("float32"), np.arange(30) % 3
    one = gg.Study(bare, seeds=2).run(x, y, validation_data=(x[:9] + 1, y[:9]), epochs=1, progress=False)
    with pytest.raises(gg.errors.ModelError, match="no dropout"):
        gg.ship(one, noise=True)


@pytest.mark.parametrize("length", ["epochs", "updates"])
def test_retrained_on_training_and_validation_cases(result, data, length):
    shipped = gg.ship(result, "baseline", retrain_on=data, length=length, epoch="last")
    card = shipped.card
    assert not card.evaluated
    assert not card.scores
    assert any("not itself evaluated" in one for one in card.limits)
    # 120 cases in steps of 16 are 8 updates an epoch, 200 cases 13
    epochs, updates = {"epochs": (4, 52), "updates": (2, 26)}[length]
    assert f"for {epochs} epochs ({updates} updates)" in card.model["retrained"]
    assert not np.allclose(
        asked(shipped.model, data.test.x), stored(result, "baseline", [card.model["seeds"][0]], "last")
    )
    forecast = asked(shipped.model, data.test.x)
    assert log_loss(data.test.y, forecast) < 0.69


def test_other_data_are_refused(result, labels):
    parts = {name: replace(getattr(labels, name), y=getattr(labels, name).y % 2) for name in PARTS}
    with pytest.raises(gg.errors.DataError, match="fingerprints differ"):
        gg.ship(result, "baseline", retrain_on=replace(labels, task="binary", **parts))


def test_files_load_in_plain_keras_and_say_what_they_are(result, data, tmp_path):
    files = gg.ship(result, "baseline", seeds="all", temperature=True).save(tmp_path / "model.keras")
    assert [one.name for one in files] == ["model.keras", "model.card.md", "model.card.json"]
    with zipfile.ZipFile(files[0]) as archive:
        assert "gengap" not in archive.read("config.json").decode()
    model = keras.saving.load_model(files[0], safe_mode=True)
    assert not model.compiled
    card = json.loads(files[2].read_text())
    assert card["evaluated"]
    assert card["data"]["name"] == "planted"
    assert card["preprocessing"]["features"] == ["a", "b", "c", "d", "e"]
    assert card["output"]["labels"] == ["no", "yes"]
    assert "## Limits" in files[1].read_text()
    with pytest.raises(ValueError, match=r"\.keras"):
        gg.ship(result, "baseline").save(tmp_path / "model.h5")


def test_results_without_weights_and_wrong_names_are_refused(result):
    numbers = gg.Result.from_predictions(
        [0, 1, 1, 0] * 5, {"a": [[0.2, 0.7, 0.6, 0.4] * 5]}, task="binary", score="log_loss"
    )
    with pytest.raises(gg.errors.ModelError, match="no weights"):
        gg.ship(numbers, "a")
    with pytest.raises(gg.errors.UnknownNameError, match="no variant 'gone'"):
        gg.ship(result, "gone")
    with pytest.raises(gg.errors.UnknownNameError, match="has the seed 99"):
        gg.ship(result, "baseline", seeds=99)
    with pytest.raises(gg.errors.UnknownNameError, match="'median', 'all'"):
        gg.ship(result, "baseline", seeds="best")


def test_a_regression_has_no_temperature():
    model = keras.Sequential([keras.Input((10,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    study = gg.Study(model, seeds=2).run(gg.datasets.diabetes(), epochs=1, progress=False)
    with pytest.raises(gg.errors.DataError, match="regression"):
        gg.ship(study, "baseline", temperature=True)


class Squared(layers.Layer):
    """A layer of the user's own."""

    def call(self, inputs):
        return inputs * inputs


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
def test_classes_of_the_user_are_named(tmp_path):
    inputs = keras.Input((10,))
    model = keras.Model(inputs, layers.Dense(1)(Squared()(inputs)))
    model.compile("sgd", "mse")
    data = gg.datasets.diabetes()
    study = gg.Study(model, seeds=2).run(data, epochs=1, progress=False)
    shipped = gg.ship(study, "baseline", seeds="all")
    assert shipped.card.model["needs_classes"] == ["Squared"]
    path = shipped.save(tmp_path / "own.keras")[0]
    loaded = keras.saving.load_model(path, custom_objects={"Squared": Squared})
    np.testing.assert_allclose(asked(loaded, data.test.x), stored(study, "baseline", study.seeds), atol=1e-6)
