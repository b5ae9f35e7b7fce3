"""Yes/no forecasts at a threshold: the 2 x 2 table and the scores made of it."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from gengap.errors import DataError, UnknownNameError
from gengap.verification.inputs import Floats
from gengap.verification.named import Labelled, keeps_dims
from gengap.verification.ranking import RankedForecasts, ranked_probabilities

ContingencyScore = Literal[
    "probability_of_detection",
    "probability_of_false_detection",
    "false_alarm_ratio",
    "success_ratio",
    "critical_success_index",
    "frequency_bias",
    "accuracy",
    "peirce_skill_score",
    "heidke_skill_score",
    "gilbert_skill_score",
]
"""Names of the scores of a contingency table; each is a property of `Contingency`."""


@dataclass(frozen=True, eq=False)
class Contingency:
    """Contingency table of a yes/no forecast, or of many thresholds or runs at once (each field has an entry for each).

    A score whose denominator is zero is NaN: it says nothing about such a table.

    Attributes:
        hits: Weight of events that were forecast.
        false_alarms: Weight of non-events that were forecast.
        misses: Weight of events that were not forecast.
        correct_negatives: Weight of non-events that were not forecast.

    Example:
        Finley's tornado forecasts of 1884, as in Wilks (2019), Table 9.1:

        >>> table = Contingency(28.0, 72.0, 23.0, 2680.0)
        >>> print(f"{table.probability_of_detection:.3f} {table.critical_success_index:.3f}")
        0.549 0.228
    """

    hits: Any
    false_alarms: Any
    misses: Any
    correct_negatives: Any

    @property
    def total(self) -> Any:
        """Weight of all cases."""
        return self.hits + self.false_alarms + self.misses + self.correct_negatives

    @property
    def base_rate(self) -> Any:
        """Share of events; no score of the forecast."""
        return _ratio(self.hits + self.misses, self.total)

    @property
    def probability_of_detection(self) -> Any:
        """Share of events that were forecast (hit rate, recall); perfect 1, from 0 to 1."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def probability_of_false_detection(self) -> Any:
        """Share of non-events that were forecast (false alarm *rate*); perfect 0, from 0 to 1."""
        return _ratio(self.false_alarms, self.false_alarms + self.correct_negatives)

    @property
    def false_alarm_ratio(self) -> Any:
        """Share of the forecasts of the event that were false; perfect 0, from 0 to 1."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def success_ratio(self) -> Any:
        """Share of the forecasts of the event that came true (precision); perfect 1, from 0 to 1."""
        return _ratio(self.hits, self.hits + self.false_alarms)

    @property
    def critical_success_index(self) -> Any:
        """Hits among events and forecasts of events (threat score, Jaccard); perfect 1, from 0 to 1."""
        return _ratio(self.hits, self.hits + self.false_alarms + self.misses)

    @property
    def frequency_bias(self) -> Any:
        """Forecasts of the event per event; unbiased 1, from 0 upwards."""
        return _ratio(self.hits + self.false_alarms, self.hits + self.misses)

    @property
    def accuracy(self) -> Any:
        """Share of right forecasts; perfect 1, from 0 to 1; high for rare events whatever is forecast."""
        return _ratio(self.hits + self.correct_negatives, self.total)

    @property
    def peirce_skill_score(self) -> Any:
        """Detection less false detection (true skill statistic, Youden's J); perfect 1, no skill 0, from -1 to 1."""
        return self.probability_of_detection - self.probability_of_false_detection

    @property
    def heidke_skill_score(self) -> Any:
        """Accuracy beyond chance as share of the possible (Cohen's kappa); perfect 1, no skill 0, from -1 to 1."""
        a, b, c, d = self.hits, self.false_alarms, self.misses, self.correct_negatives
        return _ratio(2 * (a * d - b * c), (a + c) * (c + d) + (a + b) * (b + d))

    @property
    def gilbert_skill_score(self) -> Any:
        """Critical success index beyond chance (equitable threat score); perfect 1, no skill 0, from -1/3 to 1."""
        a, b, c = self.hits, self.false_alarms, self.misses
        chance = (a + b) * (a + c) / self.total
        return _ratio(a - chance, a + b + c - chance)

    def score(self, name: ContingencyScore) -> Any:
        """Return a score by its name.

        Raises:
            UnknownNameError: There is no such score.
        """
        if name not in get_args(ContingencyScore):
            raise UnknownNameError(
                f"{name!r} is not a contingency score; choose from {', '.join(get_args(ContingencyScore))}"
            )
        return getattr(self, name)


def _ratio(numerator: Any, denominator: Any) -> Any:
    if isinstance(denominator, Labelled):
        return numerator / denominator.copy(data=np.where(denominator.values == 0, np.nan, denominator.values))
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.where(np.asarray(denominator) == 0, np.nan, np.divide(numerator, denominator))
    return quotient if quotient.ndim else quotient.item()


@keeps_dims()
def contingency(
    y_true: ArrayLike, y_prob: ArrayLike, *, threshold: ArrayLike = 0.5, sample_weight: ArrayLike | None = None
) -> Contingency:
    """Contingency table of "yes where the probability reaches the threshold".

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        threshold: One threshold, or several, shape `(k,)`; a probability equal to it counts as yes.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The table; its fields are floats, or have shape `(k,)`.

    Raises:
        DataError: Shapes, labels or probabilities are not what they must be, or no case is left.

    Example:
        >>> table = contingency([0, 1, 1, 0], [0.2, 0.4, 0.9, 0.6], threshold=0.5)
        >>> table.hits, table.false_alarms, table.misses, table.correct_negatives
        (1.0, 1.0, 1.0, 1.0)
    """
    return contingency_of_ranked(ranked_probabilities(y_true, y_prob, sample_weight), threshold)


def contingency_of_ranked(ranked: RankedForecasts, threshold: ArrayLike) -> Contingency:
    """Return the contingency table at one or several thresholds of forecasts that are sorted already."""
    first = np.searchsorted(ranked.values, np.asarray(threshold, dtype=np.float64))
    hits = np.append(ranked.hits, 0.0)[first]
    false_alarms = np.append(ranked.false_alarms, 0.0)[first]
    fields = (hits, false_alarms, ranked.event_total - hits, ranked.non_event_total - false_alarms)
    return Contingency(*(field if np.ndim(threshold) else float(field) for field in fields))


@dataclass(frozen=True)
class BestThreshold:
    """The threshold with the best score on these cases, hence a choice to be judged on other ones.

    Attributes:
        threshold: Smallest probability that counts as yes; above 1 where never forecasting the event is best.
        value: The score there.
        score: Name of the score.
        table: The contingency table there.
    """

    threshold: float
    value: float
    score: str
    table: Contingency


@keeps_dims()
def best_threshold(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    score: ContingencyScore = "peirce_skill_score",
    sample_weight: ArrayLike | None = None,
) -> BestThreshold:
    """Threshold at which a contingency score is best, among all that make a difference.

    Choose it on validation data and judge it on test data: the best of many is too good.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        score: Which score: largest for most, smallest for `probability_of_false_detection` and
            `false_alarm_ratio`, nearest to 1 for `frequency_bias`.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The best threshold; of equals the highest.

    Raises:
        UnknownNameError: There is no such score.
        DataError: The score is undefined at every threshold (only one label occurs), or the cases are invalid.

    Example:
        >>> best_threshold([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], score="critical_success_index").threshold
        0.35
    """
    ranked = ranked_probabilities(y_true, y_prob, sample_weight)
    candidates = np.append(ranked.values, np.nextafter(ranked.values[-1], np.inf))
    values = np.asarray(contingency_of_ranked(ranked, candidates).score(score))
    merit = _merit(values, score)
    if np.isnan(merit).all():
        raise DataError(f"`{score}` is undefined at every threshold: both labels must occur")
    at = len(merit) - 1 - int(np.nanargmax(merit[::-1]))
    table = contingency_of_ranked(ranked, float(candidates[at]))
    return BestThreshold(float(candidates[at]), float(values[at]), score, table)


def _merit(values: Floats, score: ContingencyScore) -> Floats:
    if score in {"probability_of_false_detection", "false_alarm_ratio"}:
        return -values
    if score == "frequency_bias":
        return -np.abs(values - 1)
    return values
