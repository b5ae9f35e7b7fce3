"""Whatever claims something of a single split says that it is given this training set, in both languages."""

import warnings

import numpy as np
import pytest

from gengap.analysis import compare, diagnose, early_stopping, summarize
from gengap.analysis.findings.codes import CODES
from gengap.analysis.findings.wording import ENGLISH, GIVEN
from gengap.plots import ComparisonDisplay
from gengap.reporting.languages import LANGUAGES, get_language
from gengap.reporting.languages.zh_findings import SENTENCES
from gengap.reporting.material import Material
from gengap.reporting.sections.comparison import comparison_section
from gengap.reporting.sections.findings import sentences
from gengap.results import Result

SAID = {"en": GIVEN, "zh": "就这一训练集而言"}
DESIGN = ("caution.", "verdict.lost")
"""What is said of the design and of lost runs is no claim."""


def from_predictions(effect):
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.4).astype(int)
    z = 1.2 * y + rng.normal(size=200)
    runs = {
        name: 1 / (1 + np.exp(-(shift * (2 * y - 1) + z - 0.8 + 0.3 * rng.normal(size=(8, 200)))))
        for name, shift in {"baseline": 0.0, "a": effect, "b": -effect, "c": 0.0}.items()
    }
    return Result.from_predictions(y, runs, task="binary", score="log_loss")


def from_histories(effect):
    rng = np.random.default_rng(1)
    epochs = np.arange(1, 13)

    def run(level, slope):
        val = level + 0.5 / epochs + slope * np.maximum(epochs - 4, 0) + 0.004 * rng.normal(size=12)
        return {"loss": 0.5 / epochs, "val_loss": val}

    shapes = {"baseline": (0.3, 0.05), "a": (0.3 - effect, 0.0), "b": (0.3 + effect, 0.08), "c": (0.3, 0.05)}
    return Result.from_histories(
        {name: [run(*shape) for _ in range(8)] for name, shape in shapes.items()}, task="binary"
    )


RESULTS = [from_predictions(0.8), from_predictions(0.0), from_histories(0.1), from_histories(0.0)]
IDS = ["predictions", "predictions, no effect", "histories", "histories, no effect"]


def compared(result):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compare(result, margin=0.02)


@pytest.mark.parametrize("result", RESULTS, ids=IDS)
def test_every_verdict_and_every_table_says_it(result):
    found = compared(result)
    assert all(GIVEN in str(one.verdict) for one in (*found.contrasts, *found.descriptive))
    assert GIVEN in found.table.title
    assert GIVEN in next(column.label for column in found.table.columns if column.name == "verdict")
    assert any(GIVEN in note for note in found.notes)
    assert GIVEN in summarize(result).title
    assert GIVEN in diagnose(result).table.title
    if "val_score" in result.history:
        assert GIVEN in early_stopping(result, patience=2).title
    for form in (str(found), found._repr_html_(), found.to_latex()):
        assert GIVEN in form
    assert GIVEN in ComparisonDisplay.from_comparison(found).plot().get_title(loc="left")


@pytest.mark.parametrize("result", RESULTS, ids=IDS)
def test_every_finding_of_the_diagnosis_says_it(result):
    found = diagnose(result).findings
    assert found or "no effect" in IDS[RESULTS.index(result)]
    assert all(GIVEN in str(one) for one in found)
    chinese = LANGUAGES["zh"]
    assert all(SAID["zh"] in chinese.write(one.message) for one in found)


def test_no_code_of_the_diagnosis_is_forgotten():
    """Also those that the results above do not have."""
    for sentences_of, said in ((ENGLISH.sentences, SAID["en"]), (SENTENCES, SAID["zh"])):
        claims = [key for key in sentences_of if key.startswith("GG1")]
        assert {key.partition(".")[0] for key in claims} == {code for code in CODES if code.startswith("GG1")}
        assert all(said in sentences_of[key] for key in claims)


@pytest.mark.parametrize("language", list(SAID))
@pytest.mark.parametrize("result", RESULTS, ids=IDS)
def test_every_sentence_of_the_report_says_it(result, language):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        material = Material(result, get_language(language))
        said = [one.text for one in sentences(material)]
        claims = [one for one in said if not _of_the_design(one, material.language)]
        assert claims
        assert all(SAID[language] in one for one in claims), claims
        assert SAID[language] in comparison_section(material).content["claim"]


def _of_the_design(sentence, language):
    starts = [text.partition("{")[0] for key, text in language.texts.items() if key.startswith(DESIGN)]
    return any(start and sentence.startswith(start) for start in starts)


@pytest.mark.parametrize("language", list(SAID))
def test_leads_and_heads_of_the_report_say_it(language):
    texts = get_language(language).texts
    needed = [
        "lead.findings", "lead.findings_plain", "comparison.verdict", "lead.scores", "lead.scores_one", "lead.audit",
        "lead.measures.binary", "lead.measures.multiclass", "lead.measures.regression", "claim.new", "claim.these",
    ]  # fmt: skip
    needed += [key for key in texts if key.startswith(("verdict.cannot", "verdict.no", "verdict.others", "other."))]
    needed += ["baseline.says", "leader.says"]
    assert [key for key in needed if SAID[language] not in texts[key]] == []
    for key in ("verdict.better", "verdict.worse", "verdict.equivalent"):
        assert "{claim}" in texts[key]
