"""Both languages say the same things, and every text that the page asks for exists."""

import re
from pathlib import Path
from string import Formatter

import pytest

import gengap.reporting
from gengap.analysis.findings.codes import CODES
from gengap.analysis.findings.wording import ENGLISH
from gengap.errors import UnknownNameError
from gengap.reporting.languages import LANGUAGES, get_language, zh_findings

HAN = r"[\u4e00-\u9fff]"
JOINERS = {"; ", "；", ", ", "、"}
ROOM = Path(gengap.reporting.__file__).parent


def blanks(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_catalogues_have_the_same_keys_and_blanks():
    english, chinese = LANGUAGES["en"].texts, LANGUAGES["zh"].texts
    assert set(english) == set(chinese)
    for key, text in english.items():
        assert blanks(text) == blanks(chinese[key]), key


def test_every_finding_is_written_in_chinese():
    assert set(zh_findings.SENTENCES) == set(ENGLISH.sentences)
    assert set(zh_findings.WORDS) == set(ENGLISH.words)
    assert set(zh_findings.CODES) == set(CODES)
    for key, english in ENGLISH.sentences.items():
        fields = [{(name, spec) for _, name, spec, _ in Formatter().parse(text) if name and spec not in JOINERS}
                  for text in (english, zh_findings.SENTENCES[key])]  # fmt: skip
        assert fields[0] == fields[1], key
        assert blanks(english) == blanks(zh_findings.SENTENCES[key]), key
    said = [*zh_findings.WORDS.values(), *(text for texts in zh_findings.CODES.values() for text in texts)]
    assert [text for text in said if not re.search(HAN, text)] == []


def test_every_text_that_a_template_names_exists():
    named = {
        key for path in ROOM.rglob("*.html") for key in re.findall(r"""\bt\(["']([\w.]+)["'][,)]""", path.read_text())
    }
    assert len(named) > 30
    assert named <= set(LANGUAGES["en"].texts)


def test_no_text_is_left_over():
    """A text is used when its whole key, or the part of it that is not put together, stands somewhere in the room."""
    code = "\n".join(
        path.read_text() for path in [*ROOM.rglob("*.html"), *ROOM.glob("*.py"), *ROOM.glob("sections/*.py")]
    )
    for key in LANGUAGES["en"].texts:
        stem = key.split(".")[0]
        assert key in code or f'"{stem}.' in code or f"{stem}.{{" in code or f'"{stem}"' in code, key


def test_chinese_is_chinese():
    assert get_language("zh").code == "zh-CN"
    words = {key: re.sub(r"\{.*?\}", "", text) for key, text in LANGUAGES["zh"].texts.items()}
    foreign = {key for key, text in words.items() if re.search("[A-Za-z]", text) and not re.search(HAN, text)}
    assert foreign == {"comparison.p", "measure.roc_auc"}


def test_unknown_things_keep_their_names():
    assert get_language("en").name_of("score", "my_score") == "my score"
    assert get_language("en").in_figure("Bias") == "Bias"
    assert get_language("zh").in_figure("Success ratio (1 - FAR)") == "成功率（1 - FAR）"


def test_figure_words_stand_longest_first():
    words = list(LANGUAGES["zh"].figure_words)
    for at, word in enumerate(words):
        assert not [later for later in words[at + 1 :] if word in later and word.strip() != ""], word


def test_other_languages_are_refused():
    with pytest.raises(UnknownNameError, match="en, zh"):
        get_language("fr")


def test_a_latin_word_beside_a_chinese_character_gets_a_space():
    chinese = get_language("zh")
    blanks = {"part": "测试", "reference": "无噪声的预报", "gain": "+0.01"}
    assert "测试集上的 Brier 评分改进 +0.01" in chinese("noise.open", score="Brier 评分", **blanks)
    assert "测试集上的对数损失改进" in chinese("noise.open", score="对数损失", **blanks)


def test_a_name_stays_what_it_is():
    said = get_language("zh")("verdict.lost", variant="中文net", baseline="基线")
    assert said.startswith("中文net 无法与基线比较")
    assert get_language("en")("verdict.lost", variant="{a}", baseline="中文net").startswith("{a} cannot be compared")
