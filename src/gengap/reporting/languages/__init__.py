"""The texts of the report, one catalogue per language; all hold the same keys and the same blanks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from gengap.analysis.findings.codes import CODES, Code
from gengap.analysis.findings.wording import ENGLISH, Message, Word, Wording
from gengap.errors import UnknownNameError
from gengap.reporting.languages import en, en_answer, en_strengths, zh, zh_answer, zh_findings, zh_strengths


@dataclass(frozen=True)
class Language:
    """A catalogue of texts.

    Attributes:
        code: Language tag of the page, for `<html lang>`.
        texts: Texts by key; blanks are named, `"{seeds} seeds"`.
        figure_words: What the figures' English words are called, the longest first.
        wording: How findings are written.
        codes: What the codes of findings mean.
        given: For which training sets the page's statements hold, where it is not the one at hand.
        given_curves: Likewise those that are read off curves.
    """

    code: str
    texts: Mapping[str, str]
    figure_words: Mapping[str, str]
    wording: Wording
    codes: Mapping[str, Code]
    given: Message | None = None
    given_curves: Message | None = None

    def __call__(self, key: str, **blanks: Any) -> str:
        """Return a text with its blanks filled in; a Latin word beside a Chinese character gets a space."""
        written = _filled(self.texts[key], blanks)
        given = self.given_curves if key in _OF_CURVES else self.given
        return written if given is None else self.wording.given_otherwise(written, given)

    def count(self, what: str, number: int) -> str:
        """Return "one seed", "10 seeds": a number with what is counted."""
        return self(f"count.{what}.one") if number == 1 else self(f"count.{what}.many", number=f"{number:,}")

    def name_of(self, kind: str, name: str) -> str:
        """Return what people call a thing, such as `("score", "log_loss")`; a thing without a text keeps its name."""
        return self.texts.get(f"{kind}.{name}", name.replace("_", " "))

    def write(self, said: str | Word | Message) -> str:
        """Write a finding's sentence or its subject; a name stays what it is."""
        if isinstance(said, str):
            return said
        written = self.wording.write(said)
        own = isinstance(said, Message) and "given" in said.values
        return written if self.given is None or own else self.wording.given_otherwise(written, self.given)

    def in_figure(self, words: str) -> str:
        """Translate what a figure says, as far as the language knows its words."""
        for english, own in self.figure_words.items():
            words = words.replace(english, own)
        return words


_OF_CURVES = frozenset(
    {"baseline.says", "leader.says", "leader.without", "lead.scores", "lead.scores_one", "lead.audit"}
)
"""Texts that speak of curves, or of means without intervals: these hold for the cases that there are."""

_TOUCHING = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])")


def _filled(template: str, blanks: Mapping[str, Any]) -> str:
    """Fill in the blanks; only the borders of a blank are looked at, since a name stays what it is."""
    pieces = []
    for literal, name, spec, _ in Formatter().parse(template):
        pieces.append(literal)
        if name is not None:
            pieces.append(format(blanks[name], spec or ""))
    written = ""
    for piece in filter(None, pieces):
        gap = " " if written and _TOUCHING.match(written[-1] + piece[0], 1) else ""
        written += gap + piece
    return written


_CHINESE = Wording(
    {**ENGLISH.sentences, **zh_findings.SENTENCES}, {**ENGLISH.words, **zh_findings.WORDS}
)  # a sentence without a translation is said in English
LANGUAGES: Mapping[str, Language] = {
    "en": Language("en", {**en.TEXTS, **en_answer.TEXTS, **en_strengths.TEXTS}, {}, ENGLISH, CODES),
    "zh": Language(
        "zh-CN",
        {**zh.TEXTS, **zh_answer.TEXTS, **zh_strengths.TEXTS},
        {**zh_strengths.FIGURE_WORDS, **zh.FIGURE_WORDS},
        _CHINESE,
        {**CODES, **{code: Code(code, *texts) for code, texts in zh_findings.CODES.items()}},
    ),
}


def get_language(lang: str) -> Language:
    """Return a language by its name.

    Raises:
        UnknownNameError: The report is not written in it.
    """
    if lang not in LANGUAGES:
        raise UnknownNameError(f"Report languages are {', '.join(LANGUAGES)}; received `lang={lang!r}`.")
    return LANGUAGES[lang]
