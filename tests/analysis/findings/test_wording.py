"""Findings carry what another language needs: a key, typed values, words of our own."""

from string import Formatter

import numpy as np
import pytest

from gengap.analysis import audit, diagnose
from gengap.analysis.findings.codes import CODES
from gengap.analysis.findings.wording import ENGLISH, Message, Word, Wording, score_word
from gengap.analysis.tables import IntervalEstimate
from gengap.results import Result

GERMAN = Wording(
    sentences={
        "GG301": "weicht ab von {baseline} ({differences: und })",
        "difference": "{respect}: {first} statt {second}",
    },
    words={"width": "Breite", "penalty": "Strafe"},
)


def test_another_language_writes_the_same_values():
    width = Message("difference", {"respect": Word("width"), "first": "4", "second": "8"})
    penalty = Message("difference", {"respect": Word("penalty"), "first": "none", "second": "l2"})
    said = Message("GG301", {"baseline": "plain", "count": 2, "differences": (width, penalty)})
    assert str(said) == "differs from plain in 2 respects (width: 4 versus 8; penalty: none versus l2)"
    assert GERMAN.write(said) == "weicht ab von plain (Breite: 4 statt 8 und Strafe: none statt l2)"


def test_an_estimate_has_the_digits_that_its_interval_leaves_room_for():
    blanks = {"score": score_word("log_loss"), "gain": IntervalEstimate(-0.12345, -0.2, 0.0151)}
    said = Message("GG110", blanks)
    assert "gain in log loss -0.12 [-0.20, +0.02] (above 0 is better)" in str(said)
    assert "log loss −0.12 [−0.20, +0.02]" in ENGLISH.write(said)  # the page's minus is a true one


def test_no_p_value_is_written_as_zero():
    said = Message("GG324", {"label": "a", "share": 0.5, "before": 0.1, "p": 1e-300})
    assert str(said).endswith("(p < 0.0001)")


def test_a_score_of_another_tool_keeps_its_name():
    assert str(score_word("squared_error")) == "squared error"
    assert score_word("my_own") == "my own"


def test_every_code_has_a_sentence_and_every_sentence_of_a_code_its_code():
    keys = {key.partition(".")[0] for key in ENGLISH.sentences if key.startswith("GG")}
    assert keys == set(CODES)


def test_findings_fill_exactly_the_blanks_of_their_sentence():
    rng = np.random.default_rng(0)
    rising = 0.3 + 0.03 * np.abs(np.arange(20) - 5) + rng.normal(0, 0.01, (8, 20))
    histories = {
        "baseline": [{"loss": np.full(20, 0.1), "val_loss": curve} for curve in rising],
        "short": [{"loss": np.full(9, 0.1), "val_loss": curve[:9]} for curve in rising],
    }
    result = Result.from_histories(histories, task="binary")
    findings = (*diagnose(result).findings, *audit(result).findings)
    assert {"GG101", "GG102", "GG302", "GG330"} <= {one.code for one in findings}
    for one in findings:
        blanks = {name for _, name, _, _ in Formatter().parse(ENGLISH.sentences[one.message.key]) if name}
        assert blanks <= set(one.values)
        assert str(one) == f"{one.code} {one.subject}: {one.sentence}"


def test_a_language_without_the_sentence_says_which():
    with pytest.raises(KeyError, match="GG304"):
        GERMAN.write(Message("GG304", {"share": 0.5}))
