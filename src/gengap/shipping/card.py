"""The card of a shipped model: what it is, what it was made of, how good it is, and what it is not."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gengap.shipping.card_words import CardLanguage, name_of, say

FORMAT = "gengap model card 1"


@dataclass(frozen=True)
class ShownScore:
    """A score of what is shipped.

    Attributes:
        score: Name of the score.
        part: The held-out cases that it was read on, `"test"` or `"validation"`.
        what: Which forecast: `"as trained"`, or `"with temperature"`.
        value: Its value on these cases.
        low: Lower end of its 95 % interval, for new cases and this very model.
        high: Upper end.
        caution: Why the interval may cover less than it claims, or the empty string.
        larger_is_better: Its orientation.
    """

    score: str
    part: str
    what: str
    value: float
    low: float
    high: float
    caution: str
    larger_is_better: bool


@dataclass(frozen=True)
class ModelCard:
    """What a reader of a shipped model has to know.

    Attributes:
        title: One line that says what it is.
        model: What was shipped: variant, epoch, seeds, form, temperature, noise, parameters, classes it needs.
        inputs: Name, shape and number format of every input.
        output: What the model answers: task, meaning, labels or units.
        preprocessing: What has to be done to rows before the model sees them, as far as it is known.
        data: What the study was made of: name, sizes, fingerprint, terms.
        study: Variants, seeds, score, epochs, and what the recommendation said.
        scores: Scores of what is shipped; none where it was not itself evaluated.
        evaluated: Whether what is shipped was itself evaluated on held-out cases.
        claim: What the scores are about.
        limits: What the model is not, in sentences.
        versions: Versions of the libraries.
        created: When, in UTC.
        lang: Language of its sentences.
    """

    title: str
    model: Mapping[str, Any]
    inputs: tuple[Mapping[str, Any], ...]
    output: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    data: Mapping[str, Any]
    study: Mapping[str, Any]
    scores: tuple[ShownScore, ...]
    evaluated: bool
    claim: str
    limits: tuple[str, ...]
    versions: Mapping[str, str]
    created: str
    lang: CardLanguage = "en"

    def to_json(self) -> str:
        """Return the card as JSON; numbers that are none are null."""
        return json.dumps(_plain({"format": FORMAT, **asdict(self)}), indent=2, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """Return the card as Markdown, in its language."""
        write = _Writer(self.lang)
        parts = [f"# {self.title}", write.head("what"), write.list(self.model), write.head("inputs")]
        inputs = [f"- {say(self.lang, 'input')} {write.line(one)}" for one in self.inputs]
        parts.append("\n".join([*inputs, f"- {say(self.lang, 'output')} {write.line(self.output)}"]))
        told = {name: value for name, value in self.preprocessing.items() if name not in {"table", "columns"}}
        parts += [write.list(told), write.columns(self.preprocessing.get("columns") or ())]
        parts += [write.head("scores"), self._scores(write), write.head("limits")]
        parts += ["\n".join(f"- {one}" for one in self.limits), write.head("data"), write.list(self.data)]
        parts += [write.head("study"), write.list(self.study), write.head("made")]
        parts.append(write.list({**self.versions, "created": self.created}))
        return "\n\n".join(part for part in parts if part) + "\n"

    def _scores(self, write: "_Writer") -> str:
        lang = self.lang
        if not self.scores:
            return say(lang, "no_scores")
        rows = [
            f"| {one.score if lang == 'en' else name_of(lang, one.score)} "
            f"({say(lang, 'larger' if one.larger_is_better else 'smaller')}) | {name_of(lang, one.what)} | "
            f"{name_of(lang, one.part)} | {one.value:.6f} | {write.interval(one)} | {one.caution} |"
            for one in self.scores
        ]
        return "\n".join([say(lang, "table"), "|---|---|---|---|---|---|", *rows]) + f"\n\n{self.claim}"


@dataclass(frozen=True)
class _Writer:
    """Writes what a card lists in a language."""

    lang: CardLanguage

    def head(self, name: str) -> str:
        return f"## {say(self.lang, f'head.{name}')}"

    def list(self, facts: Mapping[str, Any]) -> str:
        return "\n".join(f"- {self._name(name)}: {self.word(value)}" for name, value in facts.items() if _has(value))

    def line(self, facts: Mapping[str, Any]) -> str:
        return ", ".join(f"{self._name(name)} {self.word(value)}" for name, value in facts.items() if _has(value))

    def columns(self, columns: Sequence[Mapping[str, Any]]) -> str:
        """A table of what the model takes of a raw row; empty where there is nothing to say."""
        if not columns:
            return ""
        rows = [
            f"| {place} | {self._cell(one['column'])} | {self._cell(self._takes(one))} |"
            for place, one in enumerate(columns, 1)
        ]
        return "\n".join([say(self.lang, "columns"), "|---|---|---|", *rows])

    def _takes(self, column: Mapping[str, Any]) -> str:
        comma = say(self.lang, "comma")
        codes = comma.join(f"{word} = {code}" for word, code in (column.get("codes") or {}).items())
        if column.get("blank"):
            codes += f"{comma}{say(self.lang, 'blank')} = {column['blank']}"
        numbers = {name: column.get(name) for name in ("mean", "deviation")}
        return say(self.lang, f"takes.{column['meaning']}", codes=codes, **numbers)

    def _cell(self, text: str) -> str:
        return self.word(text).replace("|", "\\|")

    def interval(self, one: ShownScore) -> str:
        if math.isnan(one.low) or math.isnan(one.high):
            return say(self.lang, "unknown")
        return say(self.lang, "interval", low=one.low, high=one.high)

    def word(self, value: Any) -> str:
        if isinstance(value, bool):
            return say(self.lang, "yes" if value else "no")
        if isinstance(value, str):
            return " ".join(value.split())
        if isinstance(value, Mapping):
            return self.line(value)
        return ", ".join(map(self.word, value)) if isinstance(value, Sequence) else str(value)

    def _name(self, name: str) -> str:
        return name_of(self.lang, name)


def _has(value: Any) -> bool:
    return value is not None and (isinstance(value, int | float) or len(value) > 0)


def _plain(value: Any) -> Any:
    """JSON has no NaN, and no infinity."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
