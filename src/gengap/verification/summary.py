"""The AMS course's block of scores, exact and with intervals."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gengap.verification.estimates import Estimate, estimate
from gengap.verification.inputs import binary_cases
from gengap.verification.probability import linear_mean, reference_forecast
from gengap.verification.scores import SCORES, interval_of


@dataclass(frozen=True)
class ScoresBlock:
    """AUC, Brier score, climatology's Brier score and Brier skill score of one forecast; prints as a block.

    Attributes:
        roc_auc: Area under the ROC curve.
        brier_score: Brier score.
        brier_score_climatology: Brier score of always predicting `climatology`.
        brier_skill_score: Brier skill score against it.
        climatology: The reference probability.
        climatology_source: Where it comes from: `"training"` (given) or `"evaluation"` (base rate of these cases).
        cases: Number of cases.
        groups: Number of independent groups of cases behind the intervals.
    """

    roc_auc: Estimate
    brier_score: Estimate
    brier_score_climatology: Estimate
    brier_skill_score: Estimate
    climatology: float
    climatology_source: Literal["training", "evaluation"]
    cases: int
    groups: int

    def __str__(self) -> str:
        rows = {
            "AUC": self.roc_auc,
            "Brier Score": self.brier_score,
            "Brier Score (Climatology)": self.brier_score_climatology,
            "Brier Skill Score": self.brier_skill_score,
        }
        lines = [f"{name + ':':<27}{row.value: .3f}  [{row.low: .3f}, {row.high: .3f}]" for name, row in rows.items()]
        independent = f"{self.cases} cases" + (f" in {self.groups} groups" if self.groups < self.cases else "")
        lines.append(
            f"{self.roc_auc.level:.0%} intervals over {independent}; climatology {self.climatology:.4f} "
            f"from the {self.climatology_source} data"
        )
        if self.roc_auc.caution:
            lines.append(f"Caution, {self.roc_auc.caution}")
        return "\n".join(lines)


def scores_block(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    climatology: float | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    sample_weight: ArrayLike | None = None,
) -> ScoresBlock:
    """Compute the block of scores that the AMS course prints after training a model, with intervals.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        climatology: Base rate of the training data; None for that of the evaluated cases, as the course has it.
        groups: Labels of groups of cases that are not independent (storms of one day), shape `(n,)`, or None.
        level: Nominal coverage of each interval by itself.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: The cases are invalid.

    Example:
        >>> print(scores_block([0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.9]))
        AUC:                        0.889  [ 0.346,  0.991]
        Brier Score:                0.114  [ 0.026,  0.503]
        Brier Score (Climatology):  0.250  [ 0.250,  0.250]
        Brier Skill Score:          0.545  [-1.128,  0.903]
        95% intervals over 6 cases; climatology 0.5000 from the evaluation data
        Caution, only 3 events and 3 non-events: may cover less than it claims
    """
    valid = binary_cases(y_true, y_prob, sample_weight)
    labels = None if groups is None else valid.keep(groups, "groups")
    reference = reference_forecast(valid, climatology)
    estimates = {
        "roc_auc": interval_of(SCORES["roc_auc"], valid, labels, level=level),
        "brier_score": interval_of(SCORES["brier_score"], valid, labels, level=level),
        "brier_skill_score": interval_of(
            SCORES["brier_skill_score"], valid, labels, level=level, climatology=climatology
        ),
        "brier_score_climatology": estimate(
            linear_mean(np.square(reference - valid.observed), valid.weight), groups=labels, level=level, scale="log"
        ),
    }
    return ScoresBlock(
        **estimates,
        climatology=float(reference[0]),
        climatology_source="evaluation" if climatology is None else "training",
        cases=len(valid.observed),
        groups=estimates["roc_auc"].groups,
    )
