"""A study without a validation split: nothing is said to be chosen on it, and nothing waits for it."""

import re

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.errors import DataError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)).astype("float32"), RNG.normal(size=40).astype("float32")


def net():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_early_stopping_needs_something_to_look_at():
    study = gg.Study(net(), remedies=["early_stopping(1)", "l2(0.1)"], seeds=1)
    with pytest.raises(DataError, match=r"'early_stopping\(1\)' would never stop.*Give `validation_data=`"):
        study.run(X, Y, test_data=(X + 1, Y), epochs=2, progress=False)
    for given in ({"stopping": gg.StoppingRule(1)}, {"restore_best_weights": True}):
        with pytest.raises(DataError, match="look at a validation split"):
            gg.fit_many([net()], X, Y, seeds=[0], **given)


def test_class_weights_of_a_regression_are_told_what_serves():
    with pytest.raises(DataError, match="a regression has none: give `sample_weight`"):
        gg.Study(net(), seeds=1).run(X, Y, validation_split=0.2, epochs=1, class_weight={0: 1.0}, progress=False)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("seeds", "lang"),
    [(1, "en"), (2, "zh"), *(pytest.param(*given, marks=pytest.mark.slow) for given in ((1, "zh"), (2, "en")))],
)
def test_no_sentence_speaks_of_a_choice_on_validation(tmp_path, lang, seeds):
    study = gg.Study(net(), remedies=["l2(0.1)", "dropout(0.2)"], seeds=seeds)
    result = study.run(X, Y, test_data=(X + 1, Y), epochs=2, progress=False)
    assert "There is no validation split, so the best epoch is the last." in gg.summarize(result).to_text()
    page = gg.report(result, tmp_path / "report.html", lang=lang).read_text()
    said = re.sub(r"<(script|style)[ >].*?</\1>", "", page, flags=re.DOTALL)
    for phrase in ("chosen on validation", "best on validation", "median validation", "在验证集上", "验证评分居中"):
        assert phrase not in said
