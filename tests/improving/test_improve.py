"""One call, from cases to a sentence, a report and a model; and which cases it judges on."""

import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

import gengap as gg
from gengap.analysis import recommend
from gengap.datasets import Split
from gengap.datasets.training_data import TrainingData
from gengap.errors import DataError, MissingExtraError, ModelError, StoreError
from gengap.improving.dividing import divide
from gengap.improving.saying import of_cases, of_heads, sentence, simpler, unfinished, without_skill


@pytest.mark.usefixtures("undrawn")
def test_many_cases_are_split_and_the_finalists_stand_beside_references(net, noisy, few_trials, tmp_path):
    before = net.get_weights()
    found = gg.improve(net, *noisy, minutes=1, output=tmp_path / "out", progress=False)
    result = found.result
    assert result.variants[0] == "baseline"
    assert "ridge regression" in result.variants
    assert result.test.sizes["sample"] == 100
    assert len(found.search.trials) == 8
    assert (tmp_path / "out" / "report.html") in found.files
    loaded = keras.models.load_model(tmp_path / "out" / "model.keras")
    np.testing.assert_allclose(loaded.predict(noisy[0][:5], verbose=0), found.model.predict(noisy[0][:5], verbose=0))
    assert found.sentence.startswith("Ship the model")
    assert "8 trials" in str(found)
    for one, other in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_few_cases_are_judged_in_folds_and_the_model_is_trained_on_a_split(net, noisy, few_trials):
    x, y = noisy
    found = gg.improve(net, x[:150], y[:150], minutes=0.3, output=None, progress=False)
    assert found.result.variants == ("baseline", "searched", "ridge regression")
    assert found.result.test.sizes["sample"] == 150
    assert found.files == ()
    assert found.model.predict(x[:3], verbose=0).shape == (3, 1)
    assert any("150 cases are few" in one for one in found.said)


@pytest.mark.parametrize(
    ("ahead", "remedy", "said"),
    [
        (-0.5, "dropout(0.3)", r"^Ship the model with dropout\(0.3\): better than .*, found in 7 trials\.$"),
        (0.5, "", r"^Ship the model as it is; dropout\(0.3\), the best of 7 trials, comes to .* \+0\.\d+ .*: worse\.$"),
        (
            -0.001,
            "",
            r"squared error -0\.00\d+ .* against it on test cases .* \(so small a gain is taken not to matter\)\.$",
        ),
    ],
)
def test_the_sentence_gives_the_difference_whichever_way_it_went(ahead, remedy, said):
    error = np.random.default_rng(0).normal(size=(4, 400))
    forecasts = {"baseline": error, "dropout(0.3)": error * np.sqrt(1 + ahead)}
    result = gg.Result.from_predictions(np.zeros(400), forecasts, task="regression", score="squared_error")
    result = replace(result, manifest={**result.manifest, "search": {}})
    assert recommend(result).choice.variant == (remedy or "baseline")
    found = SimpleNamespace(result=result, trials=range(7), remedy="dropout(0.3)", score="squared_error")
    assert re.search(said, sentence(found, remedy))


def test_a_simple_model_is_held_against_the_model_as_it_is_and_that_is_said():
    error = np.random.default_rng(0).normal(size=(4, 400))
    forecasts = {"baseline": error, "l2(0.1)": error / 2, "ridge regression": error / 2}
    result = gg.Result.from_predictions(np.zeros(400), forecasts, task="regression", score="squared_error")
    said = simpler(SimpleNamespace(result=result, score="squared_error"), "ridge regression")
    assert re.search(r"does as well or better: squared error -0\.\d+ .* against the model as it is, better\.$", said)


def test_what_has_learned_nothing_is_not_shipped_without_a_word():
    answers = np.random.default_rng(0).normal(size=200)
    forecasts = {"baseline": np.tile(answers + 5, (4, 1)), "l2(0.1)": np.tile(answers + 0.1, (4, 1))}
    result = gg.Result.from_predictions(answers, forecasts, task="regression", score="squared_error")
    assert "worse than always forecasting the mean of the answers: scale" in without_skill(result, "baseline")
    assert without_skill(result, "l2(0.1)") == ""


def test_twins_and_runs_that_ended_too_early_are_said_beside_the_sentence(net, noisy, tmp_path):
    x, y = (np.tile(one[:30], (2, 1) if one.ndim == 2 else 2) for one in noisy)
    weights = np.linspace(0.5, 2, 60)
    study = gg.Study(net, remedies=["l2(0.01)"], seeds=2)
    result = study.run(Split(x, y, sample_weight=weights), cv=3, epochs=2, progress=False)
    assert of_cases(result) == ("60 cases have a twin in another group, which a fold may have learned from.",)
    assert "runs ended after 2 epochs, when the model as it is was still getting better" in unfinished(result)
    assert "climatology" in gg.report(result, tmp_path / "report.html").read_text()  # of weighted cases in folds
    split = study.run(100 * x[:30], y[:30], validation_data=(100 * x[20:60], y[20:60]), epochs=1, progress=False)
    assert of_cases(split)[0] == "Validation cases: 40 cases also occur in the training split."
    assert re.match("Training cases: inputs are not scaled", of_cases(split)[-1])
    assert of_heads(["a", "b"], "a")[0].startswith("Of the outputs a, b the one that is judged is a,")


def divided(x, y, validation=None, test=None):
    return divide(TrainingData(Split(x, y), validation, test))


def test_cases_are_divided_as_they_are_given(noisy, few_trials):
    x, y = noisy
    many = divided(x, y)
    assert [len(many.split[name]) for name in ("x", "validation_data", "test_data")] == [320, 80, 100]
    assert many.folds is None
    few = divided(x[:100], y[:100])
    assert len(few.folds["x"]) == 100
    assert "test_data" not in few.split
    assert few.folds["cv"].splitter == 5
    rare = divided(x[:100], np.arange(100) < 4)
    assert rare.folds["cv"].splitter == 4, "four cases of a label cannot be in each of five folds"
    given = divided(x[:100], y[:100], test=Split(x[100:], y[100:]))
    assert given.folds is None, "what is given is judged on"
    assert len(given.split["validation_data"]) == 20
    shuffled = pd.Series(y[:100], index=np.arange(100)[::-1])
    few = divided(x[:100], shuffled)
    rest, place = few.split["x"], {row.tobytes(): at for at, row in enumerate(x[:100])}
    assert all(y[place[row.tobytes()]] == answer for row, answer in zip(rest.x, rest.y, strict=True))
    heads = [y[:100], np.stack([2 * y[:100]] * 3, axis=1)]
    one, three = divided(x[:100], heads).split["x"].y
    np.testing.assert_array_equal(three[:, 1], 2 * one)
    named = divided(x[:100], dict(zip("ab", heads, strict=True))).split
    assert len(named["validation_data"].y["b"]) == 20
    data = gg.datasets.soundings()
    assert divide(data).split["x"] is data


def table(number, words=("north", "south")):
    """A feature that grows, so that any part of the cases has a mean of its own, and words."""
    rows = np.arange(number)
    names = np.array(words)[rows % len(words)]
    return pd.DataFrame({"height": rows**1.5, "region": names, "hail": np.where(rows % 3 == 0, "yes", "no")})


def test_an_encoder_learns_from_no_case_that_judges():
    """Few cases are encoded inside each fold; of many those that judge are taken out before."""
    few = divide(gg.datasets.from_table(table(120), target="hail"))
    assert set(few.folds) == {"x", "cv", "preprocess"}
    assert list(few.folds["x"].x["region"][:2]) == ["north", "south"]
    assert len(few.folds["x"]) == 120
    data = gg.datasets.from_table(table(2400), target="hail", validation=table(300))
    held = divide(data).split["x"]
    assert len(held.test) == 480
    assert len(held.train) == 1920
    assert len(held.validation) == 300
    height = held.feature_names.index("height")
    np.testing.assert_allclose(held.train.x[:, height].mean(), 0, atol=1e-5)  # before: of all 2,400
    np.testing.assert_allclose(held.train.x[:, height].std(), 1, atol=1e-5)
    assert abs(held.test.x[:, height].mean()) > 1e-4
    rows = held.raw["test"].x
    np.testing.assert_array_equal(held.table.encoder.transform(rows), held.test.x)
    assert data.test is None
    np.testing.assert_allclose(data.train.x[:, height].mean(), 0, atol=1e-5)  # what was given stays as it is


@pytest.mark.parametrize(("number", "cases"), [(120, 50), (2400, 1900)])
def test_splits_that_took_the_place_of_those_of_the_table_are_not_passed_over(number, cases):
    data = gg.datasets.from_table(table(number), target="hail")
    fewer = replace(data, train=Split(data.train.x[:cases], data.train.y[:cases]))
    with pytest.raises(DataError, match=r"train split of 'table' is not the one that was read.*raw=\{\}"):
        divide(fewer)
    told = divide(replace(fewer, raw={}))
    assert "preprocess" not in (told.folds or {})


def test_a_column_an_input_is_held_out_for_since_it_cannot_be_encoded_in_folds():
    data = gg.datasets.from_table(table(300), target="hail", inputs=("region", "height"))
    held = divide(data)
    assert held.folds is None
    assert list(held.split["x"].test.x) == ["region", "height"]
    np.testing.assert_allclose(held.split["x"].train.x["height"].mean(), 0, atol=1e-5)


@pytest.mark.usefixtures("undrawn")
def test_a_table_in_python_is_improved_as_on_the_command_line(few_trials):
    data = gg.datasets.from_table(table(90), target="hail")
    found = gg.improve(gg.table_model(data), data, minutes=1, output=None, progress=False)
    assert found.result.test.sizes["sample"] == 90
    rows = data.table.encoder.numbers(data.raw["train"].x)  # what is shipped holds the encoder
    assert found.model.predict(rows[:3], verbose=0).shape == (3, 1)


def test_without_optuna_the_command_that_installs_it_is_said_before_anything_is_read(net, noisy, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr("gengap.improving.one_call.suggest_space", lambda *_: pytest.fail("something was begun"))
    with pytest.raises(MissingExtraError, match=r"pip install 'gengap\[search\]'"):
        gg.improve(net, *noisy, minutes=1, output=None)


def test_what_cannot_be_done_is_said_at_once(net, noisy, tmp_path):
    x, y = noisy
    with pytest.raises(ValueError, match="`minutes` must be a number above 0"):
        gg.improve(net, x, y, minutes=0)
    with pytest.raises(DataError, match="`y` is missing"):
        gg.improve(net, x)
    with pytest.raises(ModelError, match="not a mapping of several"):
        gg.improve({"net": net}, x, y, output=None)
    with pytest.raises(ModelError, match="is not compiled"):
        gg.improve(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]), x, y, output=None)
    with pytest.raises(ModelError, match="The model must be"):
        gg.improve("model.keras", x, y, output=None)
    with pytest.raises(DataError, match="without `y`"):  # it was passed over once
        gg.improve(net, Split(x, y), -y, output=None)
    with pytest.raises(DataError, match="brings its own answers, weights and splits"):
        gg.improve(net, gg.datasets.diabetes(), test_data=(x, y), output=None)
    with pytest.raises(DataError, match="is the training split itself"):
        gg.improve(net, x, y, validation_data=(x, y), output=None)
    with pytest.raises(ValueError, match="`seed` must be a whole number"):
        gg.improve(net, x, y, seed="0", output=None)
    with pytest.raises(DataError, match="first in case 77"):  # of all that are given, not of what is left of them
        gg.improve(
            net, np.where(np.arange(2500)[:, None] == 77, np.nan, np.tile(x, (5, 1))), np.tile(y, 5), output=None
        )
    (tmp_path / "model.keras").write_text("my own")
    with pytest.raises(StoreError, match="was not written by gengap"):
        gg.improve(net, Split(x, y), output=tmp_path)
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(StoreError, match="would be written over"):
        gg.improve(net, Split(x, y), output=tmp_path)


def test_cases_of_several_heads_are_divided_or_judged_on_what_is_given(few_trials):
    ends = [keras.Input((2,), name=name) for name in "ab"]
    net = keras.Model(ends, [keras.layers.Dense(1, name=f"{end.name}_out")(end) for end in ends])
    net.compile("sgd", ["mse", "mae"])
    random = np.random.default_rng(0)

    def cases(number):
        return [random.normal(size=(number, 2)) for _ in ends], [random.normal(size=(number, 1)) for _ in ends]

    given = {"minutes": 0.3, "output": None, "progress": False}
    divided = gg.improve(net, *cases(40), **given)
    assert divided.result.test.sizes["sample"] == 40
    found = gg.improve(net, *cases(40), **given, validation_data=cases(10), test_data=cases(10))
    assert found.result.test.sizes["sample"] == 10


def test_a_round_under_way_ends_when_its_time_is_over_and_what_was_found_before_is_judged(net, noisy, monkeypatch):
    monkeypatch.setattr("gengap.improving.planning._FEWEST_SEEDS", 2)
    monkeypatch.setattr("gengap.improving.one_call.MOST_SEEDS", 2)
    monkeypatch.setattr("gengap.improving.planning.MOST_EPOCHS", 4)
    monkeypatch.setattr("gengap.improving.planning.MOST_TRIALS", 12)
    monkeypatch.setattr("gengap.improving.planning.Finish.seconds", lambda *_: 1e6)  # is always late
    monkeypatch.setattr("gengap.improving.one_call.trials_that_fit", lambda *_, done, **__: 4 * (done < 12))
    given = {name: tuple(one[rows] for one in noisy) for name, rows in
             (("validation_data", slice(300, 400)), ("test_data", slice(400, 500)))}  # fmt: skip
    found = gg.improve(net, *(one[:300] for one in noisy), **given, minutes=1, output=None, progress=False)
    states = [one.state for one in found.search.trials]
    assert set(states[:2]) == {"complete"}
    assert set(states[2:]) == {"halted"}
    assert found.search.best.number < 2
    assert any("was ended so that" in one for one in found.said)
