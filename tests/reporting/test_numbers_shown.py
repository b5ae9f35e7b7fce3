"""Every number of the page, computed again from the result by another way."""

import html
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

import gengap
from gengap.analysis import audit, compare, diagnose
from gengap.analysis.inference.components import seeds_share, two_way
from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.reporting import render_report
from gengap.reporting.sections.weights import SPARSE_BELOW

NUMBER = r"[−+]?[\d,]*\.?\d+"


def numbers(text):
    return [float(found.replace("−", "-").replace(",", "")) for found in re.findall(NUMBER, text)]


def as_shown(values, shown, text):
    """Whether the numbers read off a text are the values, to the last digit that the text gives."""
    digits = [len(found.partition(".")[2]) for found in re.findall(NUMBER, text)]
    assert len(shown) == len(values), text
    for value, read, decimals in zip(values, shown, digits, strict=True):
        assert read == pytest.approx(value, abs=0.5001 * 10.0**-decimals), text


def losses(result, variant, rule="best", part="test"):
    """Log loss of every seed and case, shape (seeds, cases)."""
    split = getattr(result, part)
    p = split[f"prediction_{rule}"].sel(variant=variant).values.astype(float)
    return -np.log(np.where(split["y_true"].values == 1, p, 1 - p))


def seed_losses(result, variant, rule, part):
    split = getattr(result, part)
    p = split[f"prediction_{rule}"].sel(variant=variant).values
    return np.array([sklearn_log_loss(split["y_true"], row.astype(float)) for row in p])


def skills(result, variant, rule, part="test"):
    split = getattr(result, part)
    p, y = split[f"prediction_{rule}"].sel(variant=variant).values.astype(float), split["y_true"].values
    climatology = result.manifest["data"]["training_climatology"]
    return 1 - np.array([brier_score_loss(y, row) for row in p]) / np.mean((climatology - y) ** 2)


def interval(values):
    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    return [values.mean(), values.mean() - half, values.mean() + half]


def two_way_interval(difference, level):
    """Seeds and cases both random, from the textbook's mean squares (Searle, two-way crossed without replication)."""
    n, m = difference.shape
    mean = difference.mean()
    row, column = difference.mean(1) - mean, difference.mean(0) - mean
    residual = difference - mean - row[:, None] - column[None]
    ms = np.array(
        [m * (row**2).sum() / (n - 1), n * (column**2).sum() / (m - 1), (residual**2).sum() / (n - 1) / (m - 1)]
    )
    variance = max((ms[0] + ms[1] - ms[2]) / (n * m), ms.min() / (n * m))
    return mean, np.sqrt(variance), level


def two_way_limits(values):
    """Mean with its 95 % interval: standard errors halfway between Satterthwaite's and Cochran's."""
    n, m = values.shape
    mean, se, _ = two_way_interval(values, 0.05)
    share = seeds_share(two_way(values))
    cochran = share * stats.t.ppf(0.975, n - 1) + (1 - share) * stats.t.ppf(0.975, m - 1)
    half = se * (cochran + stats.t.ppf(0.975, two_way(values).df)) / 2
    return [mean, mean - half, mean + half]


def test_differences_and_intervals_of_the_comparison(result, page):
    found = compare(result)
    rows = page.tables["comparison"][1:]
    assert [row[0][0] for row in rows] == list(result.variants[1:])
    for row, one, other in zip(rows, found.contrasts, found.descriptive, strict=True):
        name, verdict = row[0][0], row[1][0]
        assert verdict == one.verdict.kind
        for cell, contrast in ((row[2], one), (row[3], other)):
            paired = losses(result, name, contrast.rule) - losses(result, "baseline", contrast.rule)
            assert float(cell[1]) == pytest.approx(paired.mean(), rel=1e-6)
            as_shown([paired.mean(), contrast.low, contrast.high], numbers(cell[0]), cell[0])
            _, se, _ = two_way_interval(paired, 0.05)
            assert contrast.se == pytest.approx(se, rel=1e-6)
        assert (one.rule, other.rule) == ("best", "last")
        paired = losses(result, name) - losses(result, "baseline")
        assert float(row[5][1]) == one.p_holm
        won = np.mean(paired.mean(axis=1) < 0)
        as_shown([100 * won], numbers(row[6][0]), row[6][0])


def test_pictures_of_the_comparison(result, source):
    found = compare(result)
    contrasts = [pair[at] for pair in zip(found.contrasts, found.descriptive, strict=True) for at in (0, 1)]
    drawn = re.findall(r'class="reach" x1="([-\d.]+)" x2="([-\d.]+)".*?<circle cx="([-\d.]+)"', source, re.DOTALL)
    ends = np.array([[one.low, one.high, one.difference] for one in contrasts])
    low, high = min(0, ends.min()), max(0, ends.max())
    np.testing.assert_allclose(np.array(drawn, dtype=float), 150 * (ends - low) / (high - low), atol=0.06)
    ticks = re.findall(r'<text x="([-\d.]+)" y="-5" text-anchor="middle">([^<]+)</text>', source)
    assert 2 <= len(ticks) <= 5
    for x, text in ticks:
        assert float(x) == pytest.approx(150 * (numbers(text)[0] - low) / (high - low), abs=0.06)


def test_scores_of_every_variant(result, page):
    head, *rows = page.tables["scores"]
    columns = [text for text, _ in head]
    assert columns == ["Variant", "At epoch", "Epoch", "Validation log loss", "Test log loss", "Test skill", "Gap",
                       "Parameters", "Seconds"]  # fmt: skip
    expected = {}
    for name in result.variants:
        for rule in ("best", "last"):
            runs, history = result.runs.sel(variant=name), result.history.sel(variant=name)
            epoch = runs["best_epoch" if rule == "best" else "epochs"].values
            at = np.arange(len(epoch)), epoch - 1
            gap = history["val_score"].values[at] - history["train_score"].values[at]
            expected[name, rule] = [
                epoch, seed_losses(result, name, rule, "validation"), seed_losses(result, name, rule, "test"),
                skills(result, name, rule), gap, np.full(1, 13569), runs["seconds"].values,
            ]  # fmt: skip
    assert len(rows) == len(expected)
    for row in rows:
        for (text, raw), values in zip(row[2:], expected[row[0][0], row[1][0]], strict=True):
            spread = [values.std(ddof=1)] if "±" in text else []
            as_shown([values.mean(), *spread], numbers(text), text)
            assert float(raw) == pytest.approx(values.mean(), rel=1e-5)


@pytest.mark.parametrize("split", ["training", "heldout"])
def test_learning_curves(result, page, split):
    names = {"log loss": ("train_score", "val_score"), "objective, without penalty": ("loss", "val_loss"),
             "accuracy": ("accuracy", "val_accuracy"), "penalty": ("penalty", None)}  # fmt: skip
    assert {one["label"] for one in page.data["quantities"]} == set(names)
    for quantity in page.data["quantities"]:
        name = names[quantity["label"]][split == "heldout"]
        assert bool(quantity[split]) == (name is not None)
        for variant, curve in zip(result.variants, quantity[split], strict=False):
            values = result.history[name].sel(variant=variant).values
            np.testing.assert_allclose(curve["seeds"], values, rtol=1e-4)
            low, high = stats.t.interval(0.95, len(values) - 1, values.mean(0), np.maximum(stats.sem(values), 1e-300))
            np.testing.assert_allclose(curve["mean"], values.mean(0), rtol=1e-4)
            np.testing.assert_allclose(curve["low"], low, rtol=1e-4)
            np.testing.assert_allclose(curve["high"], high, rtol=1e-4)
            for rule, where in (("best", "best_epoch"), ("last", "epochs")):
                epochs = result.runs[where].sel(variant=variant).values
                np.testing.assert_allclose(
                    curve["at"][rule], interval(values[np.arange(len(epochs)), epochs - 1]), rtol=1e-4
                )
    assert page.data["best"] == result.runs["best_epoch"].values.tolist()
    assert page.data["last"] == result.runs["epochs"].values.tolist()
    means = result.runs["best_epoch"].mean("seed").values
    assert [float(text) for text in page.data["epoch_at"]["best"]] == pytest.approx(means, abs=0.05)


def two_way_skill(result, variant, rule):
    """Skill and its 95 % interval for new seeds and cases, by the delta method of a ratio of means."""
    p, y = result.test[f"prediction_{rule}"].sel(variant=variant).values.astype(float), result.test["y_true"].values
    loss, reference = (p - y) ** 2, (result.manifest["data"]["training_climatology"] - y) ** 2
    ratio = loss.mean(axis=1, keepdims=True) / reference.mean()
    values = 1 - ratio - (loss - ratio * reference) / reference.mean()
    return two_way_limits(values)


def test_findings(result, page):
    found = compare(result)
    said = page.sentences
    skill = two_way_skill(result, "baseline", "last")
    shown = said[0].partition("score")[2]
    as_shown(skill, numbers(shown), shown)
    assert ("better than always" in said[0]) == (skill[1] > 0)
    for one in found.contrasts:
        sentence = next(text for text in said if text.startswith(f"{one.variant} is {one.verdict.kind} than"))
        shown = sentence.partition(" by ")[2].partition("in log loss")[0]
        as_shown([-one.difference, -one.high, -one.low], numbers(shown), shown)
    leader = next(text for text in said if f"{found.best.variant} did best on validation" in text)
    shown = leader.partition("score")[2]
    as_shown(two_way_skill(result, found.best.variant, "best"), numbers(shown), shown)


def test_the_other_epoch_is_described(result, page):
    found = compare(result).descriptive
    better = [one for one in found if one.verdict.kind == "better"]
    said = next(text for text in page.sentences if text.startswith("At the last epoch, "))
    most = max(better, key=lambda one: abs(one.difference))
    assert f"{len(better)} variants are better than the baseline, most of all {most.variant}" in said
    shown = said.partition(": by ")[2].partition("in log loss")[0]
    as_shown([-most.difference, -most.high, -most.low], numbers(shown), shown)


@pytest.mark.usefixtures("undrawn")
def test_onset_of_a_curve_that_falls_and_then_rises(make, read_page):
    result = make(epochs=10)
    curve = np.array([9, 8, 7, 6, 5, 3, 5, 7, 9, 11]) / 10  # lowest at epoch 6, well above it from 7 on
    noise = 0.01 * np.random.default_rng(0).standard_normal((6, 10))
    result.history["val_score"][0] = curve + noise
    result.history["val_score"][1:] = np.linspace(1, 0.1, 10) + noise
    said = read_page(render_report(result)).sentences
    assert said[0].startswith("The baseline overfits from epoch 7 [7, 7]; at the last epoch it is")
    assert any("it shows no overfitting within 10 epochs" in text for text in said)
    chinese = read_page(render_report(result, lang="zh")).sentences
    assert chinese[0].startswith("基线从第 7 轮 [7, 7] 起过拟合；在最后一轮，它")


def test_early_stopping(result, page):
    head, *rows = page.tables["stopping"]
    assert [text for text, _ in head] == ["Variant", "Last epoch", "Best epoch", "With stopping",
                                          "Stops at epoch", "Epochs saved"]  # fmt: skip
    every, y = result.test["prediction_epochs"].values.astype(float), result.test["y_true"].values
    test = -np.log(np.where(y == 1, every, 1 - every)).mean(axis=-1)  # variant, seed, epoch
    validation = result.history["val_score"].values
    stopped = np.empty(validation.shape[:2], int)
    for index in np.ndindex(stopped.shape):
        curve = validation[index]
        # patience 1: the first epoch that is no better than the best before it ends the run
        worse = [at for at in range(1, len(curve)) if curve[at] >= curve[:at].min()]
        stopped[index] = (worse[0] if worse else len(curve) - 1) + 1
    best = validation.argmin(-1)
    kept = np.array(
        [[validation[v, s, : stopped[v, s]].argmin() for s in range(best.shape[1])] for v in range(len(best))]
    )
    ways = [test[..., -1], np.take_along_axis(test, best[..., None], -1)[..., 0],
            np.take_along_axis(test, kept[..., None], -1)[..., 0]]  # fmt: skip
    for at, row in enumerate(rows):
        for way, cell in zip(ways, row[1:4], strict=True):
            as_shown([way[at].mean(), way[at].std(ddof=1)], numbers(cell[0]), cell[0])
        as_shown([stopped[at].mean()], numbers(row[4][0]), row[4][0])
        as_shown([100 * np.mean(1 - stopped[at] / 8)], numbers(row[5][0]), row[5][0])


def test_measures(result, page):
    head, *rows = page.tables["verification"]
    assert [text for text, _ in head] == ["Variant", "AUC", "Brier score", "Skill", "Miscalibration", "Discrimination"]
    for row in rows:
        p = result.test["prediction_best"].sel(variant=row[0][0]).values.astype(float)
        y = result.test["y_true"].values
        auc = np.mean([roc_auc_score(y, one) for one in p])
        as_shown([auc], numbers(row[1][0])[:1], row[1][0].partition(" [")[0])
        as_shown(two_way_limits((p - y) ** 2), numbers(row[2][0]), row[2][0])
        as_shown(two_way_skill(result, row[0][0], "best"), numbers(row[3][0]), row[3][0])
        parts = [recalibrated(y, one) for one in p]
        as_shown([np.mean([part[0] for part in parts])], numbers(row[4][0]), row[4][0])
        as_shown([np.mean([part[1] for part in parts])], numbers(row[5][0]), row[5][0])


def recalibrated(y, p):
    """What the Brier score loses by isotonic recalibration, and what it gains over the base rate after it."""
    best = IsotonicRegression().fit_transform(p, y)
    return brier_score_loss(y, p) - brier_score_loss(y, best), np.mean((y.mean() - y) ** 2) - brier_score_loss(y, best)


def test_audit_says_the_numbers_of_the_findings(result, source):
    found = (*diagnose(result).findings, *audit(result).findings)
    assert len({one.code for one in found}) > 1
    items = re.findall(r"<li class=\"is-\w+\"><b>(.*?)</b>(.*?)</li>", source)
    said = {(text(a), text(b).removeprefix(": ")) for a, b in items}
    for one in found:
        assert (str(one.subject), one.sentence.replace("-", "−")) in {(a, b.replace("-", "−")) for a, b in said}


def text(markup):
    return html.unescape(re.sub(r"<.*?>", "", markup)).replace("\u00a0", " ")


def test_predictive_distributions(result, draw_only):
    draw_only("cases")
    members = np.random.default_rng(0).beta(4, 6, (500, 8)).astype(np.float32)
    coords = {"seed": ("member", np.zeros(500, int)), "sample": np.arange(40, 48)}
    members = xr.DataArray(members, dims=("member", "sample"), coords=coords)
    plain = members.mean("member") + 0.1
    source = render_report(result, distribution=PredictiveDistribution(members, plain, "binary", {}))
    for at in range(6):
        one = members.isel(sample=at).values.astype(float)
        assert f"case {40 + at}</h4>" in source
        for name, value in (("Deterministic", float(plain[at])), ("Mean", one.mean()), ("Median", np.median(one))):
            assert f">{name} {value:.3g}<" in source
    assert "case 46</h4>" not in source
    assert "Histogram of 500 members." in source


def test_predictive_distributions_of_known_cases_say_what_happened(result, draw_only):
    draw_only("cases")
    members = np.random.default_rng(0).beta(4, 6, (50, 2)).astype(np.float32)
    coords = {"seed": ("member", np.zeros(50, int)), "sample": [7, 90]}
    members = xr.DataArray(members, dims=("member", "sample"), coords=coords)
    settings = {"part": "test", "variant": "l2(0.01)"}
    source = render_report(
        result, distribution=PredictiveDistribution(members, members.mean("member"), "binary", settings)
    )
    assert "One network of l2(0.01) predicts many times" in source
    for at in (7, 90):
        figure = source.partition(f"<h4>case {at}</h4>")[2].partition("</figure>")[0]
        assert f"Outcome: {result.test['y_true'].values[at]}." in figure


def test_verification_diagrams(result, source):
    test = result.test
    for variant in ("baseline", "dropout(0.5)+l2(0.01)"):
        p = test["prediction_best"].sel(variant=variant, seed=result.median_seed(variant)).values.astype(float)
        assert f"AUC {roc_auc_score(test['y_true'], p):.3f} [" in source
        assert re.search(rf"Brier score\s+{brier_score_loss(test['y_true'], p):.4f}<", source)


def test_cases(result, page):
    leader = compare(result).best.variant
    p = result.test["prediction_best"].sel(variant=leader).values.astype(float)
    y = result.test["y_true"].values
    mean, kinds = p.mean(0), {}
    for row in page.tables["cases"][1:]:
        if len(row) == 1:
            kind = kinds.setdefault(row[0][0], [])
            continue
        at = int(row[0][0].removeprefix("case "))
        kind.append(at)
        assert row[1][0] == str(y[at])
        as_shown([mean[at], p[:, at].std(ddof=1)], numbers(row[2][0]), row[2][0])
    doubt, wrong = 0.5 - abs(mean - 0.5), (mean > 0.5) != y
    assert kinds["Sure and right"] == list(np.argsort(np.where(wrong, 9, doubt), kind="stable")[:2])
    assert sorted(kinds["Sure and wrong"]) == sorted(np.argsort(np.where(wrong, doubt, 9), kind="stable")[:2])
    assert set(kinds["Unsure"]) <= set(np.argsort(-doubt)[:4])
    assert set(kinds["Seeds disagree"]) <= set(np.argsort(-p.std(0))[:8])
    assert len({at for found in kinds.values() for at in found}) == 8


def test_weights(result, page):
    for row in page.tables["weights"][1:]:
        runs = result.runs.sel(variant=row[0][0])
        assert numbers(row[1][0]) == [13569]
        for (text, raw), name, unit in ((row[2], "weight_norm", 1), (row[4], "sparsity", 100)):
            values = runs[name].values
            assert float(raw) == pytest.approx(values.mean())
            as_shown([unit * values.mean(), unit * values.std(ddof=1)], numbers(text), text)


def test_the_threshold_is_the_one_that_the_study_used():
    source = (Path(gengap.__file__).parent / "study" / "assembly.py").read_text()  # importing it would load Keras
    assert float(re.search(r"^SPARSE_BELOW = (.*)$", source, re.MULTILINE)[1]) == SPARSE_BELOW


def test_provenance(result, page):
    text = " ".join(page.texts)
    for value in ("gengap demo soundings --seeds 6", "2026-01-01 00:00:00 UTC", np.__version__, "419", "keras"):
        assert value in text
    for name in result.variants:
        assert f"Model of {name}" in text


def test_no_number_has_more_digits_than_anyone_reads(source, source_of, read_page):
    for one in (source, source_of("multiclass"), source_of("regression")):
        page = read_page(one)
        shown = [text for text in page.texts if "0.1.0" not in text and not text.startswith(("{", "[", '"use strict'))]
        long = [found for text in shown for found in re.findall(r"\d\.\d{7,}", text) if "{" not in text]
        assert long == []


def test_regression_and_labels_show_their_own_scores(make, source_of, read_page):
    regression = make("regression")
    row = read_page(source_of("regression")).tables["scores"][1]
    error = (regression.test["prediction_best"].sel(variant="baseline") - regression.test["y_true"]) ** 2
    assert float(row[4][1]) == pytest.approx(float(error.mean()), rel=1e-5)
    labels = make("multiclass")
    row = read_page(source_of("multiclass")).tables["scores"][1]
    p = labels.test["prediction_best"].sel(variant="baseline").values.astype(float)
    loss = np.mean(
        [sklearn_log_loss(labels.test["y_true"], one, labels=[0, 1, 2]) for one in p / p.sum(-1, keepdims=True)]
    )
    assert float(row[4][1]) == pytest.approx(loss, rel=1e-5)
