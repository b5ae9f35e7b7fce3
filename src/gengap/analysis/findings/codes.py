"""The codes of all findings: what each means, and what to do about it; the documentation has a page for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gengap.analysis.findings.wording import Message, Value, Word
from gengap.errors import UnknownNameError
from gengap.naming import did_you_mean

Severity = Literal["info", "warning", "serious"]


@dataclass(frozen=True)
class Code:
    """A kind of finding.

    Attributes:
        code: For example `"GG301"`; it never changes its meaning.
        title: What was found, in a few words.
        meaning: Why it matters.
        remedy: What to do.
    """

    code: str
    title: str
    meaning: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """One finding about one subject.

    Attributes:
        subject: The variant (its name) or, as a word of our own, the split or group of variants that it is about.
        message: What was found, as a key with typed values, for any language.
        severity: How much it touches what can be concluded.
    """

    subject: str | Word
    message: Message
    severity: Severity = "warning"

    @property
    def code(self) -> str:
        """Its code, see `CODES`: the key of its message up to a dot."""
        return self.message.key.partition(".")[0]

    @property
    def values(self) -> Mapping[str, Value]:
        """The numbers and names of the message."""
        return self.message.values

    @property
    def sentence(self) -> str:
        """What was found, in English."""
        return str(self.message)

    def __str__(self) -> str:
        return f"{self.code} {self.subject}: {self.sentence}"


def found(key: str, subject: str | Word, severity: Severity = "warning", **values: Value) -> Finding:
    """Make a finding from a key of `gengap.analysis.findings.wording` and what fills its blanks."""
    return Finding(subject, Message(key, values), severity)


_AUDIT = (
    Code(
        "GG301",
        "Several things differ at once",
        "A variant differs from the baseline in more than one respect, so a difference in score cannot be put down to "
        "any one of them.",
        "Add variants that change one thing at a time, for example the wide network without dropout.",
    ),
    Code(
        "GG302",
        "Runs trained for different numbers of epochs",
        "Curves of unequal length compare training times as much as models.",
        "Train all variants for the same number of epochs, or compare at the best epoch chosen on validation.",
    ),
    Code(
        "GG303",
        "Weight decay on biases",
        "Keras' AdamW and `weight_decay=` also decay biases and normalization scales, which is rarely intended.",
        "Use gg.WeightDecay, or call `optimizer.exclude_from_weight_decay(var_names=['bias', 'gamma', 'beta'])`.",
    ),
    Code(
        "GG304",
        "Variants learn from different shares of the data",
        "A variant that sees fewer cases also takes fewer steps in the same number of epochs.",
        "Compare at the best epoch, or use gg.value_of_data, which matches the steps.",
    ),
    Code(
        "GG305",
        "Penalty inside the printed loss",
        "Keras 3 adds L1 and L2 penalties to `loss` and `val_loss`. Ranked by those, a variant is at a disadvantage "
        "because of its penalty; the score that gengap compares includes none.",
        "Compare scores, never printed losses; where only histories are left, compare a metric such as accuracy.",
    ),
    Code(
        "GG306",
        "Noise that stays on in inference",
        "A layer draws random numbers in inference too, such as a dropout that calls itself with `training=True`: "
        "every score and every stored forecast holds one draw of that noise (the same after each epoch), not the "
        "network at rest.",
        "Let the noise depend on the argument `training` of `call`, and ask gg.predict_distribution for the noisy "
        "forecasts.",
    ),
    Code(
        "GG310",
        "Same cases used for selection and evaluation",
        "Epochs or variants were chosen on the cases that also evaluate them: such scores are optimistic.",
        "Hold out a third split: `study.run(..., validation_data=..., test_data=...)`.",
    ),
    Code(
        "GG320",
        "Duplicates across splits",
        "Held-out cases that also occur in the training data are memorized, not predicted.",
        "Remove them from one of the splits, and compare again.",
    ),
    Code(
        "GG321",
        "Near duplicates across splits",
        "Held-out cases that differ from a training case only slightly are partly memorized.",
        "Look at them; keep what belongs together (a patient, a storm, a document) in one split.",
    ),
    Code(
        "GG322",
        "Groups on both sides of a split",
        "Cases of one group (a day, a patient) resemble each other; a group on both sides lets a model recognize it.",
        "Split by group.",
    ),
    Code(
        "GG323",
        "Held-out cases from the time of the training cases",
        "A forecast is for the future; cases between training cases in time are easier than those after them.",
        "Split by time, as far as the use of the model is in the future.",
    ),
    Code(
        "GG324",
        "Classes shift between splits",
        "The share of a class differs between splits by more than chance; scores that depend on it differ, too.",
        "Report skill against the base rate of the evaluated split, and find out why it shifted.",
    ),
    Code(
        "GG325",
        "Inputs are not scaled",
        "Networks are initialized for inputs of about 1. With far larger ones units saturate or the first steps throw "
        "the weights far off, and whatever makes steps smaller, dropout too, then looks like a remedy.",
        "Standardize inputs by the training cases: `gengap run --encode`, `gg.datasets.from_table`, or a "
        "`keras.layers.Normalization` as the first layer.",
    ),
    Code(
        "GG330",
        "Too few seeds",
        "With n pairs the smallest two-sided sign-flip p is 2/2^n, and intervals from few seeds are wide.",
        "Take at least 9 seeds to judge eight remedies; `study.with_seeds(n)` trains only the new ones in a store.",
    ),
    Code(
        "GG331",
        "Too few cases",
        "Scores over so few held-out cases, or groups of them, are dominated by which cases they happened to be.",
        "Hold out more cases, or claim less.",
    ),
)

_DIAGNOSIS = (
    Code(
        "GG101",
        "Overfits",
        "From this epoch on the held-out score stays above its minimum by more than the noise between seeds. The "
        "numbers in brackets are a 95 % confidence set for the epoch, found by inverting tests on the mean curve; the "
        "epoch of the lowest score is not an estimate of it (on a plateau it is biased by two to three epochs).",
        "Stop there (gg.EarlyStopping), or try the remedies that gg.suggest names.",
    ),
    Code(
        "GG102",
        "Gap between training and held-out score",
        "The model does better on cases that it has seen, beyond the noise between seeds. A gap alone is not a fault: "
        "what counts is the held-out score.",
        "Compare remedies; the smallest gap is not the goal.",
    ),
    Code(
        "GG103",
        "Keeps getting worse",
        "Over the last third of the epochs the held-out score rises.",
        "Train for fewer epochs, or regularize more.",
    ),
    Code(
        "GG104",
        "Memorizes the training data",
        "The training score is nearly perfect. With a poor held-out score it means that cases were memorized.",
        "A smaller network, noise or more data.",
    ),
    Code(
        "GG105",
        "Fluctuates more than the baseline",
        "The held-out score jumps from epoch to epoch, so which epoch is called best is partly luck.",
        "A smaller learning rate, gg.EMA, or a larger validation split.",
    ),
    Code(
        "GG106",
        "Overfits differently from the baseline",
        "Paired by seed: whether the gap at the last epoch, the rise of the held-out score from its best to its last "
        "epoch, and its late rise per epoch are larger or smaller than the baseline's. Intervals are simultaneous over "
        "all variants.",
        "Prefer what rises less at an equal best score; a smaller gap alone is not an advantage.",
    ),
    Code(
        "GG113",
        "Underfits",
        "A variant with more parameters does better at its best epoch, on held-out and on training cases: capacity is "
        "what is missing. Paired by seed, and corrected for all pairs of sizes.",
        "Take the larger one, or search further with gg.capacity_ladder.",
    ),
    Code(
        "GG114",
        "No better than always predicting the most frequent class",
        "Always predicting the most frequent class of the training split would be right as often, as far as these "
        "cases and seeds can tell, and the variant is not shown to beat the base-rate forecast either.",
        "More cases, other inputs; or another score, where one class is rare.",
    ),
    Code(
        "GG110",
        "Not shown to beat the base-rate forecast",
        "Always predicting the training base rate (in regression: the mean) would do as well, as far as these cases "
        "and seeds can tell.",
        "More cases, other inputs, a better model; or accept that there is nothing to learn here.",
    ),
    Code(
        "GG111",
        "Worse than the base-rate forecast",
        "Always predicting the training base rate (in regression: the mean) would do better: the forecasts are "
        "overconfident.",
        "Stop earlier, regularize, or recalibrate on validation.",
    ),
    Code(
        "GG112",
        "Not converged",
        "The held-out score still falls at the end of training, so its value there says little about the variant.",
        "Train longer before you compare.",
    ),
)

_DECISION = (
    Code(
        "GG201",
        "A simple reference does as well",
        "A reference (logistic or ridge regression, gradient-boosted trees) is as good as the best network, within "
        "what is taken not to matter, or better: on these cases depth buys nothing that was shown.",
        "Ship the reference, which is cheaper to train, to run and to explain; or find out what the networks lack: "
        "inputs in another form, more cases, another architecture.",
    ),
)

CODES: dict[str, Code] = {code.code: code for code in (*_DIAGNOSIS, *_DECISION, *_AUDIT)}
"""All codes by name."""


def describe(code: str) -> Code:
    """Return what a code means.

    Raises:
        UnknownNameError: There is no such code.
    """
    if code not in CODES:
        raise UnknownNameError(
            f"There is no finding {code!r}{did_you_mean(code, CODES)}; codes are {', '.join(CODES)}."
        )
    return CODES[code]
