"""Three cases that tell what an uncertainty is worth: sure and right, sure and wrong, unsure."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.uncertainty import PredictiveDistribution, RateChoice
from gengap.datasets.cases import take
from gengap.datasets.split import Dataset
from gengap.sampling import choose_rate, predict_distribution

if TYPE_CHECKING:
    from gengap.results import Result

KINDS = ("sure_right", "sure_wrong", "unsure")
"""What the three cases are cases of, in the order of `telling_cases`."""

NOISY = ("dropout", "gaussian")


@dataclass(frozen=True, eq=False)
class CaseStudy:
    """What dropout at inference says about single cases of a study.

    Attributes:
        variant: The variant whose median run was asked.
        cases: Positions of the three cases in the test split.
        distribution: Their predictive distribution.
        choice: The inference rate chosen on validation and judged on test.
    """

    variant: str
    cases: NDArray[np.int64]
    distribution: PredictiveDistribution
    choice: RateChoice


def telling_cases(y_true: NDArray[np.int64], probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the positions of the surest right, the surest wrong and the least sure forecast.

    Args:
        y_true: 0/1, shape `(n,)`.
        probability: Probability of label 1, shape `(n,)`.

    Example:
        >>> telling_cases(np.array([1, 1, 0, 0]), np.array([0.9, 0.1, 0.2, 0.51]))
        array([0, 1, 3])
    """
    sure = np.abs(probability - 0.5)
    right = (probability > 0.5) == (y_true == 1)
    return np.array([np.argmax(np.where(right, sure, -1)), np.argmax(np.where(right, -1, sure)), np.argmin(sure)])


def study_cases(result: "Result", data: Dataset, *, num_members: int = 1000) -> CaseStudy | None:
    """Ask the best variant with dropout about three test cases, and choose its inference rate on validation.

    Args:
        result: A study of a binary task with a test split.
        data: Its data set.
        num_members: Members of each distribution.

    Returns:
        None where no variant has noise, the task is not binary, or there is no test split.
    """
    noisy = [name for name in result.variants if any(word in name for word in NOISY)]
    if result.task != "binary" or data.test is None or not noisy or "val_score" not in result.history:
        return None
    variant = min(noisy, key=lambda name: float(result.history["val_score"].sel(variant=name).mean("seed").min()))
    seed = result.median_seed(variant)
    forecast = result.test["prediction_best"].sel(variant=variant, seed=seed).to_numpy().astype(np.float64)
    cases = telling_cases(np.asarray(data.test.y).ravel(), forecast)
    model = result.model(variant, seed=seed)
    distribution = predict_distribution(model, take(data.test.x, cases), num_members=num_members, progress=False)
    distribution = _named(distribution, variant, cases)
    others = result.test["prediction_best"].sel(variant=variant).drop_sel(seed=seed).to_numpy()
    choice = choose_rate(
        model, data.validation, test_data=data.test, other_seeds=others if len(others) else None, progress=False
    )
    return CaseStudy(variant, cases, distribution, choice)


def _named(distribution: PredictiveDistribution, variant: str, cases: NDArray[np.int64]) -> PredictiveDistribution:
    """Say which variant was asked about which cases of the test split: a report shows what happened to them."""
    return replace(
        distribution,
        members=distribution.members.assign_coords(sample=cases),
        deterministic=distribution.deterministic.assign_coords(sample=cases),
        settings={**distribution.settings, "variant": variant, "part": "test", "kinds": list(KINDS)},
    )
