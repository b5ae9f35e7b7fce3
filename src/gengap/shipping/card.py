"""The card of a shipped model: what it is, what it was made of, how good it is, and what it is not."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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

    def to_json(self) -> str:
        """Return the card as JSON; numbers that are none are null."""
        return json.dumps(_plain({"format": FORMAT, **asdict(self)}), indent=2, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        parts = [f"# {self.title}", "## What it is", _list(self.model), "## Inputs and output"]
        parts.append("\n".join(f"- input {_said(one)}" for one in self.inputs) + f"\n- output {_said(self.output)}")
        parts.append(_list(self.preprocessing))
        parts += ["## Scores", self._scores(), "## Limits", "\n".join(f"- {one}" for one in self.limits)]
        parts += ["## Data", _list(self.data), "## Study", _list(self.study), "## Made with"]
        parts.append(_list({**self.versions, "created": self.created}))
        return "\n\n".join(part for part in parts if part) + "\n"

    def _scores(self) -> str:
        if not self.scores:
            return "None: this very model was not evaluated on held-out cases."
        head = "| score | of the forecast | on | value | 95 % interval | |\n|---|---|---|---|---|---|"
        rows = [
            f"| {one.score} ({'larger' if one.larger_is_better else 'smaller'} is better) | {one.what} | {one.part} | "
            f"{one.value:.6f} | {_interval(one.low, one.high)} | {one.caution} |"
            for one in self.scores
        ]
        return "\n".join([head, *rows]) + f"\n\n{self.claim}"


def _interval(low: float, high: float) -> str:
    return "unknown" if math.isnan(low) or math.isnan(high) else f"{low:.4f} to {high:.4f}"


def _list(facts: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name.replace('_', ' ')}: {_word(value)}" for name, value in facts.items() if _has(value))


def _said(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_word(value)}" for name, value in facts.items() if _has(value))


def _has(value: Any) -> bool:
    return value is not None and (isinstance(value, int | float) or len(value) > 0)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return _said(value)
    return ", ".join(map(_word, value)) if isinstance(value, Sequence) else str(value)


def _plain(value: Any) -> Any:
    """JSON has no NaN, and no infinity."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
