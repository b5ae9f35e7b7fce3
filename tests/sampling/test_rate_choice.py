import keras
import numpy as np
import pandas as pd
import pytest

from gengap.analysis.uncertainty import RateChoice, classifier_uncertainty, regression_uncertainty
from gengap.datasets import Split
from gengap.errors import DataError, StoreError
from gengap.plots import (
    DiscardDisplay,
    EntropyErrorDisplay,
    PredictiveDistributionDisplay,
    RateChoiceDisplay,
    SpreadSkillDisplay,
)
from gengap.sampling import choose_rate, predict_distribution

L = keras.layers


def overconfident(shape=20):
    """A linear classifier with weights far too large: noise in its input shrinks its probabilities towards a half."""
    model = keras.Sequential([keras.Input((shape,)), L.Dropout(0.1, name="noise"), L.Dense(1, "sigmoid")])
    model.compile(loss="binary_crossentropy")
    model.set_weights([np.full((shape, 1), 3.0, "float32"), np.zeros(1, "float32")])
    return model


@pytest.fixture(scope="module")
def splits(random):
    def draw(n):
        x = random.normal(size=(n, 20)).astype("float32")
        probability = 1 / (1 + np.exp(-0.3 * x.sum(axis=1)))
        return Split(x, (random.random(n) < probability).astype(int), groups=np.arange(n) // 2)

    return draw(600), draw(600)


@pytest.fixture(scope="module")
def choice(splits):
    return choose_rate(overconfident(), splits[0], test_data=splits[1], rates=[0.05, 0.2, 0.4], num_members=50)


def test_noise_is_chosen_where_it_helps_and_judged_on_test(choice):
    assert choice.rates == {"noise": 0.4}
    assert choice.trained == {"noise": pytest.approx(0.1)}
    assert choice.gain["test"].low > 0
    assert choice.gain["test"].groups == 300
    assert any("upper end of the grid" in sentence for sentence in choice.findings)
    assert any("The chosen rate helps: its gain in" in sentence for sentence in choice.findings)
    assert choice.table["spread"].iloc[0] == 0
    assert choice.table["spread"].iloc[2:].is_monotonic_increasing
    assert list(choice.quality.columns) == ["trained", "chosen"]
    assert "upper end" in choice._repr_html_()


def test_a_choice_survives_a_file(choice, tmp_path):
    choice.to_json(tmp_path / "choice.json")
    again = RateChoice.from_json(tmp_path / "choice.json")
    pd.testing.assert_frame_equal(again.table, choice.table)
    pd.testing.assert_frame_equal(again.quality, choice.quality)
    assert (again.gain, again.rates, again.findings) == (choice.gain, choice.rates, choice.findings)
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(StoreError, match="not a choice of the rate"):
        RateChoice.from_json(tmp_path / "other.json")


def test_the_sweep_scores_what_predict_distribution_gives(choice, splits):
    again = predict_distribution(overconfident(), splits[0].x, rate=0.4, num_members=50)
    brier = np.mean((again.mean.values - splits[0].y) ** 2)
    assert choice.table.loc["rate 0.4", "score"] == pytest.approx(brier)


def test_no_rate_helps_a_model_that_is_right(splits):
    model = overconfident()
    model.set_weights([np.full((20, 1), 0.3, "float32"), np.zeros(1, "float32")])
    found = choose_rate(model, splits[0], test_data=splits[1], rates=[0.3, 0.6, 0.9], num_members=50)
    assert any(sentence.startswith("No rate ") for sentence in found.findings)


def test_without_a_test_split_the_choice_is_unjudged(splits):
    found = choose_rate(overconfident(), splits[0], scales=[1.0, 3.0], num_members=20)
    assert found.swept == "scale"
    assert "not judged" in found.findings[-1]
    with pytest.raises(ValueError, match="empty"):
        choose_rate(overconfident(), splits[0], rates=[])


def test_a_choice_that_cannot_be_made_is_refused(splits):
    with pytest.raises(ValueError, match="proper for binary"):
        choose_rate(overconfident(), splits[0], score="roc_auc")
    with pytest.raises(DataError, match=r"`\(x, y\)`"):
        choose_rate(overconfident(), splits[0].x)
    two = keras.Sequential([keras.Input((20,)), L.Dropout(0.1), L.Dense(2)])
    two.compile(loss="mse")
    with pytest.raises(DataError, match="one target"):
        choose_rate(two, splits[0])


def test_a_split_may_be_a_pair(splits):
    pair = choose_rate(overconfident(), (splits[0].x, splits[0].y), rates=[0.2], num_members=20)
    whole = choose_rate(overconfident(), splits[0], rates=[0.2], num_members=20)
    pd.testing.assert_series_equal(pair.table["score"], whole.table["score"])


def test_layers_may_take_rates_of_their_own(random):
    model = keras.Sequential(
        [keras.Input((20,)), L.Dropout(0.1, name="a"), L.Dense(1), L.Dropout(0.1, name="b"), L.Dense(1)]
    )
    model.compile(loss="mse")
    weights = np.full((20, 1), 0.5, "float32")
    model.set_weights([weights, np.zeros(1, "float32"), np.ones((1, 1), "float32"), np.zeros(1, "float32")])
    x = random.normal(size=(200, 20)).astype("float32")
    y = x.sum(axis=1) * 0.5 + random.normal(0, 1.0, 200)
    found = choose_rate(model, Split(x, y), rates=[0.1, 0.3], per_layer=True, num_members=40)
    assert set(found.rates) == {"a", "b"}
    assert found.score == "crps_ensemble"
    assert "ssrat" in found.table.columns
    assert found.gain["validation"].value >= 0


def test_figures_draw_what_was_computed(choice, splits):

    forecast = predict_distribution(overconfident(), splits[0].x, num_members=40)
    display = PredictiveDistributionDisplay.from_distribution(forecast, sample=2, xlabel="Probability of rotation")
    ax = display.plot()
    assert len(ax.patches) == 20
    heights = np.array([patch.get_height() for patch in ax.patches])
    assert heights.sum() * 0.05 == pytest.approx(1, rel=1e-4)
    lines = [line.get_xdata()[0] for line in ax.lines]
    assert lines == pytest.approx([display.deterministic, display.mean, display.median])
    judged = classifier_uncertainty(splits[0].y, forecast)
    ax = DiscardDisplay.from_uncertainty({"trained": judged}).plot()
    assert ax.get_ylabel() == "Mean Brier score of the cases left"
    assert len(EntropyErrorDisplay.from_uncertainty(judged).plot().lines[0].get_xdata()) == 10
    np.testing.assert_allclose(RateChoiceDisplay.from_choice(choice).plot().lines[1].get_xdata(), [0.05, 0.2, 0.4])


def test_a_spread_skill_figure_has_its_diagonal(random):

    from gengap.sampling.predict import assemble

    members = random.normal(size=(20, 100)).astype("float32")
    judged = regression_uncertainty(random.normal(size=100), assemble([members], [members[0]], [0], "regression", {}))
    ax = SpreadSkillDisplay.from_uncertainty(judged).plot()
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), ax.lines[0].get_ydata())


def test_folds_judge_the_choice_on_cases_that_did_not_make_it(splits, tmp_path):
    """By hand: each fold is forecast at the rate that is best on the others, whole groups in one fold."""
    cases = Split(splits[0].x[:200], splits[0].y[:200], groups=splits[0].groups[:200])
    rates, pairs = [0.05, 0.2, 0.4], [(np.arange(100, 200), np.arange(100)), (np.arange(100), np.arange(100, 200))]
    model = overconfident()
    found = choose_rate(model, cases, rates=rates, num_members=30, cv=pairs)
    drawn = [predict_distribution(model, cases.x, rate=rate, num_members=30) for rate in rates]
    losses = np.array([(one.mean.values - cases.y) ** 2 for one in drawn])
    taken = np.concatenate([losses[losses[:, rest].mean(axis=1).argmin()][test] for rest, test in pairs])
    quiet = (model.predict(cases.x, verbose=0)[:, 0] - cases.y) ** 2
    assert found.gain["folds"].value == pytest.approx(np.mean(quiet - taken), abs=1e-6)
    assert found.gain["folds"].groups == 100
    assert "on cases of other folds than chose it" in found.findings[-1]
    found.to_json(tmp_path / "choice.json")
    assert RateChoice.from_json(tmp_path / "choice.json").gain == found.gain
    with pytest.raises(ValueError, match="omit `test_data`"):
        choose_rate(model, cases, test_data=splits[1], rates=rates, cv=3)
    with pytest.raises(DataError, match="breaks 1 group"):
        choose_rate(
            model, cases, rates=rates, cv=[(np.arange(99, 200), np.arange(99)), (np.arange(99), np.arange(99, 200))]
        )
