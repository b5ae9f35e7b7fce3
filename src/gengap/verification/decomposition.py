"""What a Brier score or log loss is made of: miscalibration, discrimination and uncertainty, in parts that add up."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gengap.errors import DataError
from gengap.verification.inputs import Floats
from gengap.verification.named import keeps_dims
from gengap.verification.ranking import RankedForecasts, ranked_probabilities


@dataclass(frozen=True)
class MurphyDecomposition:
    r"""Murphy's decomposition over bins, with what the bins hide: it sums to the exact Brier score.

    `score = reliability - resolution + uncertainty + within_bin_variance - within_bin_covariance`

    Attributes:
        score: The Brier score.
        reliability: Squared distance of the mean forecast from the event frequency, over bins; 0 is perfect.
        resolution: Squared distance of the event frequency from the base rate, over bins; larger is better.
        uncertainty: Brier score of the base rate.
        within_bin_variance: Variance of the forecasts inside the bins; 0 where each bin holds one value.
        within_bin_covariance: Twice the covariance of forecast and outcome inside the bins.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bin_variance: float
    within_bin_covariance: float


@dataclass(frozen=True)
class CorpDecomposition:
    """Decomposition by isotonic recalibration, without bins: `score = miscalibration - discrimination + uncertainty`.

    Attributes:
        score: The score of the forecasts.
        miscalibration: What recalibration gains; 0 is calibrated, never negative.
        discrimination: What recalibrated forecasts gain on the base rate; larger is better, never negative.
        uncertainty: Score of the base rate.
        kind: Which score was decomposed.
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float
    kind: Literal["brier_score", "log_loss"]


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Forecasts and outcomes in bins.

    Attributes:
        edges: Edges of the bins, shape `(k + 1,)`; a forecast on an edge belongs to the upper bin.
        forecast: Mean forecast of each bin, shape `(k,)`; NaN where it is empty.
        frequency: Share of events in each bin, shape `(k,)`; NaN where it is empty.
        weight: Weight of the cases in each bin, shape `(k,)`.
    """

    edges: Floats
    forecast: Floats
    frequency: Floats
    weight: Floats


def bin_edges(ranked: RankedForecasts, bins: ArrayLike) -> Floats:
    """Return the edges: of equally wide bins for a number, else those given.

    Raises:
        DataError: Edges do not ascend from at most the smallest to at least the largest forecast.
    """
    edges = np.linspace(0.0, 1.0, int(np.asarray(bins)) + 1) if np.ndim(bins) == 0 else np.asarray(bins, np.float64)
    if len(edges) < 2 or (np.diff(edges) <= 0).any() or edges[0] > ranked.values[0] or edges[-1] < ranked.values[-1]:
        raise DataError(f"`bins` must be a positive number, or edges that ascend and cover the forecasts, got {bins!r}")
    return edges


def bins_of_ranked(ranked: RankedForecasts, bins: ArrayLike) -> ReliabilityBins:
    """Return forecasts and outcomes in bins, from the sorted form."""
    edges = bin_edges(ranked, bins)
    at = _bin_of(ranked, edges)
    count = len(edges) - 1
    weight = np.bincount(at, weights=ranked.events + ranked.non_events, minlength=count)
    with np.errstate(invalid="ignore"):
        forecast = np.bincount(at, (ranked.events + ranked.non_events) * ranked.values, minlength=count) / weight
        frequency = np.bincount(at, ranked.events, minlength=count) / weight
    return ReliabilityBins(edges, forecast, frequency, np.asarray(weight, dtype=np.float64))


def _bin_of(ranked: RankedForecasts, edges: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    # the values are sorted: where each edge falls among them is a matter of k searches, not n
    starts = np.searchsorted(ranked.values, edges[1:-1])
    return np.repeat(np.arange(len(edges) - 1), np.diff(starts, prepend=0, append=len(ranked.values)))


@keeps_dims()
def murphy_decomposition(
    y_true: ArrayLike, y_prob: ArrayLike, *, bins: ArrayLike = 10, sample_weight: ArrayLike | None = None
) -> MurphyDecomposition:
    r"""Murphy's decomposition of the Brier score into reliability, resolution and uncertainty, over bins.

    $$\mathrm{BS} = \underbrace{\sum_k \tfrac{n_k}{n} (\bar p_k - \bar o_k)^2}_{\text{reliability}}
    - \underbrace{\sum_k \tfrac{n_k}{n} (\bar o_k - \bar o)^2}_{\text{resolution}}
    + \underbrace{\bar o (1 - \bar o)}_{\text{uncertainty}} + \mathrm{WBV} - \mathrm{WBC}$$

    The two within-bin terms (Stephenson et al. 2008) make the sum exact for any bins. The parts depend on the bins,
    and with few cases per bin reliability and resolution are both too large; `corp_decomposition` needs no bins.

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        bins: Number of equally wide bins, or their edges.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: The cases are invalid, or the edges do not ascend and cover the forecasts.

    Example:
        >>> parts = murphy_decomposition([0, 0, 1, 1, 1], [0.2, 0.2, 0.2, 0.8, 0.8])
        >>> print(f"{parts.reliability:.3f} {parts.resolution:.3f} {parts.uncertainty:.3f} {parts.score:.3f}")
        0.027 0.107 0.240 0.160

    References:
        Murphy, A. H. (1973). A new vector partition of the probability score. Journal of Applied Meteorology 12.
        doi 10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2

        Stephenson, D. B., Coelho, C. A. S. and Jolliffe, I. T. (2008). Two extra components in the Brier score
        decomposition. Weather and Forecasting 23. doi 10.1175/2007WAF2006116.1
    """
    return murphy_of_ranked(ranked_probabilities(y_true, y_prob, sample_weight), bins)


def murphy_of_ranked(ranked: RankedForecasts, bins: ArrayLike = 10) -> MurphyDecomposition:
    """Return Murphy's decomposition of forecasts that are sorted already."""
    table = bins_of_ranked(ranked, bins)
    at = _bin_of(ranked, table.edges)
    filled = table.weight > 0
    weight, forecast, frequency = table.weight[filled], table.forecast[filled], table.frequency[filled]
    base, total = ranked.base_rate, ranked.total
    off = ranked.values - table.forecast[at]
    events_less_expected = ranked.events - (ranked.events + ranked.non_events) * table.frequency[at]
    return MurphyDecomposition(
        score=ranked.brier_score(),
        reliability=float(weight @ (forecast - frequency) ** 2 / total),
        resolution=float(weight @ (frequency - base) ** 2 / total),
        uncertainty=base * (1 - base),
        within_bin_variance=float((ranked.events + ranked.non_events) @ off**2 / total),
        within_bin_covariance=float(2 * (off @ events_less_expected) / total),
    )


@keeps_dims()
def corp_decomposition(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    kind: Literal["brier_score", "log_loss"] = "brier_score",
    sample_weight: ArrayLike | None = None,
) -> CorpDecomposition:
    r"""CORP decomposition: miscalibration, discrimination and uncertainty through isotonic regression, without bins.

    With $\hat x$ the forecasts recalibrated by isotonic regression (pooling violators), $\bar o$ the base rate:

    $$S(x) = \underbrace{[S(x) - S(\hat x)]}_{\text{miscalibration}}
    - \underbrace{[S(\bar o) - S(\hat x)]}_{\text{discrimination}} + \underbrace{S(\bar o)}_{\text{uncertainty}}$$

    Args:
        y_true: 0/1, shape `(n,)`. Cases where it is NaN are left out.
        y_prob: Probability of label 1, shape `(n,)`.
        kind: Which score to decompose. Log losses of certain misses are clipped at float64's epsilon.
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: The cases are invalid.

    Example:
        >>> parts = corp_decomposition([0, 1, 1], [0.5, 0.5, 0.9])
        >>> print(f"{parts.miscalibration:.4f} {parts.discrimination:.4f} {parts.uncertainty:.4f}")
        0.0033 0.0556 0.2222

    References:
        Dimitriadis, T., Gneiting, T. and Jordan, A. I. (2021). Stable reliability diagrams for probabilistic
        classifiers. PNAS 118. doi 10.1073/pnas.2016191118
    """
    return corp_of_ranked(ranked_probabilities(y_true, y_prob, sample_weight), kind)


def corp_of_ranked(
    ranked: RankedForecasts, kind: Literal["brier_score", "log_loss"] = "brier_score"
) -> CorpDecomposition:
    """Return the CORP decomposition of forecasts that are sorted already."""
    base = np.full(len(ranked.values), ranked.base_rate)
    own, recalibrated, climate = (
        _mean_score(ranked, p, kind) for p in (ranked.values, recalibrated_values(ranked), base)
    )
    return CorpDecomposition(own, own - recalibrated, climate - recalibrated, climate, kind)


def recalibrated_values(ranked: RankedForecasts) -> Floats:
    """Return the isotonic recalibration of each distinct forecast value, shape `(k,)`."""
    from scipy.optimize import isotonic_regression

    weight = ranked.events + ranked.non_events
    return np.asarray(isotonic_regression(ranked.events / weight, weights=weight).x)


def _mean_score(ranked: RankedForecasts, p: Floats, kind: Literal["brier_score", "log_loss"]) -> float:
    if kind == "brier_score":
        return float((ranked.events @ (1 - p) ** 2 + ranked.non_events @ p**2) / ranked.total)
    tiny = np.finfo(np.float64).eps
    p = np.clip(p, tiny, 1 - tiny)
    return float(-(ranked.events @ np.log(p) + ranked.non_events @ np.log1p(-p)) / ranked.total)
