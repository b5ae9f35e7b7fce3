"""Would more data help? A power law through scores on shares of the data, as far as it can be trusted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import nnls

from gengap.analysis.inference.over_seeds import NOTHING
from gengap.analysis.tables import IntervalEstimate
from gengap.errors import DataError

Floats = NDArray[np.float64]
Answer = Literal["yes", "hardly", "cannot know"]

FARTHEST = 2.0
"""No power law is believed beyond twice the data."""
LEAST_POINTS = 4
"""A curve of three parameters needs a fourth point before it can be wrong."""
LEAST_SEEDS = 5
BLOCKS = 20
"""Held-out cases are left out in this many blocks to learn what other cases would have said."""
_EXPONENTS = np.geomspace(0.05, 2.0, 75)


@dataclass(frozen=True)
class PowerLaw:
    r"""The score on $n$ cases, $a + b \, n^{-c}$ with $a, b \ge 0$; smaller is better."""

    a: float
    b: float
    c: float

    def __call__(self, n: float) -> float:
        """Score on `n` cases, in units of the number that the law was fitted in."""
        return self.a + self.b * float(np.power(n, -self.c))


def fit_power_law(n: Floats, score: Floats, *, weight: Floats | None = None) -> PowerLaw:
    """Fit a power law by weighted least squares, exactly in `a` and `b` for each exponent of a fine grid.

    Args:
        n: Numbers of cases, shape `(points,)`, best in units of their largest.
        score: Mean scores, shape `(points,)`.
        weight: Weights of the squared residuals; None weighs all alike.

    Example:
        >>> n = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1])
        >>> law = fit_power_law(n, 0.3 + 0.1 * n**-0.5)
        >>> round(law(2), 2)
        0.37
    """
    weight = np.ones_like(score) if weight is None else weight
    power = n[None, :] ** -_EXPONENTS[:, None]
    w = weight / weight.sum()
    mean_power, mean_score = power @ w, float(score @ w)
    spread = ((power - mean_power[:, None]) ** 2) @ w
    slope = np.maximum(((power - mean_power[:, None]) * (score - mean_score)) @ w / spread, 0.0)
    level = mean_score - slope * mean_power
    through_zero = (power * score) @ w / ((power**2) @ w)
    slope, level = np.where(level < 0, through_zero, slope), np.maximum(level, 0.0)
    error = ((score - level[:, None] - slope[:, None] * power) ** 2) @ w
    at = int(np.argmin(error))
    return PowerLaw(float(level[at]), float(slope[at]), float(_EXPONENTS[at]))


@dataclass(frozen=True, eq=False)
class DataValue:
    """What more data are worth, with every reason to doubt it.

    Attributes:
        cases: Number of training cases of every share, ascending, shape `(shares,)`.
        scores: Mean held-out score of every share and seed, shape `(shares, seeds)`.
        law: The power law, in units of all training cases.
        gain: Score now minus score with twice the data; positive is better; with its 95 % interval.
        backtest: What a law fitted up to half of the data predicts for all of them, minus what was seen, with its
            95 % interval; NaN where there are too few shares.
        margin: Gain that would be worth having; None where the user named none.
        answer: `"yes"`, `"hardly"` (the gain is below the margin) or `"cannot know"`.
        sentence: The answer with its reason.
    """

    cases: NDArray[np.int64]
    scores: Floats
    law: PowerLaw
    gain: IntervalEstimate
    backtest: IntervalEstimate
    margin: float | None
    answer: Answer
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def predict(self, multiple: float) -> float:
        """Score expected with `multiple` times the data.

        Raises:
            DataError: More than twice the data: beyond them.
        """
        if not 0 < multiple <= FARTHEST:
            raise DataError(
                f"{multiple:g} times the data is beyond the data: the law is believed up to {FARTHEST:g} times."
            )
        return self.law(multiple)

    def cases_for(self, score: float) -> int | None:
        """Training cases with which `score` is expected; None where that is beyond twice the data."""
        if score <= self.law(FARTHEST):
            return None
        share = (self.law.b / (score - self.law.a)) ** (1 / self.law.c) if self.law.b > 0 else 0.0
        return round(share * int(self.cases[-1]))


def judge_data(
    cases: NDArray[np.int64],
    values: Floats,
    *,
    margin: float | None = None,
    level: float = 0.95,
    folds: tuple[int, int] | None = None,
) -> DataValue:
    r"""Answer "would more data help?" from scores on shares of the training cases.

    A power law is fitted to the means. Its uncertainty has three sources: which seed and subset (whole curves are left
    out, one seed at a time), which held-out cases (left out in 20 blocks), and that there is only one full data set,
    which no resampling within it can show. For the last, the variance between seeds on $n$ of $N$ cases is split into
    $\sigma^2 + v(1/n - 1/N)$, and $v/(2N)$, what twice the data would move, is added: exact for scores that are
    linear in the training cases, else an approximation.

    In a resampled study the value of a seed is the mean over the $K$ folds of a pass, each of which draws $n$ of its
    own $N$ cases, so that the variance between seeds is $(\sigma^2 + v(1/n - 1/N))/K$; and all $M$ cases that there
    are enter a pass, so that what twice of them would move is $v/(2M)$.

    Args:
        cases: Number of training cases of each share, ascending, shape `(shares,)`; the last is all of them.
        values: Held-out score, smaller is better, of each share, seed and unit, shape `(shares, seeds, units)`; the
            subset must have been drawn anew for each seed, and no value may be NaN.
        margin: Gain from twice the data that would be worth having, in the score's units; None answers no "hardly".
        level: Confidence of the intervals.
        folds: Of a resampled study whose seeds are passes: its number of folds, and of all cases.

    Returns:
        The answer. `"cannot know"` where there are fewer than 4 shares or 5 seeds, where the law failed its backtest,
        or where the interval holds both a gain and none.

    Raises:
        DataError: Shapes or order do not fit, or a value is NaN.
    """
    cases, values = np.asarray(cases), np.asarray(values, dtype=np.float64)
    _check(cases, values, margin)
    n, scores = cases / cases[-1], values.mean(axis=-1)
    noise, spread = _noise(n, scores)
    weight = 1 / (noise + spread * (1 / n - 1) + 1e-12 + 1e-6 * float(np.var(scores)))

    def gained(means: Floats) -> float:
        law = fit_power_law(n, means, weight=weight)
        return law(1.0) - law(FARTHEST)

    law = fit_power_law(n, scores.mean(axis=-1), weight=weight)
    one_set = 1.0 if folds is None else folds[0] * float(cases[-1]) / folds[1]
    gain = _interval(gained, values, level=level, more=one_set * spread / FARTHEST)
    half = n <= 0.5 + 1e-9
    testable = int(half.sum()) >= LEAST_POINTS

    def missed(means: Floats) -> float:
        return fit_power_law(n[half], means[half], weight=weight[half])(1.0) - float(means[-1])

    backtest = _interval(missed, values, level=level) if testable else NOTHING
    answer, sentence = _answer(gain, backtest, margin, shares=len(n), seeds=scores.shape[1])
    return DataValue(cases, scores, law, gain, backtest, margin, answer, sentence)


def _answer(
    gain: IntervalEstimate, backtest: IntervalEstimate, margin: float | None, *, shares: int, seeds: int
) -> tuple[Answer, str]:
    shown = f"twice the data would lower the score by {gain.show('.4f')}"
    if shares < LEAST_POINTS or seeds < LEAST_SEEDS:
        return "cannot know", (
            f"Cannot know: a power law needs {LEAST_POINTS} shares and {LEAST_SEEDS} seeds, there are {shares} and "
            f"{seeds}."
        )
    if backtest.low > 0 or backtest.high < 0:
        return "cannot know", (
            "Cannot know: fitted to at most half of the data, the law missed the score on all of them by "
            f"{backtest.show('.4f')}, so its word on more data is not taken."
        )
    tested = "" if np.isnan(backtest.value) else f"; its backtest missed by {backtest.show('.4f')}"
    if margin is not None and gain.high < margin:
        return "hardly", f"Hardly: {shown}, less than the {margin:g} that would matter{tested}."
    if gain.low > (margin or 0.0):
        return "yes", f"Yes: {shown}{tested}. What more than that would bring is beyond the data."
    return "cannot know", f"Cannot know: {shown}, which leaves it open whether that matters{tested}."


def _interval(
    statistic: Callable[[Floats], float], values: Floats, *, level: float, more: float = 0.0
) -> IntervalEstimate:
    """Interval of a statistic of the means: jackknife over seeds plus jackknife over blocks of units."""
    value = statistic(values.mean(axis=(-2, -1)))
    of_seeds = values.mean(axis=-1)
    seeds, units = values.shape[1:]
    if seeds < 2:
        return IntervalEstimate(value, float("nan"), float("nan"))
    total = of_seeds.sum(axis=-1)
    variance = _jackknife([statistic((total - of_seeds[:, s]) / (seeds - 1)) for s in range(seeds)])
    of_units = values.mean(axis=1)
    if units >= 2:
        blocks = np.array_split(np.arange(units), min(BLOCKS, units))
        sums = of_units.sum(axis=-1)
        left = [statistic((sums - of_units[:, one].sum(axis=-1)) / (units - len(one))) for one in blocks]
        variance += _jackknife(left)
    reach = float(stats.t.ppf((1 + level) / 2, seeds - 1)) * np.sqrt(variance + more)
    return IntervalEstimate(value, value - reach, value + reach)


def _jackknife(left_out: list[float]) -> float:
    k = len(left_out)
    return float((k - 1) * np.var(left_out))


def _noise(n: Floats, scores: Floats) -> tuple[float, float]:
    """Split the variance between seeds into noise of the seed and what depends on which cases were drawn."""
    if scores.shape[1] < 2:
        return 0.0, 0.0
    variance = scores.var(axis=-1, ddof=1)
    # the variance of a variance is proportional to its square: weigh by its inverse, smoothed over neighbours
    weight = 1 / (np.convolve(np.pad(variance, 1, mode="edge"), np.ones(3) / 3, mode="valid") + 1e-300)
    basis = np.stack([np.ones_like(n), 1 / n - 1], axis=-1) * weight[:, None]
    noise, spread = nnls(basis, variance * weight)[0]
    return float(noise), float(spread)


def _check(cases: NDArray[np.int64], values: Floats, margin: float | None) -> None:
    if values.ndim != 3 or cases.shape != values.shape[:1] or len(cases) < 2:
        raise DataError(
            "`values` must have the shape (shares, seeds, units) with two shares or more, and `cases` one number per "
            f"share; received {values.shape} and {cases.shape}."
        )
    if not (np.diff(cases) > 0).all() or cases[0] < 1:
        raise DataError(f"`cases` must be positive and ascending, received {cases.tolist()}.")
    if not np.isfinite(values).all():
        raise DataError("`values` must be finite: leave out seeds with a run that diverged.")
    if margin is not None and not margin > 0:
        raise DataError(f"`margin` must be above 0, received {margin!r}.")
