"""Ensemble forecasts of a real number: CRPS, rank histogram and probability integral transform.

Members are exchangeable and stand on the last axis. These scores are for regression: against 0/1 outcomes the spread
of probabilities cannot be calibrated (a member is a probability, an outcome is not), see `spread.py`.
"""

from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengap.errors import DataError, MissingExtraError, UnknownNameError
from gengap.verification.inputs import Floats, cases, spread_cases
from gengap.verification.named import keeps_dims
from gengap.verification.plain import numbers


def case_crps_ensemble(y_true: ArrayLike, y_ensemble: ArrayLike, *, fair: bool = False) -> Floats:
    """Continuous ranked probability score of each case, in units of `y_true`; see `crps_ensemble`.

    Args:
        y_true: Observations, shape `(n,)`; NaN gives NaN.
        y_ensemble: Members, shape `(n, members)`.
        fair: Whether the finite number of members is corrected for.

    Example:
        >>> case_crps_ensemble([0.0, 1.0], [[-1.0, 1.0], [1.0, 1.0]])
        array([0.5, 0. ])
    """
    members = np.sort(numbers(y_ensemble, "y_ensemble", squeeze=False), axis=-1)
    m = members.shape[-1]
    y = numbers(y_true, "y_true").reshape(-1)
    distance = np.abs(members - y[:, None]).mean(axis=-1)
    # sum over pairs of |x_i - x_j| is a weighted sum of the sorted members: m log m instead of m^2
    spread = members @ (2 * np.arange(1, m + 1) - m - 1.0) / m
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(distance - spread / (np.float64(m - 1) if fair else m))


@keeps_dims("member")
def crps_ensemble(
    y_true: ArrayLike, y_ensemble: ArrayLike, *, fair: bool = False, sample_weight: ArrayLike | None = None
) -> float:
    r"""Continuous ranked probability score of an ensemble, in units of `y_true`.

    0 is perfect; smaller is better; for one member it is the absolute error. The plain score treats the members as
    the whole distribution; the fair one estimates the score that infinitely many such members would get, and so lets
    ensembles of different size be compared.

    $$\mathrm{CRPS} = \frac1m \sum_i |x_i - y| - \frac{1}{2 m^2} \sum_{i,j} |x_i - x_j|, \qquad
    \text{fair: } m^2 \to m (m - 1)$$

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_ensemble: Members, shape `(n, members)`; in labelled arrays the dim `member`.
        fair: Whether the finite number of members is corrected for.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 upwards (the fair one can fall below); the fair score of one member is NaN. Labelled arrays
        keep their other dims.

    Raises:
        DataError: Shapes differ, a member of an observed case is NaN, or no case is left.

    Example:
        >>> crps_ensemble([0.0], [[-1.0, 1.0]])
        0.5
        >>> crps_ensemble([0.0], [[-1.0, 1.0]], fair=True)
        0.0

    References:
        Hersbach, H. (2000). Decomposition of the continuous ranked probability score for ensemble prediction systems.
        Weather and Forecasting 15. doi 10.1175/1520-0434(2000)015<0559:DOTCRP>2.0.CO;2

        Ferro, C. A. T. (2014). Fair scores for ensemble forecasts. Quarterly Journal of the Royal Meteorological
        Society 140. doi 10.1002/qj.2270
    """
    valid = cases(y_true, y_ensemble, sample_weight, axes=2)
    return float(np.average(case_crps_ensemble(valid.observed, valid.forecast, fair=fair), weights=valid.weight))


@keeps_dims()
def crps_normal(
    y_true: ArrayLike, y_pred: ArrayLike, *, spread: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    r"""Continuous ranked probability score of normal forecast distributions, in closed form, in units of `y_true`.

    0 is perfect; smaller is better; a spread of 0 gives the absolute error.

    $$\mathrm{CRPS} = \sigma \Big[ z (2 \Phi(z) - 1) + 2 \varphi(z) - \tfrac{1}{\sqrt\pi} \Big], \quad
    z = \frac{y - \mu}{\sigma}$$

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_pred: Means of the distributions, shape `(n,)`.
        spread: Their standard deviations, shape `(n,)`, or one for all.
        sample_weight: Weight of each case, shape `(n,)`.

    Returns:
        The score, from 0 upwards. Labelled arrays keep their other dims.

    Raises:
        DataError: Shapes differ, a forecast of an observed case is NaN, a spread is negative, or no case is left.

    Example:
        >>> crps_normal([0.0], [0.0], spread=1.0)
        0.2336...

    References:
        Gneiting, T., Raftery, A. E., Westveld, A. H. and Goldman, T. (2005). Calibrated probabilistic forecasting using
        ensemble model output statistics and minimum CRPS estimation. Monthly Weather Review 133. doi 10.1175/MWR2904.1
    """
    from scipy.special import ndtr

    valid, sd = spread_cases(y_true, y_pred, spread, sample_weight)
    mean = valid.forecast
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (valid.observed - mean) / sd
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        scores = sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    scores = np.where(sd == 0, np.abs(valid.observed - mean), scores)
    return float(np.average(scores, weights=valid.weight))


def crps_distribution(
    y_true: ArrayLike, *, family: str, sample_weight: ArrayLike | None = None, **parameters: ArrayLike
) -> float:
    """Continuous ranked probability score of parametric forecasts, by the closed forms of the scoringrules library.

    0 is perfect; smaller is better; in units of `y_true`.

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        family: Family as scoringrules names it: `"normal"`, `"gamma"`, `"lognormal"`, `"beta"`, `"t"` and some twenty
            more (its functions `crps_...`).
        sample_weight: Weight of each case, shape `(n,)`.
        **parameters: Parameters of the family, each of shape `(n,)` or one for all, under scoringrules' names.

    Raises:
        MissingExtraError: scoringrules is not installed.
        UnknownNameError: scoringrules has no such family.
        DataError: A score of an observed case is NaN (parameters outside their range), or no case is left.

    Example:
        >>> round(crps_distribution([0.0, 1.0], family="normal", mu=0.0, sigma=[1.0, 2.0]), 4)
        0.4483

    References:
        Zanetta, F. and Allen, S. (2024). scoringrules: a Python library for probabilistic forecast evaluation.
    """
    try:
        scoringrules = import_module("scoringrules")
    except ImportError as reason:
        raise MissingExtraError("closed forms need scoringrules: pip install scoringrules") from reason
    formula = getattr(scoringrules, f"crps_{family}", None)
    if formula is None or family in {"ensemble", "quantile"}:
        families = sorted(name[5:] for name in dir(scoringrules) if name.startswith("crps_"))
        raise UnknownNameError(f"{family!r} is not a family of scoringrules; choose from {', '.join(families)}")
    observed = numbers(y_true, "y_true")
    arrays = {name: numbers(value, name) for name, value in parameters.items()}
    valid = cases(observed, formula(np.nan_to_num(observed), **arrays), sample_weight)
    return float(np.average(valid.forecast, weights=valid.weight))


@dataclass(frozen=True, eq=False)
class RankHistogram:
    """How often the observation took each rank among the members; flat for a reliable ensemble.

    Attributes:
        counts: Weight of cases by rank, shape `(members + 1,)`; a tie counts in equal parts for the ranks it may take.
        low: Lower end of the pointwise consistency band: counts of reliable ensembles lie inside with `level`.
        high: Its upper end.
        level: Probability of each bar to lie in the band, by itself, if the ensemble is reliable.
    """

    counts: Floats
    low: float
    high: float
    level: float


def rank_histogram(
    y_true: ArrayLike, y_ensemble: ArrayLike, *, level: float = 0.95, sample_weight: ArrayLike | None = None
) -> RankHistogram:
    """Rank histogram (Talagrand diagram) of an ensemble.

    U-shaped: too little spread; dome: too much; sloped: biased. Flat is necessary for reliability, not sufficient.

    Args:
        y_true: Observations, shape `(n,)`. Cases where it is NaN are left out.
        y_ensemble: Members, shape `(n, members)`.
        level: Coverage of the consistency band (binomial, for independent cases).
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: Shapes differ, a member of an observed case is NaN, or no case is left.

    Example:
        >>> rank_histogram([0.5, 2.0, 1.0], [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]).counts
        array([0. , 1.5, 1.5])

    References:
        Hamill, T. M. (2001). Interpretation of rank histograms for verifying ensemble forecasts. Monthly Weather
        Review 129. doi 10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2
    """
    from scipy.stats import binom

    valid = cases(y_true, y_ensemble, sample_weight, axes=2, infinite=True)
    first, last = _ranks(valid.observed, valid.forecast)
    ranks = valid.forecast.shape[1] + 1
    share = valid.weight / (last - first + 1)
    edges = np.bincount(first, weights=share, minlength=ranks + 1) - np.bincount(
        last + 1, weights=share, minlength=ranks + 1
    )
    n, total = len(valid.observed), valid.weight.sum()
    low, high = (binom.ppf(q, n, 1 / ranks) * total / n for q in ((1 - level) / 2, (1 + level) / 2))
    return RankHistogram(np.cumsum(edges)[:ranks], float(low), float(high), level)


def _ranks(observed: Floats, members: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    below = (members < observed[:, None]).sum(axis=1)
    return below, below + (members == observed[:, None]).sum(axis=1)


@dataclass(frozen=True, eq=False)
class PitHistogram:
    """Histogram of the probability integral transform; flat for calibrated forecasts.

    Attributes:
        edges: Edges of the bins, from 0 to 1, shape `(bins + 1,)`.
        frequency: Share of cases in each bin, shape `(bins,)`.
        deviation: PITD, the root-mean-square distance of the shares from `1 / bins`; 0 is flat.
        expected_deviation: What calibrated forecasts of as many independent cases would show on average.
        low: Lower end of the pointwise consistency band of a share.
        high: Its upper end.
        level: Coverage of that band.
    """

    edges: Floats
    frequency: Floats
    deviation: float
    expected_deviation: float
    low: float
    high: float
    level: float


def ensemble_pit(y_true: ArrayLike, y_ensemble: ArrayLike) -> Floats:
    """Probability integral transform of each observation under its ensemble, as the interval it may lie in.

    An ensemble of m members knows only in which of m + 1 equally likely gaps the observation fell. Instead of a random
    point, the gap itself is returned; histograms spread the case evenly over it and so stay deterministic.

    Args:
        y_true: Observations, shape `(n,)`.
        y_ensemble: Members, shape `(n, members)`.

    Returns:
        Lower and upper end, shape `(n, 2)`, from 0 to 1.

    Raises:
        DataError: Shapes differ, a member of an observed case is NaN, or no case is left.

    Example:
        >>> ensemble_pit([0.5], [[0.0, 1.0, 2.0]])
        array([[0.25, 0.5 ]])

    References:
        Czado, C., Gneiting, T. and Held, L. (2009). Predictive model assessment for count data. Biometrics 65.
        doi 10.1111/j.1541-0420.2009.01191.x
    """
    valid = cases(y_true, y_ensemble, axes=2, infinite=True)
    first, last = _ranks(valid.observed, valid.forecast)
    ranks = valid.forecast.shape[1] + 1
    return np.column_stack([first / ranks, (last + 1) / ranks])


def pit_histogram(
    pit: ArrayLike, *, bins: int = 10, level: float = 0.95, sample_weight: ArrayLike | None = None
) -> PitHistogram:
    r"""Histogram of probability integral transforms with its distance from flat (PITD).

    $$\mathrm{PITD} = \sqrt{\frac1K \sum_{k=1}^{K} \Big(\frac{N_k}{N} - \frac1K\Big)^2}, \qquad
    \sqrt{\mathrm E\,\mathrm{PITD}^2} = \sqrt{\frac{1 - 1/K}{N K}} \text{ if calibrated}$$

    Args:
        pit: Transforms, shape `(n,)`, such as `scipy.stats.norm.cdf(y_true, mean, sd)`, or intervals, shape `(n, 2)`,
            as `ensemble_pit` returns them.
        bins: Number of equal bins.
        level: Coverage of the consistency band (binomial, for independent cases).
        sample_weight: Weight of each case, shape `(n,)`.

    Raises:
        DataError: A transform is NaN or outside 0 to 1, or there is none.

    Example:
        >>> pit_histogram([0.1, 0.2, 0.6, 0.9], bins=2).deviation
        0.0

    References:
        Haynes, K., Lagerquist, R., McGraw, M., Musgrave, K. and Ebert-Uphoff, I. (2023). Creating and evaluating
        uncertainty estimates with neural networks for environmental-science applications. Artificial Intelligence for
        the Earth Systems 2. doi 10.1175/AIES-D-22-0061.1
    """
    from scipy.stats import binom

    values = numbers(pit, "pit", squeeze=False)
    intervals = np.column_stack([values, values]) if values.ndim == 1 else values
    if not len(values) or not ((intervals >= 0) & (intervals <= 1)).all():
        raise DataError("`pit` must hold at least one case, and values from 0 to 1 without NaN")
    weight = np.ones(len(values)) if sample_weight is None else numbers(sample_weight, "sample_weight")
    edges = np.linspace(0.0, 1.0, bins + 1)
    frequency = np.diff(_mean_distribution(intervals, weight / weight.sum(), edges))
    n = len(values)
    low, high = (float(binom.ppf(q, n, 1 / bins) / n) for q in ((1 - level) / 2, (1 + level) / 2))
    return PitHistogram(
        edges=edges,
        frequency=frequency,
        deviation=float(np.sqrt(np.mean((frequency - 1 / bins) ** 2))),
        expected_deviation=float(np.sqrt((1 - 1 / bins) / (n * bins))),
        low=low,
        high=high,
        level=level,
    )


def _mean_distribution(intervals: Floats, share: Floats, edges: Floats) -> Floats:
    """Return the share of probability below each edge when every case is spread evenly over its interval."""
    low, high = intervals.T
    width = high - low
    below = []
    for edge in edges[1:-1]:
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(width > 0, np.clip((edge - low) / width, 0, 1), low < edge)
        below.append(float(share @ part))
    return np.array([0.0, *below, 1.0])
