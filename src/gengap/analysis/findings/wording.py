"""What is said, as a key with typed values: every language writes its own sentence from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

from gengap.analysis.findings import decision_words
from gengap.analysis.numbers import typeset, typewritten, write_p, write_score
from gengap.analysis.tables import IntervalEstimate

GIVEN = "given this training set"
"""What every verdict is conditional on; how often another training set would turn one round: `docs/statistics.md`."""
Value = Union[str, int, float, IntervalEstimate, "Word", "Message", tuple["Message", ...]]
"""Names (of variants, labels) are plain strings and stay what they are; everything else is written by a language."""


@dataclass(frozen=True)
class Word:
    """A word of our own vocabulary, such as a split or an epoch rule; its text differs between languages."""

    key: str

    def __str__(self) -> str:
        return ENGLISH.write(self)


@dataclass(frozen=True)
class Message:
    """A sentence or clause before it is written.

    Attributes:
        key: Which sentence; for a finding its code, with a suffix where a code has several sentences.
        values: What fills its blanks, by name; a message `given` is what it holds for, in place of "given this training
            set".

    Example:
        >>> said = Message("GG304", {"share": 0.25})
        >>> str(said)
        'learns from 25% of the training cases'
    """

    key: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return typewritten(ENGLISH.write(self))


@dataclass(frozen=True)
class Wording:
    """How a language writes messages.

    Attributes:
        sentences: Templates of `str.format` by key. A blank carries its number format, which an `IntervalEstimate` also
            obeys (without one it has the digits that it deserves, and with `+` alone a sign); `p` is the format of p
            values; for several clauses it carries what stands between them, as in `{differences:; }`.
        words: Texts of the vocabulary by key.
    """

    sentences: Mapping[str, str]
    words: Mapping[str, str]

    def write(self, said: Message | Word) -> str:
        """Write a message or a word.

        Raises:
            KeyError: The language has no such sentence or word.
        """
        if isinstance(said, Word):
            return self.words[said.key]
        blanks = {name: self._written(one) for name, one in said.values.items() if name != "given"}
        written = self.sentences[said.key].format_map(blanks)
        given = said.values.get("given")
        return self.given_otherwise(written, given) if isinstance(given, Message) else written

    def given_otherwise(self, written: str, given: Message) -> str:
        """Return a text that says for what it holds in place of "given this training set"."""
        return written.replace(self.sentences["given"], self.write(given))

    def _written(self, value: Value) -> "str | int | float | IntervalEstimate | _Clauses":
        if isinstance(value, Message | Word):
            return self.write(value)
        if isinstance(value, float):
            return _Real(value)
        return _Clauses(tuple(map(self.write, value))) if isinstance(value, tuple) else value


class _Real(float):
    """A number that knows how people write it: with a true minus; the formats `p` and `score` are ours."""

    def __format__(self, spec: str) -> str:
        if spec == "score":
            return write_score(self)
        return write_p(self) if spec == "p" else typeset(super().__format__(spec))


@dataclass(frozen=True)
class _Clauses:
    """Clauses that a blank joins by its format."""

    written: tuple[str, ...]

    def __format__(self, joiner: str) -> str:
        return joiner.join(self.written)


def score_word(name: str) -> "Word | str":
    """Return what a score is called, in any language; a score of another tool keeps its name."""
    return Word(name) if name in ENGLISH.words else name.replace("_", " ")


ENGLISH = Wording(
    sentences={
        "given": GIVEN,
        "given.new_sets": "for new training sets of {sizes} cases",
        "given.these_sets": "given these {folds} training sets",
        "given.these_cases": "given these {cases} cases",
        "GG101": "overfits from epoch {epoch} [{low}, {high}], given this training set",
        "GG101.open": "may overfit from epoch {epoch} [{low}, after {epochs} or never], given this training set",
        "GG102": "the gap at the last epoch, held-out minus training {score}, is {gap}, given this training set",
        "GG103": "still gets worse at the end: held-out {score} rises by {slope} per epoch, given this training set",
        "GG104": "memorizes: its training {score} is {share:.1%} of the base-rate forecast's, given this training set",
        "GG105": "held-out {score} fluctuates by {own} from epoch to epoch, {by} more than that of {baseline}, given "
        "this training set",
        "GG106": "compared with {baseline}, with {size} parameters, in {score}: {clauses:; }, given this training set",
        "GG110": "not shown to beat the base-rate forecast, even at the best epoch: gain in {score} {gain:+} (above 0 "
        "is better), given this training set",
        "GG111": "worse than the base-rate forecast at the {rule} epoch: {score} is higher by {loss}, given this "
        "training set",
        "GG113": "underfits: {bigger}, with more parameters, does better on training cases and, by {loss} in {score}, "
        "on held-out cases, given this training set",
        "GG114": "accuracy not shown to exceed that of always predicting the most frequent class: gain {gain:+} (above "
        "0 is better), given this training set",
        "GG112": "still gets better at the end: held-out {score} falls by {slope} per epoch, so it has not converged, "
        "given this training set",
        "GG201": "does as well as the best network: {own:score} in the mean, {network} {other:score}; {lead}, "
        "given this training set",
        "reference.behind": "the network is ahead by no more than the {tolerance} that are taken not to matter",
        "reference.ahead": "the reference is ahead, though not for sure",
        "GG201.better": "is better than every network, the best of which is {network}: by {by:score} in the mean, by "
        "at least {least:score} with {confidence:.4g} % confidence, given this training set",
        "GG301": "differs from {baseline} in {count} respects ({differences:; })",
        "GG302": "runs without a stopping rule trained for {epochs:, } epochs",
        "GG303": "its optimizer decays all weights by {strength:g}, biases perhaps included",
        "GG304": "learns from {share:.0%} of the training cases",
        "GG305": "its printed validation loss at the best epoch, {printed:score}, includes a penalty of {penalty:score}"
        "; its score, {score:score}, does not",
        "GG306": "its noise stays on in inference ({layers}), so each score and forecast holds one draw of it",
        "GG310": "the best epoch is chosen on the cases that evaluate it; there is no test split",
        "GG310.no_validation": "there is no validation split, so every choice was made on the test split",
        "GG320": "{count} cases also occur in the {other} split",
        "GG321": "{count} cases have a near duplicate in the {other} split",
        "GG321.not_looked": "near duplicates in the {other} split were not searched for: inputs are not numeric, or "
        "there are too few cases",
        "GG322": "{count} groups also occur in the {other} split",
        "GG323": "its earliest case is not later than the latest case of the split before it",
        "GG324": "class {label} has a share of {share:.1%}, in training {before:.1%} (p {p:p})",
        "GG325": "inputs are not scaled: {feature} has a root mean square of {size:.4g}, and the baseline does not "
        "bring it to about 1",
        "GG330": "{seeds} seeds; at least {enough} can judge eight remedies",
        "GG331": "{cases} cases in {groups} independent groups",
        "against.larger": "{measure} is larger by {by}",
        "against.smaller": "{measure} is smaller by {by}",
        "against.open": "{measure} may be the same ({by:+})",
        "difference": "{respect}: {first} versus {second}",
        "epochs_of": "{variant} {epochs}",
        **decision_words.SENTENCES,
    },
    words={
        "all_variants": "all variants",
        "log_loss": "log loss",
        "brier_score": "Brier score",
        "squared_error": "squared error",
        "crps_ensemble": "CRPS",
        "train": "training",
        "validation": "validation",
        "test": "test",
        "best": "best",
        "last": "last",
        "layers": "layers",
        "width": "width",
        "penalty": "penalty",
        "noise": "noise",
        "normalization": "normalization",
        "preprocessing": "preprocessing",
        "initializer": "initializer",
        "parameters": "parameters",
        "activation": "activation",
        "optimizer": "optimizer",
        "loss": "loss",
        "gap_last": "the gap at the last epoch",
        "rise": "the rise from the best to the last epoch",
        "late_slope": "the late rise per epoch",
        "fewer": "fewer",
        "as_many": "as many",
        "more": "more",
        "unknown": "an unknown number of",
        **decision_words.WORDS,
    },
)
"""How findings are written where nobody asks for another language."""
