"""The choice of the rate of dropout as the page shows it: a table before and after, a verdict, the figure."""

import html
import re

import keras
import numpy as np
import pytest
import xarray as xr
from tests.reporting.conftest import make_result

from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.reporting import render_report
from gengap.sampling import choose_rate


def choice(task="binary", weight=3.0):
    last, loss = ("sigmoid", "binary_crossentropy") if task == "binary" else (None, "mse")
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dropout(0.1), keras.layers.Dense(1, last)])
    model.compile(loss=loss)
    model.set_weights([np.full((20, 1), weight, "float32"), np.zeros(1, "float32")])
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 20)).astype("float32")
    signal = 0.3 * x.sum(axis=1)
    y = (random.random(600) < 1 / (1 + np.exp(-signal))).astype(int) if task == "binary" else signal
    parts = (x[:300], y[:300]), (x[300:], y[300:])
    return choose_rate(model, parts[0], test_data=parts[1], rates=[0.05, 0.2, 0.4], num_members=30)


@pytest.fixture(scope="module")
def chosen():
    return choice()


def test_before_and_after_stand_side_by_side(chosen, draw_only):
    draw_only("noise")
    page = render_report(make_result(seeds=2, epochs=2, cases=20), rate_choice=chosen)
    section = page[page.index('id="title-noise"') :].partition("</section>")[0]
    cells = [html.unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<td.*?</td>", section)]
    names = ["brier_score", "mean spread", "monotonicity fraction", "discard improvement"]
    for at, name in enumerate(names):
        for column, shown in zip(("trained", "chosen"), cells[2 * at : 2 * at + 2], strict=True):
            assert float(shown.replace("−", "-")) == pytest.approx(chosen.quality.loc[name, column], abs=6e-4)
    assert "The chosen rate helps" in section
    assert "The best value, 0.4, is the largest that was tried" in section
    assert "<svg" in section


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("weight", "said"), [(0.3, "No rate"), (3.0, "The chosen rate helps")])
def test_the_verdict_is_that_of_the_interval(weight, said):
    found = choice(weight=weight)
    assert said in render_report(make_result(seeds=2, epochs=2, cases=20), rate_choice=found)


@pytest.mark.usefixtures("undrawn")
def test_a_regression_has_its_own_rows_and_chinese_its_own_words():
    page = render_report(make_result(seeds=2, epochs=2, cases=20), rate_choice=choice("regression"), lang="zh")
    section = page[page.index('id="title-noise"') :].partition("</section>")[0]
    assert "SSRAT" in section
    assert "AUC" not in section
    assert "连续分级概率评分" in section


@pytest.mark.usefixtures("undrawn")
def test_without_a_choice_there_is_no_section():
    assert "title-noise" not in render_report(make_result(seeds=2, epochs=2, cases=20))


@pytest.mark.usefixtures("undrawn")
def test_a_case_says_what_it_is_a_case_of():
    result = make_result(seeds=2, epochs=2, cases=20)
    members = np.random.default_rng(0).beta(4, 6, (50, 2)).astype(np.float32)
    coords = {"seed": ("member", np.zeros(50, int)), "sample": [7, 9]}
    members = xr.DataArray(members, dims=("member", "sample"), coords=coords)
    settings = {"part": "test", "variant": "baseline", "kinds": ["sure_wrong", "unsure"]}
    page = render_report(
        result, distribution=PredictiveDistribution(members, members.mean("member"), "binary", settings)
    )
    assert "<h4>Sure and wrong: case 7</h4>" in page
    assert "<h4>Unsure: case 9</h4>" in page
