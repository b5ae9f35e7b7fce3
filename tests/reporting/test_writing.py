"""The page as text: complete in itself, the same every time, small, and deaf to hostile names."""

import re
import warnings

import numpy as np
import pytest

from gengap.errors import UnknownNameError
from gengap.reporting import render_report, report
from gengap.reporting.sections.verification import thinned
from gengap.results import Result
from gengap.verification import reliability_curve

EVERYTHING = {
    "decision", "findings", "comparison", "scores", "ensembles", "curves", "stopping", "verification", "cases",
    "weights", "audit", "provenance",
}  # fmt: skip


def test_a_complete_result_has_every_section(page):
    assert set(page.tables) == EVERYTHING


def test_equal_results_give_equal_pages(result, source):
    assert render_report(result) == source


def test_nothing_is_loaded_from_anywhere(page):
    for tag, attrs in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed"}
        for name in ("src", "href", "xlink:href", "action"):
            assert not attrs.get(name) or attrs[name].startswith("#"), (tag, attrs)
    assert "@import" not in page.source
    assert not re.search(r"url\((?!#)", page.source)
    assert "default-src 'none'" in page.source


def test_identifiers_are_unique(page):
    names = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("task", ["multiclass", "regression"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_task_in_every_language(make, source_of, read_page, draw_only, task, lang):
    """Labels are drawn in English and numbers in both: what is drawn is the same, and its words are looked up late."""
    if (task, lang) == ("multiclass", "zh"):
        draw_only("verification")
    page = read_page(source_of(task) if lang == "en" else render_report(make(task), lang=lang))
    assert set(page.tables) == EVERYTHING
    assert ("html", {"lang": {"en": "en", "zh": "zh-CN"}[lang]}) in page.tags


def test_ten_variants_and_ten_seeds_stay_below_three_megabytes(make, tmp_path):
    names = [f"variant number {k}" for k in range(10)]
    big = make(variants=names, seeds=10, epochs=30, cases=2000)
    assert report(big, tmp_path / "deep" / "big.html").stat().st_size < 3e6


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_many_cases_do_not_make_a_heavy_page(make, task):
    source = render_report(make(task, variants=("a", "b"), seeds=2, epochs=3, cases=20_000))
    assert len(source.encode()) < 1e6
    assert ("2,000 of 20,000 cases are drawn" in source) == (task == "regression")


def test_a_thinned_reliability_curve_is_the_curve():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    curve = reliability_curve(rng.random(20_000) < p, p, resamples=20)
    thin = thinned(curve)
    assert len(thin.forecast) <= 801
    for name in ("frequency", "low", "high"):
        before, after = getattr(curve, name), np.interp(curve.forecast, thin.forecast, getattr(thin, name))
        assert np.mean(np.abs(before - after)) < 1e-3, name


def test_hostile_names_are_text(make, hostile_name, read_page):
    page = read_page(render_report(make(variants=("baseline", hostile_name), seeds=3, epochs=4, cases=60)))
    assert [attrs for tag, attrs in page.tags if tag == "script"] == [
        {"type": "application/json", "id": "curves-data"},
        {"type": "application/json", "id": "stopping-data"},
        {},
    ]
    assert page.tables["comparison"][1][0][0] == hostile_name
    assert page.data["variants"] == ["baseline", hostile_name]
    assert "49" not in [text for row in page.tables["comparison"] for text, _ in row]


def test_curves_alone_make_a_page(read_page):
    histories = {name: [{"loss": [1.0, 0.5, level], "val_loss": [1.0, 0.8, level + 0.2]} for _ in range(3)]
                 for name, level in (("a", 0.4), ("b", 0.3))}  # fmt: skip
    page = read_page(render_report(Result.from_histories(histories, task="regression")))
    assert {"findings", "scores", "curves", "provenance"} <= set(page.tables)
    assert not {"verification", "cases", "weights"} & set(page.tables)


def test_predictions_alone_make_a_page(read_page):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 80)
    predictions = {
        name: np.clip(y * gain + rng.random((4, 80)) * 0.8, 0.01, 0.99) for name, gain in (("a", 0.1), ("b", 0.2))
    }
    page = read_page(render_report(Result.from_predictions(y, predictions, task="binary", score="log_loss")))
    assert {"findings", "comparison", "scores", "verification", "cases"} <= set(page.tables)
    assert "curves" not in page.tables


def test_one_variant_and_one_seed_are_not_compared(make, read_page):
    page = read_page(render_report(make(variants=("only",), seeds=1)))
    assert not {"comparison", "cases"} & set(page.tables)
    assert page.sentences[0].startswith("only is best at epoch")
    assert any("One seed only" in text for text in page.sentences)


def test_cases_of_one_class_draw_what_can_be_drawn(make, read_page):
    result = make(cases=40)
    result.test["y_true"][:] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page = read_page(render_report(result))
    assert "findings" in page.tables


def test_a_diverged_run_is_said_and_counts_nowhere(make, read_page):
    result = make()
    result.runs["status"][1, 2] = "diverged at epoch 3"
    for part in (result.validation, result.test):
        for rule in ("best", "last"):
            part[f"prediction_{rule}"][1, 2] = np.nan
    result.history["val_score"][1, 2, 2:] = np.nan
    page = read_page(render_report(result))
    assert any("1 of 18 runs diverged" in text for text in page.sentences)
    assert "nan" not in " ".join(text for row in page.tables["scores"] for text, _ in row)


def test_a_variant_that_is_lost_altogether_is_said_to_be(make, read_page):
    result = make()
    result.runs["status"][2] = "diverged at epoch 1"
    result.runs["best_epoch"][2], result.runs["epochs"][2] = 0, 1
    for part in (result.validation, result.test):
        for rule in ("best", "last"):
            part[f"prediction_{rule}"][2] = np.nan
        part["prediction_epochs"][2] = np.nan
    for name in result.history:
        result.history[name][2] = np.nan
    for name in ("weight_norm", "sparsity"):
        result.runs[name][2] = np.nan
    lost = result.variants[2]
    page = read_page(render_report(result))
    assert f"{lost} cannot be compared with the baseline: there is no pair of completed runs." in page.sentences
    assert any(text.endswith(f"diverged and are left out of all means: {lost} (6).") for text in page.sentences)
    for section in ("comparison", "scores", "stopping", "verification"):
        row = next(row for row in page.tables[section] if row[0][0] == lost)
        shown = {text for text, _ in row[1:]}
        assert "–" in shown, section
        assert not shown & {"nan", "inf", "0", "0.0"}, section


@pytest.mark.parametrize(("variants", "seeds", "title"), [(("only",), 1, "One variant × one seed"),
                                                          (("a", "b"), 2, "2 variants × 2 seeds")])  # fmt: skip
@pytest.mark.usefixtures("undrawn")
def test_the_headline_counts(make, variants, seeds, title):
    result = make(variants=variants, seeds=seeds)
    result.manifest["data"].pop("name")
    assert f"<h1>{title}</h1>" in render_report(result)


@pytest.mark.usefixtures("undrawn")
def test_results_from_elsewhere_do_not_claim_to_be_repeatable():
    histories = {"a": [{"loss": [1.0, 0.5, 0.4], "val_loss": [1.0, 0.8, 0.7]}]}
    source = render_report(Result.from_histories(histories, task="regression"))
    assert "Made with other tools" in source
    assert "command that repeats" not in source


def test_unknown_language(result, tmp_path):
    with pytest.raises(UnknownNameError, match="lang='fr'"):
        report(result, tmp_path / "x.html", lang="fr")
    assert not (tmp_path / "x.html").exists()


def test_ensembles_stand_beside_single_runs(result, page):
    from gengap.analysis import ensembles

    head, *rows = page.tables["ensembles"]
    found = ensembles(result)
    assert [text for text, _ in head[1:]] == [
        "Mean of all runs", "A run alone", "Mean minus alone", "Minus the baseline's mean"
    ]  # fmt: skip
    for row, one in zip(rows, found.rows, strict=True):
        assert row[0][0].replace("\u200b", "") == one.variant
        assert [float(cell[1]) for cell in row[1:4]] == pytest.approx([one.score.value, one.single, one.gain.value])
    assert rows[0][4][0] == "–"
