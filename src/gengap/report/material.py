"""What all sections are made from: the result, and the analyses that more than one section shows."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gengap.analysis.cases import HeldOut, held_out, primary_rule, primary_score
from gengap.analysis.comparison import Comparison, compare
from gengap.analysis.summary import summarize
from gengap.analysis.tables import Table
from gengap.errors import GengapError, StatisticsWarning
from gengap.report.languages import Language
from gengap.results import EpochRule

if TYPE_CHECKING:
    from gengap.results import Result
    from gengap.sampling import PredictiveDistribution


@dataclass(frozen=True, eq=False)
class Material:
    """A result on its way into a page.

    Attributes:
        result: The result.
        language: The texts of the page.
        distribution: Predictive distribution of the cases to be shown, or None.
    """

    result: "Result"
    language: Language
    distribution: "PredictiveDistribution | None" = None

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
    def summary(self) -> Table:
        """The table of variants."""
        return summarize(self.result)

    @cached_property
    def leader(self) -> str:
        """The variant that looks best where choices are made; the baseline where nothing can be compared."""
        best = self.comparison.best if self.comparison else None
        if best is not None:
            return best.variant
        return self.result.baseline if len(self.result.variants) < 2 else self._lowest()

    def median_seed(self, variant: str) -> int:
        """The seed whose run has the median validation score; the first where there are no curves."""
        if not self.result.history.sizes.get("epoch"):
            return self.result.seeds[0]
        return self.result.median_seed(variant, epoch=self.rule)

    def _lowest(self) -> str:
        score = "val_score" if "val_score" in self.result.history else "train_score"
        lowest = self.result.history[score].min("epoch").mean("seed").fillna(float("inf"))
        return str(lowest["variant"].values[int(lowest.to_numpy().argmin())])
