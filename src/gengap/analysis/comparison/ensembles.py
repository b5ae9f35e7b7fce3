"""The mean forecast of a variant's seeds as a row like any other, with intervals over ensembles of new seeds."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from gengap.analysis.cases import CASE_SCORES, EpochRule, Floats, HeldOut, primary_rule, primary_score, reading_part
from gengap.analysis.claims import Claim, claim_of, given_of, notes_of, title_of
from gengap.analysis.comparison.comparison import check_scored
from gengap.analysis.comparison.contrasts import Pairs, estimates_with_skewness, pair
from gengap.analysis.comparison.estimators import (
    SCORES_OF,
    ScoreName,
    carriers,
    case_values,
    convention_of,
    larger_is_better,
)
from gengap.analysis.comparison.gains import as_training_cases
from gengap.analysis.inference.looks import look_level, looks_of
from gengap.analysis.inference.over_seeds import NOTHING, as_estimate
from gengap.analysis.inference.simultaneous import comparison_level
from gengap.analysis.tables import SCORE, Column, IntervalEstimate, ShownAsTable, Table
from gengap.errors import DataError
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from gengap.results import Result


def ensemble_values(result: "Result", held: HeldOut, variant: str, *, rule: EpochRule, score: ScoreName) -> Floats:
    r"""Values of every seed and unit whose mean is the score of the mean forecast of all seeds.

    Let $v_u$ be the value of unit $u$ under the mean forecast of all $K$ seeds and $v_u^{(-j)}$ without seed $j$. The
    jackknife's pseudo-values $K v_u - (K - 1) v_u^{(-j)}$, moved so that their mean over seeds is $v_u$, are

    $$p_{ju} = v_u + (K - 1) (\bar v_u^{(\cdot)} - v_u^{(-j)}).$$

    Their variance between seeds, over $K$, is the jackknife's variance of the ensemble of $K$ new seeds, and that
    between units is the sampling variance of its cases: so the two-way estimate of single runs serves ensembles too,
    and differences of ensembles are paired by seed and by case.

    Args:
        result: The result.
        held: The split that is read.
        variant: Whose seeds.
        rule: At which epoch.
        score: Which score; those that are no means come with their influences, as in `case_values`.

    Returns:
        Shape `(seeds, units)`; a run without predictions is a row of NaN, and no part of the ensemble. All NaN where
        fewer than two runs are left.

    Raises:
        UnknownNameError: There is no such score of this task.
        DataError: The result is resampled and the score no mean over cases: the runs that a case's mean forecast
            consists of differ from case to case, and so do not rank together.

    References:
        Efron, B. and Stein, C. (1981). The jackknife estimate of variance. Annals of Statistics 9, 586-596.
        doi:10.1214/aos/1176345462
    """
    if "fold" in held.data.coords and score not in CASE_SCORES:
        raise DataError(
            f"Mean forecasts of a resampled study have no {score}: every case has runs of its own, whose forecasts do "
            f"not rank together. Choose one of {', '.join(set(SCORES_OF[held.task]) & set(CASE_SCORES))}."
        )
    runs = held.predictions(variant, rule).astype(np.float64)
    good = np.isfinite(runs.reshape(len(runs), -1)).all(axis=1)
    whole = runs[good]
    count = len(whole)
    if count < 2:
        return np.full_like(case_values(result, held, variant, rule=rule, score=score), np.nan)
    total = whole.sum(axis=0)
    means = np.stack([total / count, *((total - one) / (count - 1) for one in whole)])
    values = case_values(result, _forecasting(held, variant, rule, means), variant, rule=rule, score=score)
    pseudo = np.full((len(runs), values.shape[-1]), np.nan)
    pseudo[good] = values[0] + (count - 1) * (values[1:].mean(axis=0) - values[1:])
    return pseudo


def _forecasting(held: HeldOut, variant: str, rule: EpochRule, forecasts: Floats) -> HeldOut:
    """The split with other forecasts, of as many runs as there are."""
    like = (
        held.data[f"prediction_{rule}"]
        .sel(variant=[variant])
        .isel(seed=[0])
        .transpose("variant", "seed", "sample", ...)
    )
    rows = like.isel(seed=np.zeros(len(forecasts), dtype=int)).assign_coords(seed=np.arange(len(forecasts)))
    data = held.data.drop_vars([name for name, one in held.data.variables.items() if "seed" in one.dims])
    both = dict.fromkeys(("prediction_best", "prediction_last"), rows.copy(data=forecasts[None].astype(like.dtype)))
    return replace(held, data=data.sel(variant=[variant]).assign(both))


@dataclass(frozen=True)
class EnsembleRow:
    """The mean forecast of a variant's seeds.

    Attributes:
        variant: Name of the variant.
        members: Runs that it is the mean of, and times that inference costs.
        score: Its score, for ensembles of as many new seeds and new cases.
        single: Mean score of its runs alone.
        gain: Its score minus that, in the score's units.
        difference: Its score minus that of the baseline's ensemble; nothing for the baseline.
    """

    variant: str
    members: int
    score: IntervalEstimate
    single: float
    gain: IntervalEstimate
    difference: IntervalEstimate


@dataclass(frozen=True, repr=False)
class Ensembles(ShownAsTable):
    """Ensembles of all variants.

    Attributes:
        rows: One for each variant, the baseline first.
        score: The score.
        larger_is_better: Its orientation.
        rule: Epoch at which runs are read.
        part: The split that was read.
        claim: What the intervals are about.
        confidence: Of each interval of a score; those of gains hold simultaneously, and so do those of differences.
        given: For which training sets.
        about_folds: What a reader must know of a resampled study; empty for single splits.
    """

    rows: tuple[EnsembleRow, ...]
    score: str
    larger_is_better: bool
    rule: EpochRule
    part: str
    claim: Claim
    confidence: float
    given: str
    about_folds: tuple[str, ...] = ()

    def __getitem__(self, variant: str) -> EnsembleRow:
        """Return the row of one variant."""
        return {one.variant: one for one in self.rows}[variant]

    @property
    def table(self) -> Table:
        """The rows, with what they cost and claim."""
        better = "larger" if self.larger_is_better else "smaller"
        title = (
            f"{self.score} of the mean forecast of all seeds on {self.part} at the {self.rule} epoch, {better} is "
            f"better; claim: {title_of(self.claim, self.given)}"
        )
        rows = [(one.variant, one.members, one.score, one.single, one.gain, one.difference) for one in self.rows]
        about = (
            f"Intervals have {self.confidence:.1%} confidence and are about ensembles of as many new seeds; those of "
            "the gains hold simultaneously, and so do those of the differences."
        )
        costs = "A forecast of the mean costs as many times the work as it has runs, in memory too."
        return Table(title, _COLUMNS, tuple(rows), (about, costs, *self.about_folds))


_COLUMNS = (
    Column("variant", "variant"),
    Column("members", "runs", ",d"),
    Column("score", "score of the mean", SCORE),
    Column("single", "of a run alone", SCORE),
    Column("gain", "mean minus alone", SCORE),
    Column("difference", "minus the baseline's mean", SCORE),
)


def ensembles(
    result: "Result",
    *,
    score: ScoreName | None = None,
    epoch: EpochRule | None = None,
    claim: Claim | None = None,
    alpha: float = 0.05,
) -> Ensembles:
    """Score the mean forecast of every variant's seeds.

    Averaging the runs that a study has trained anyway is often its best forecast, at as many times the cost. Intervals
    are over ensembles of new seeds, by the jackknife, and over new cases; `gg.ship(result, variant, seeds="all")` puts
    the mean into one model. In a resampled study a case's mean forecast is that of the one run of every pass that has
    not seen it: an ensemble whose members learned from different parts of the same cases.

    Args:
        result: A result with held-out forecasts of two seeds or more.
        score: The score; by default the one that the study declared.
        epoch: Epoch at which runs are read; by default the declared one.
        claim: As in `compare`: None takes the most that the result can speak for; `"this test set"` takes the cases
            for all there are.
        alpha: Error of the interval of a score, and of all gains, and of all differences.

    Returns:
        The ensembles; printing them shows the table.

    Raises:
        DataError: There are no held-out forecasts, or fewer than two seeds; `alpha` is out of range; the result is
            resampled and the score no mean over cases.
        UnknownNameError: There is no such score of this task.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> y = rng.random(200) < 0.5
        >>> runs = np.clip(0.5 + 0.2 * (2 * y - 1) + rng.normal(0, 0.2, (6, 200)), 0.01, 0.99)
        >>> from gengap import Result
        >>> result = Result.from_predictions(y, {"net": runs}, task="binary", score="brier_score")
        >>> row = ensembles(result)["net"]
        >>> row.members, row.score.value < row.single, row.gain.high < 0
        (6, True, True)
    """
    check_is_result(result, "ensembles")
    if not 0 < alpha < 1:
        raise DataError(f"`alpha` must lie between 0 and 1, received {alpha}.")
    held, rule = reading_part(result), epoch or primary_rule(result)
    check_scored(result, held, score or primary_score(result))
    chosen = cast("ScoreName", score or primary_score(result))
    if len(result.seeds) < 2:
        raise DataError("An ensemble needs two seeds or more, and this result has one.")
    asked, resampled = claim_of(result, claim), resampling_of(result)
    level = look_level(looks_of(result), alpha)
    reading = _Reading(result, held, rule, chosen, new_cases=asked != "this test set")
    family = comparison_level(level, comparisons=max(len(result.variants) - 1, 1))
    together = {name: ensemble_values(result, held, name, rule=rule, score=chosen) for name in result.variants}
    alone = {name: case_values(result, held, name, rule=rule, score=chosen) for name in result.variants}
    zeros = {name: np.zeros_like(one) for name, one in together.items()}
    base = dict.fromkeys(result.variants, together[result.baseline])
    scores = reading.estimates(together, zeros, level)
    trained = {name: one + reading.as_training_cases(one - alone[name], name) for name, one in together.items()}
    gains = reading.estimates(trained, alone, comparison_level(level, comparisons=len(result.variants)))
    apart = reading.estimates(together, base, family)
    return Ensembles(
        rows=tuple(
            EnsembleRow(
                variant=name,
                members=int(np.isfinite(together[name]).all(axis=-1).sum()),
                score=scores[name],
                single=_mean(alone[name]),
                gain=_widened(gains[name]),
                difference=NOTHING if name == result.baseline else apart[name],
            )
            for name in result.variants
        ),
        score=chosen,
        larger_is_better=larger_is_better(chosen),
        rule=rule,
        part=held.part,
        claim=asked,
        confidence=1 - level,
        given=given_of(result),
        about_folds=() if resampled is None else (_ABOUT_FOLDS, *notes_of(resampled)),
    )


_ABOUT_FOLDS = (
    "A case's mean forecast is that of the one run of every pass that has not seen it; its members learned from "
    "different parts of the same cases."
)


@dataclass(frozen=True, eq=False)
class _Reading:
    """What is read, and how its means are estimated."""

    result: "Result"
    held: HeldOut
    rule: EpochRule
    score: ScoreName
    new_cases: bool

    def estimates(
        self, treated: dict[str, Floats], untreated: dict[str, Floats], level: float
    ) -> dict[str, IntervalEstimate]:
        """Paired mean differences of all variants, with intervals of confidence `1 - level` each."""
        carrying = carriers(self.held, self.score)
        family: list[Pairs] = [
            pair(
                name,
                self.rule,
                treated[name],
                untreated[name],
                new_cases=self.new_cases,
                carriers=carrying,
                rho=self.rho(name),
            )
            for name in treated
        ]
        return {
            one.variant: NOTHING if found is None else as_estimate(found, level)
            for one, found in zip(family, estimates_with_skewness(family), strict=True)
        }

    def as_training_cases(self, gain: Floats, variant: str) -> Floats:
        """What units do to a gain by having been trained on; zeros where all runs saw the same cases."""
        if self.rho(variant) is None:
            return np.zeros(gain.shape[-1])
        return _mean(gain) * as_training_cases(self.result, self.held, variant, self.rule)

    def rho(self, variant: str) -> float | None:
        """What new training sets add to the variance between cases, by convention; None for one training set."""
        resampled = resampling_of(self.result)
        if resampled is None or resampled.kind != "passes":
            return None
        pair = (variant, self.rule), (self.result.baseline, self.rule)
        return convention_of(self.result, self.held, pair, score=self.score)


def _widened(gain: IntervalEstimate) -> IntervalEstimate:
    r"""The interval of a gain with a longer end on the side of larger gains.

    To first order a gain is the variance between runs times the score's curvature, and estimates of variances from few
    runs are skewed: they fall short more often than they exceed. Where Student's interval reaches $r$ of the gain $g$
    to either side, one on the log scale ends at $g e^r$; its second-order term $g r^2/2$ is added, at most $g r$.
    Without it 92 to 95 % of intervals held in place of 97.8 % where runs differ as wholes (200 studies of
    `benchmarks/ensembles.py` a setting).
    """
    if not np.isfinite([gain.low, gain.high]).all() or gain.value == 0:
        return gain
    reach = (gain.high - gain.low) / 2 / abs(gain.value)
    far = gain.value * min(reach**2 / 2, reach)
    return IntervalEstimate(gain.value, gain.low + min(far, 0.0), gain.high + max(far, 0.0))


def _mean(values: Floats) -> float:
    good = values[np.isfinite(values).all(axis=-1)]
    return float(good.mean()) if len(good) else float("nan")
