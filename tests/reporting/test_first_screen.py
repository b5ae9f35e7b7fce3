"""The figure of the first screen: every awkward study is drawn or left out, and words say what the picture shows."""

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from gengap.analysis.comparison.contrasts import Contrast
from gengap.analysis.comparison.verdicts import Verdict
from gengap.reporting.languages import get_language
from gengap.reporting.markdown import to_markdown
from gengap.reporting.material import Material
from gengap.reporting.sections.answer import MOST_ROWS, chosen_rows, reach_of
from gengap.reporting.sections.decision import decision_section


def figure_of(result, lang="en"):
    section = decision_section(Material(result, get_language(lang)))
    return None if section is None else section.content["figure"]


def contrast(variant, difference, low, high, kind="cannot say"):
    numbers = dict.fromkeys(("se", "df", "p", "p_holm", "effect_size", "probability_better", "correlation"), 1.0)
    verdict = Verdict(kind, None, None)
    return Contrast(variant, "best", difference, low, high, **numbers, seeds=5, verdict=verdict, warnings=())


def test_every_variant_has_its_interval_and_zero_is_where_nothing_differs(result):
    figure, comparison = figure_of(result), Material(result, get_language("en")).comparison
    assert [line.variant for line in figure.lines] == [one.variant for one in comparison.contrasts]
    (low, _), (high, _) = figure.ticks
    assert low < figure.zero < high
    for line, one in zip(figure.lines, comparison.contrasts, strict=True):
        scale = (high - figure.zero) / float(figure.ticks[1][1])
        assert line.bar.at == pytest.approx(figure.zero + scale * one.difference, abs=0.05)
        assert line.bar.low <= line.bar.at <= line.bar.high
        assert (line.bar.high < figure.zero) == (line.kind == "better")
    assert sum(line.recommended for line in figure.lines) == 1
    assert (figure.low, figure.high) == ("better", "worse")  # log loss: smaller is better


def test_words_say_what_the_picture_shows_and_markdown_has_none_of_it(result, source):
    page = source
    drawn = page[page.index('<figure class="answer">') : page.index("</figure>")]
    label = re.search(r'role="img" aria-label="(.*?)"', drawn)[1]
    for one in Material(result, get_language("en")).comparison.contrasts:
        assert re.search(rf"{re.escape(one.variant)}: {one.verdict.kind}, [−+\d]", label)
    assert "smaller is better" in label
    assert drawn.count('aria-hidden="true"') == drawn.count("<svg width")
    assert "recommended" not in to_markdown(page).split("## What was found")[0]


def test_many_variants_keep_what_is_recommended_and_what_is_decided():
    many = [contrast(f"v{at}", 0.001 * at, -1, 1) for at in range(30)]
    many[3], many[5] = contrast("v3", 0.003, -1, 1), contrast("v5", -0.1, -0.2, -0.01, "better")
    rows = chosen_rows(many, "v3")
    assert len(rows) == MOST_ROWS
    assert {"v3", "v5", "v29"} <= {one.variant for one in rows}
    assert [one.variant for one in rows] == sorted((one.variant for one in rows), key=lambda name: int(name[1:]))


def test_one_endless_interval_does_not_hide_the_others():
    usual = [contrast(f"v{at}", 0.01, -0.02, 0.04) for at in range(4)]
    reach = reach_of([*usual, contrast("stuck", 30.0, -900.0, 960.0)])
    assert reach.high < 1
    stuck, first = reach.bar(contrast("stuck", 30.0, -900.0, 960.0)), reach.bar(usual[0])
    assert stuck.at is None
    assert (stuck.cut_low, stuck.cut_high) == (True, True)
    assert first.high - first.low > 20
    beyond = reach.bar(contrast("far", 30.0, 20.0, 40.0))
    assert beyond.low == beyond.high == reach.place(reach.high)
    assert (beyond.cut_low, beyond.cut_high) == (False, True)


def test_one_seed_has_points_without_intervals(make):
    figure = figure_of(make(seeds=1, cases=60))
    assert all(line.bar.low == line.bar.at == line.bar.high for line in figure.lines)
    assert "one seed" in figure.caption


def test_all_equal_is_drawn_at_zero(make):
    result = make(seeds=3, cases=40)
    same = result.test.copy()
    for name in ("prediction_best", "prediction_last"):
        same[name] = same[name].copy(data=np.broadcast_to(same[name].values[:1, :1], same[name].shape).copy())
    figure = figure_of(replace(result, test=same))
    if figure is not None:  # options that are the same everywhere are counted once, so nothing may be left to choose
        assert all(line.bar.at == figure.zero for line in figure.lines)


def test_a_variant_whose_runs_all_diverged_stands_there_without_a_mark(make):
    result = make(seeds=3, cases=60)
    lost = result.test.copy()
    for name in ("prediction_best", "prediction_last"):
        values = lost[name].values.copy()
        values[2] = np.nan
        lost[name] = lost[name].copy(data=values)
    figure = figure_of(replace(result, test=lost))
    assert [line.bar is None for line in figure.lines] == [False, True]
    assert figure.lines[1].aside is None


def test_one_variant_shows_how_it_learned_and_where_to_stop(make):
    result = make(variants=("baseline",), seeds=3, cases=60)
    section = decision_section(Material(result, get_language("zh")))
    assert section.content["drawn"].svg.startswith('<svg class="diagram" role="img" aria-label=')
    assert "轮" in section.content["drawn"].caption
    assert figure_of(make(variants=("baseline",), seeds=3, cases=60, test=False)) is None  # one option, no section


def test_a_reference_and_a_larger_score_point_the_other_way(result):
    material = Material(result, get_language("en"))
    turned = replace(material.comparison, larger_is_better=True)
    from gengap.reporting.sections.answer import _differences

    figure = _differences(material, turned, material.recommendation)
    assert (figure.low, figure.high) == ("worse", "better")


def test_curves_alone_are_drawn_too(result):
    nothing = xr.Dataset()
    figure = figure_of(replace(result, test=nothing, validation=nothing))
    assert figure is not None
    assert len(figure.lines) == len(result.variants) - 1
