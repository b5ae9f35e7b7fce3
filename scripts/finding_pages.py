"""Write docs/findings: one page per code, from the registry in gengap.analysis.findings.codes and its sentences."""

import re
from pathlib import Path

from gengap.analysis.findings.codes import CODES, Code
from gengap.analysis.findings.wording import ENGLISH

BLANK = re.compile(r"\{[^}]*\}")
FOLDER = Path(__file__).parents[1] / "docs" / "findings"

HOW = {
    "GG101": "The held-out score's mean curve over seeds. The first epoch from which it exceeds its minimum, up to the "
    "end, by more than the noise between seeds at the best epoch (the median of all variants; a standard deviation, by "
    "Gini's estimate, which one stuck run does not inflate); the confidence set contains every epoch that paired tests "
    'within seeds do not reject. "May overfit" means that the set also contains "later than trained, or never".',
    "GG102": "Held-out minus training score at the last epoch, both in inference mode and without penalties. Reported "
    "where its 95 % interval over seeds lies above 0: Student's, longer on the side on which skewed noise may make it "
    "fall short.",
    "GG103": "A least-squares line through the last third of each seed's held-out curve. Reported where the 95 % "
    "interval of its slope over seeds lies above 0.",
    "GG104": "The training score at the last epoch, as a share of what always predicting the training base rate "
    "scores. Reported where the 95 % interval over seeds lies below 5 %.",
    "GG105": "The standard deviation of the held-out score's steps from epoch to epoch, after the first third. "
    "Paired by seed with the baseline's; reported where the interval of the difference, which is simultaneous over "
    "all variants, lies above 0.",
    "GG106": "Three differences from the baseline, paired by seed: of the gap at the last epoch, of the rise of the "
    "held-out score from its lowest to its last, and of the slope of GG103. Reported where an interval excludes 0; "
    "each measure's intervals are simultaneous over all variants.",
    "GG110": "The base-rate forecast's score minus the variant's, at the best epoch, with seeds and cases both "
    "random (cases in their groups). Reported where its 95 % interval contains 0. With several variants and few "
    "cases this is common: it does not say that there is no skill.",
    "GG111": "The same difference, at the best and at the last epoch. Reported where its interval lies below 0.",
    "GG112": "As GG103, where the interval of the slope lies below 0.",
    "GG113": "Scores at the best epoch of each variant and each one with more parameters, paired by seed, on training "
    "and on held-out cases. Reported where both intervals, corrected for all such pairs, favour the larger one.",
    "GG114": "Accuracy at the best epoch minus that of the training split's most frequent class, with seeds and "
    "cases both random. Reported where its 95 % interval does not lie above 0, and GG110 or GG111 hold too or "
    "cannot be asked.",
    "GG201": "From `gg.recommend`: the reference is in the set that holds the best, and its mean is behind that of the "
    "best network by no more than the tolerance (a hundredth of what the best mean is short of perfection, unless you "
    'say otherwise). "Better than every network" means that the simultaneous bounds exclude each of them. A reference '
    "that is behind by more is no finding, though it may not be shown to be worse.",
    "GG301": "The Keras configurations of a hand-written variant and the baseline are compared in ten respects: "
    "layers, width, penalty, noise, normalization, preprocessing, initializer, activation, optimizer, loss; and in the "
    "number of parameters where neither layers nor width explain it. Two or more differ. Remedies are not "
    "examined, since a remedy says what it changes.",
    "GG302": "The longest run of each variant without a stopping rule. They differ.",
    "GG303": "The optimizer's `weight_decay` is set, and not by `gg.WeightDecay`.",
    "GG304": "The share of the training cases that the variant was declared with.",
    "GG305": "The mean penalty at the best epoch, where it is more than a hundredth of the score.",
    "GG306": "In models with layers that are not Keras' own, every layer that may draw is called, on a clone of the "
    "model and 32 training cases, at two moments of inference under different keys. The two answers differ. Where "
    "Keras does not run on torch, the model as a whole.",
    "GG310": "A result with a validation but no test split, or with a test but no validation split. The review "
    "tutorial is of the first kind: its test half chose the epochs, so nothing is left that no choice has seen.",
    "GG320": "Digests of every case's inputs, compared between the splits. IMDB has 123 reviews of its test half in "
    "its training half as well (counted by `gengap demo reviews`), as sets of words.",
    "GG321": "Pairs of standardized inputs (tables, arrays, sparse rows, several inputs side by side) at a "
    "distance of at most a fifth of their length, in wide tables proposed by locality-sensitive hashing. Counted "
    "are those that are nearer than chance allows, by three tests: against the other neighbours of the case, "
    "column by column, and by principal components; of the near duplicates counted one in twenty may be there by "
    "chance. A lower bound: in a table of one or two columns little can be told from chance. Text is not looked "
    "at, nor are fewer than 20 training cases.",
    "GG322": "Group labels (`groups=`) that occur in both splits.",
    "GG323": "Times of cases (`times=`): the earliest held-out one is not later than the latest one before it.",
    "GG324": "A chi-squared test of the label counts of two splits (with weights, of as many equal cases as they are "
    "worth), reported below a p-value of .001: with many splits "
    "and labels .05 would cry wolf.",
    "GG330": "The number of seeds, with two variants or more: fewer than 9.",
    "GG331": "The number of held-out cases (fewer than 100) or of independent groups among them (fewer than 20).",
}


def page(code: Code) -> str:
    """Return the page of one code."""
    function = {"GG1": "diagnose", "GG2": "recommend"}.get(code.code[:3], "audit")
    said = [text for key, text in ENGLISH.sentences.items() if key.partition(".")[0] == code.code]
    sentences = "\n".join(f"> … {BLANK.sub('…', text)}\n" for text in said)
    return (
        f"# {code.code}: {code.title}\n\n"
        f"{sentences}\n"
        f"{code.meaning}\n\n## How it is found\n\n{HOW[code.code]}\n\n## What to do\n\n{code.remedy}\n\n"
        + (
            ""
            if function == "recommend"
            else f"Not of interest here? `gg.{function}(result, ignore=[{code.code!r}])`.\n\n"
        )
        + "[All findings](index.md)\n"
    )


def index() -> str:
    """Return the table of all codes, with an example that runs."""
    rows = "".join(f"| [{code.code}]({code.code}.md) | {code.title} |\n" for code in CODES.values())
    return f"""# Findings

What `gg.diagnose` reads off the curves of a variant (GG1..), `gg.recommend` says of references (GG2..) and `gg.audit`
reads out of the design of a study (GG3..): each a sentence with its numbers, under a code that never changes its
meaning. A code says where
to look, the interval how sure it is.

| code | finding |
|---|---|
{rows}
Three runs of a net that overfits, recorded by any tool:

```python
import numpy as np
import gengap as gg
from gengap.analysis.findings.codes import describe

epoch = np.arange(1, 13)
rng = np.random.default_rng(0)
rising = 0.4 + 0.02 * np.abs(epoch - 4)
runs = [{{"loss": 0.5 * 0.7**epoch, "val_loss": rising + rng.normal(0, 0.005, 12)}} for _ in range(3)]
result = gg.Result.from_histories({{"net": runs}}, task="binary")
for finding in (*gg.diagnose(result).findings, *gg.audit(result).findings):
    print(finding)
assert "GG101" in [finding.code for finding in gg.diagnose(result).findings]
print(describe("GG101").remedy)
```
"""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for code in CODES.values():
        (FOLDER / f"{code.code}.md").write_text(page(code), encoding="utf-8")
    (FOLDER / "index.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
