"""What all sections are made from: the result, and the analyses that more than one section shows."""

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gengap.analysis.cases import HeldOut, held_out, networks, primary_rule, primary_score
from gengap.analysis.comparison.comparison import Comparison, compare
from gengap.analysis.comparison.estimators import SKILL_SCORE, case_values, convention_of
from gengap.analysis.decision.recommendation import Recommendation, recommend
from gengap.analysis.diagnosis.auditing import audit
from gengap.analysis.diagnosis.diagnosis import Diagnosis, diagnose
from gengap.analysis.findings.codes import Finding
from gengap.analysis.inference.components import two_way
from gengap.analysis.inference.over_seeds import NOTHING, as_estimate
from gengap.analysis.inference.resampled import FEWEST_PASSES, over_passes
from gengap.analysis.summary import summarize
from gengap.analysis.tables import IntervalEstimate, Table
from gengap.errors import GengapError, StatisticsWarning
from gengap.reporting.languages import Language
from gengap.results import EpochRule
from gengap.results.resampled import Resampled, resampling_of

if TYPE_CHECKING:
    from gengap.analysis.uncertainty import PredictiveDistribution, RateChoice
    from gengap.results import Result
    from gengap.verification.inputs import Floats


@dataclass(frozen=True, eq=False)
class Material:
    """A result on its way into a page.

    Attributes:
        result: The result.
        language: The texts of the page.
        distribution: Predictive distribution of the cases to be shown, or None.
        rate_choice: Choice of the rate of dropout at inference to be shown, or None.
    """

    result: "Result"
    language: Language
    distribution: "PredictiveDistribution | None" = None
    rate_choice: "RateChoice | None" = None

    @property
    def rule(self) -> EpochRule:
        """The epoch rule that the study declared."""
        return primary_rule(self.result)

    @property
    def score(self) -> str:
        """The score that the study declared."""
        return primary_score(self.result)

    @cached_property
    def held_out(self) -> HeldOut | None:
        """The split that claims are read on: test, else validation; None where there are no predictions."""
        return held_out(self.result, "test") or held_out(self.result, "validation")

    @cached_property
    def comparison(self) -> Comparison | None:
        """All variants against the baseline; None where there is nothing to compare."""
        if len(self.result.variants) < 2:
            return None
        with warnings.catch_warnings():
            # the comparison's claim says the same, and the page shows the claim
            warnings.simplefilter("ignore", StatisticsWarning)
            try:
                return compare(self.result)
            except GengapError:
                return None

    @cached_property
    def recommendation(self) -> Recommendation | None:
        """What to ship; None where nothing can be recommended."""
        try:
            return recommend(self.result)
        except GengapError:
            return None

    @property
    def has_curves(self) -> bool:
        """Whether the result holds learning curves."""
        return bool(self.result.history.sizes.get("epoch"))

    @property
    def has_validation(self) -> bool:
        """Whether epochs and runs could be chosen on validation curves."""
        return self.has_curves and "val_score" in self.result.history

    def skill(self, variant: str, rule: EpochRule) -> IntervalEstimate | None:
        """Skill of a variant over climatology, with its 95 % interval for new cases and new seeds.

        None where there are no predictions, or climatology is perfect; without an interval where there is one seed.
        """
        if self.held_out is None:
            return None
        try:
            values = case_values(self.result, self.held_out, variant, rule=rule, score=SKILL_SCORE[self.result.task])
        except GengapError:
            return None
        return estimate_of(values, rho=self.convention(variant, rule))

    @cached_property
    def resampled(self) -> Resampled | None:
        """How the result was resampled; None for single splits."""
        return resampling_of(self.result)

    def convention(self, variant: str, rule: EpochRule) -> float | None:
        """What new training sets add to the variance between cases of a variant's score; None for one training set."""
        if self.held_out is None or self.resampled is None or self.resampled.kind != "passes":
            return None
        read = (variant, rule)
        return convention_of(self.result, self.held_out, (read, read), score=SKILL_SCORE[self.result.task])

    @cached_property
    def summary(self) -> Table:
        """The table of variants."""
        return summarize(self.result)

    @cached_property
    def networks(self) -> "Result":
        """The result of the variants that are no references: those with curves and weights."""
        return networks(self.result)

    @cached_property
    def leader(self) -> str:
        """The variant besides the baseline that looks best where choices are made; the baseline if it is alone."""
        others = self.networks.variants[1:]
        if not others:
            return self.result.baseline
        best = self.comparison.best if self.comparison else None
        return best.variant if best is not None and best.variant in others else min(others, key=self._lowest)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What diagnosis and audit found, as coded sentences."""
        simple = () if self.recommendation is None else self.recommendation.findings
        return (*self.diagnosis.findings, *simple, *audit(self.result).findings)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What the curves of every variant say."""
        return diagnose(self.result)

    def median_seed(self, variant: str) -> int:
        """The seed whose run has the median validation score, else training score; the first where are no curves."""
        if not self.has_curves:
            return self.result.seeds[0]
        return self.result.median_seed(variant, epoch=self.rule)

    def _lowest(self, variant: str) -> float:
        """Lowest held-out (or training) score of the mean curve; the same for all where there are no curves."""
        history = self.result.history
        if not history.sizes.get("epoch"):
            return 0.0
        curve = history["val_score" if "val_score" in history else "train_score"].sel(variant=variant).mean("seed")
        return float(curve.min().fillna(float("inf")))


def estimate_of(values: "Floats", *, carriers: int | None = None, rho: float | None = None) -> IntervalEstimate:
    """Mean of seeds x units with its 95 % interval for new seeds and new cases; runs that diverged are left out.

    Args:
        values: Shape `(seeds, units)`.
        carriers: How many units carry the sampling error, see `gengap.analysis.inference.components.two_way`; 0 for so
            few that there is no interval.
        rho: Where rows are passes of a resampled study, what new training sets add; None for one training set.
    """
    values = values[np.isfinite(values).all(axis=-1)] if values.size else values
    if not values.size:
        return NOTHING
    if min(values.shape) < 2 or carriers == 0 or (rho is not None and len(values) < FEWEST_PASSES):
        return IntervalEstimate(float(values.mean()), math.nan, math.nan)
    found = two_way(values, carriers=carriers) if rho is None else over_passes(values, rho, carriers=carriers)
    return as_estimate(found, 0.05)
