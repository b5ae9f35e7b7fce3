"""Forecasts of a yes/no event in the order of their values: the one sort behind all curves, AUC, CORP and bins.

What a curve or a table needs is how many events and non-events there are at each distinct forecast value. For
probabilities without weights the label rides in the lowest bit of the sorted key: the bit pattern of a non-negative
float orders as the float does, and its sign bit is free. One sort of integers then does what a sort of indices and
two gathers would, several times faster and exactly.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from gengap.verification.inputs import Cases, Floats, binary_cases, label_cases


@dataclass(frozen=True, eq=False)
class RankedForecasts:
    """Weight of events and non-events at each distinct forecast value, ascending.

    Attributes:
        values: Distinct forecast values, ascending, shape `(k,)`.
        events: Weight of the events forecast with each value, shape `(k,)`.
        non_events: Weight of the non-events forecast with each value, shape `(k,)`.
    """

    values: Floats
    events: Floats
    non_events: Floats

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_score: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> "RankedForecasts":
        """Sort forecasts once.

        Args:
            y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
            y_score: Probabilities, or any real numbers that rise with the chance of the event, shape `(n,)`.
            sample_weight: Weight of each case, shape `(n,)`.

        Raises:
            DataError: Shapes or labels are not what they must be, a forecast is NaN, or no case is left.

        Example:
            >>> ranked = RankedForecasts.from_predictions([0, 1, 1], [0.5, 0.5, 0.9])
            >>> ranked.values, ranked.events, ranked.non_events
            (array([0.5, 0.9]), array([1., 1.]), array([1., 0.]))
        """
        return rank(label_cases(y_true, y_score, sample_weight), weighted=sample_weight is not None)

    @cached_property
    def event_total(self) -> float:
        """Weight of all events."""
        return float(self.events.sum())

    @cached_property
    def non_event_total(self) -> float:
        """Weight of all non-events."""
        return float(self.non_events.sum())

    @property
    def total(self) -> float:
        """Weight of all cases."""
        return self.event_total + self.non_event_total

    @property
    def base_rate(self) -> float:
        """Share of events."""
        return self.event_total / self.total

    @cached_property
    def hits(self) -> Floats:
        """Weight of events forecast with this value or a higher one, shape `(k,)`."""
        return np.asarray(np.cumsum(self.events[::-1])[::-1])

    @cached_property
    def false_alarms(self) -> Floats:
        """Weight of non-events forecast with this value or a higher one, shape `(k,)`."""
        return np.asarray(np.cumsum(self.non_events[::-1])[::-1])

    def area(self) -> float:
        """Return the area under the ROC curve; NaN where only one label occurs."""
        pairs = self.event_total * self.non_event_total
        if pairs == 0.0:
            return float("nan")
        # non-events below each value, and half of those that tie with it
        beaten = self.non_event_total - self.false_alarms + self.non_events / 2
        return float(self.events @ beaten / pairs)

    def brier_score(self) -> float:
        """Return the Brier score of probabilities, from the sorted form."""
        return float((self.events @ (1 - self.values) ** 2 + self.non_events @ self.values**2) / self.total)


def rank(valid: Cases, *, weighted: bool) -> RankedForecasts:
    """Sort validated 0/1 cases.

    Args:
        valid: The cases.
        weighted: Whether their weights differ from one; the fast sort takes none.
    """
    low, high = float(valid.forecast.min()), float(valid.forecast.max())
    if not weighted and low >= 0 and np.isfinite(high):
        return _rank_by_keys(valid.observed, valid.forecast)
    order = np.argsort(valid.forecast)
    return _tally(valid.forecast[order], valid.observed[order], valid.weight[order])


def ranked_probabilities(
    y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None = None
) -> RankedForecasts:
    """Validate probabilities and sort them.

    Raises:
        DataError: As `binary_cases`.
    """
    return rank(binary_cases(y_true, y_prob, sample_weight), weighted=sample_weight is not None)


def _rank_by_keys(observed: Floats, forecast: Floats) -> RankedForecasts:
    positive = forecast + 0.0  # a copy, in which -0.0 has become 0.0
    keys = positive.view(np.uint64)
    keys <<= np.uint64(1)
    keys |= observed.astype(np.uint64)
    keys.sort()
    labels = (keys & np.uint64(1)).astype(np.float64)
    keys >>= np.uint64(1)
    return _tally(keys.view(np.float64), labels, None)


def _tally(values: Floats, labels: Floats, weight: Floats | None) -> RankedForecasts:
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    if len(ends) == len(values):
        events = labels if weight is None else labels * weight
        return RankedForecasts(values, events, (1 - labels) if weight is None else weight - events)
    starts = np.append(0, ends[:-1] + 1)
    if weight is None:
        cumulated = np.cumsum(labels)[ends]  # exact: whole numbers
        events = np.diff(cumulated, prepend=0.0)
        return RankedForecasts(values[ends], events, (ends - starts + 1) - events)
    events = np.add.reduceat(labels * weight, starts)
    return RankedForecasts(values[ends], events, np.add.reduceat((1 - labels) * weight, starts))
