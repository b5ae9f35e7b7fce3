"""Soundings, diabetes, digits and (where they are) movie reviews: what is said of them, derived a second way."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.analysis.comparison.contrasts import estimates_with_skewness, pair
from gengap.analysis.decision.best import one_sided_level
from gengap.analysis.inference.intervals import limits
from gengap.verification import log_loss, squared_error

REVIEWS = os.environ.get("GENGAP_IMDB", "")
SMALL = {"seeds": 3}

pytestmark = pytest.mark.slow


def net(shape, units, last, loss):
    model = keras.Sequential([
        keras.Input(shape), layers.Flatten(), layers.Dense(16, activation="relu"), layers.Dropout(0.2),
        layers.Dense(units, activation=last),
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.005), loss)
    return model


def soundings():
    data = gg.datasets.soundings()
    return data, net(data.train.x.shape[1:], 1, "sigmoid", "binary_crossentropy"), ["linear", "boosted_trees"]


def diabetes():
    return gg.datasets.diabetes(), net((10,), 1, None, "mse"), ["linear", "boosted_trees"]


def digits():
    data = gg.datasets.digits()
    return data, net(data.train.x.shape[1:], 10, "softmax", "sparse_categorical_crossentropy"), ["linear"]


def reviews():
    data = gg.datasets.imdb(REVIEWS, num_words=1000)
    model = net((data.train.x.shape[1],), 1, "sigmoid", "binary_crossentropy")
    return data, model, ["linear"]


NEEDS = pytest.mark.skipif(not Path(REVIEWS).is_file(), reason="GENGAP_IMDB names no file of the reviews")


@pytest.fixture(
    scope="module",
    params=[soundings, diabetes, digits, pytest.param(reviews, marks=NEEDS)],
    ids=["soundings", "diabetes", "digits", "reviews"],
)
def studied(request):
    data, model, references = request.param()
    study = gg.Study(model, remedies=["l2(0.001)"], **SMALL, references=references)
    return data, study.run(data, epochs=4, batch_size=64, progress=False)


def part_of(data, result):
    return ("test", data.test) if data.test is not None else ("validation", data.validation)


def loss(result, y, forecast):
    return squared_error(y, forecast) if result.task == "regression" else log_loss(y, forecast)


def forecasts(result, part, variant, rule):
    return result.splits[part][f"prediction_{rule}"].sel(variant=variant).transpose("seed", "sample", ...).to_numpy()


def losses_of(result, part, y, option):
    """Losses of every seed and case by their definition."""
    p = forecasts(result, part, option.variant, option.rule.name).astype(np.float64)
    if result.task == "regression":
        return (p - y) ** 2
    happened = np.where(y == 1, p, 1 - p) if p.ndim == 2 else np.take_along_axis(p, y[None, :, None], 2)[..., 0]
    return -np.log(np.clip(happened, np.finfo(np.float32).eps, 1))


def test_the_recommendation(studied):
    data, result = studied
    part, split = part_of(data, result)
    said = gg.recommend(result)
    values = [losses_of(result, part, np.asarray(split.y), one) for one in said.options]
    for one, mine in zip(said.options, values, strict=True):
        assert one.score == pytest.approx(mine.mean(), rel=2e-5)
    best = min(one.score for one in said.options)
    assert said.choice.score <= best + said.tolerance
    assert said.tolerance == pytest.approx(0.01 * best)
    if split.groups is None and split.times is None and split.sample_weight is None:
        level = one_sided_level([SMALL["seeds"]], 0.05)
        each = 2 * level / (len(values) - 1)
        inside = []
        for second in range(len(values)):
            others = [first for first in range(len(values)) if first != second]
            family = [pair("", "best", values[first], values[second], new_cases=True) for first in others]
            ends = [limits(one, each)[1] for one in estimates_with_skewness(family)]
            inside.append(dict(zip(others, map(float, ends), strict=True)))
        kept = [all(bound >= 0 for bound in behind.values()) for behind in inside]
        assert [one in said.best_set for one in said.options] == kept
        at = said.options.index(said.choice)
        wanted = max([0.0, *(inside[second][at] for second in range(len(values)) if second != at and kept[second])])
        assert said.regret == pytest.approx(wanted, rel=1e-3)


def test_the_references(studied):
    data, result = studied
    part, split = part_of(data, result)
    table = gg.compare(result)
    y = np.asarray(split.y)
    for name in (one for one in result.variants if "regression" in one):
        row = next(one for one in table.contrasts if one.variant == name)
        mean = {v: np.mean([loss(result, y, one) for one in forecasts(result, part, v, "best")])
                for v in (name, "baseline")}  # fmt: skip
        assert row.difference == pytest.approx(mean[name] - mean["baseline"], rel=1e-4, abs=1e-6)
        assert np.ptp(forecasts(result, part, name, "best"), axis=0).max() == 0
    for finding in gg.recommend(result).findings:
        nets = [one.score for one in gg.recommend(result).options if one.variant in {"baseline", "l2(0.001)"}]
        own = next(one.score for one in gg.recommend(result).options if one.variant == finding.subject)
        assert own <= min(nets) + gg.recommend(result).tolerance


def test_the_ensembles_and_members_as_shipped(studied):
    data, result = studied
    part, split = part_of(data, result)
    y = np.asarray(split.y)
    for variant in ("baseline", "l2(0.001)"):
        row = gg.ensembles(result)[variant]
        mean = forecasts(result, part, variant, "best").astype(np.float64).mean(axis=0)
        assert row.score.value == pytest.approx(loss(result, y, mean), abs=1e-6)
        shipped = gg.ship(result, variant, seeds="all", epoch="best")
        x = split.x.toarray() if hasattr(split.x, "toarray") else split.x
        asked = np.squeeze(np.asarray(shipped.model.predict(x, verbose=0, batch_size=512), np.float64))
        assert abs(loss(result, y, asked) - row.score.value) < 1e-6
        said = next(one for one in shipped.card.scores if one.score == result.score)
        assert said.part == part
        assert abs(said.value - loss(result, y, asked)) < 1e-6


def test_the_gates_three_exits(studied):
    data, result = studied
    if data.name != "digits":
        pytest.skip("the digits have all three: a reference that is shown to be better, and a remedy that is not")
    for variant, against, margin, code in (
        ("logistic regression", "baseline", 0.05, 0),
        ("baseline", "logistic regression", 0.01, 1),
        ("l2(0.001)", "baseline", 0.0, 3),
    ):
        found = gg.gate(result, variant=variant, against=against, no_worse_than=margin)
        assert found.exit_code == code, str(found)
