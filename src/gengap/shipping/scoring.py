"""What is shipped, scored on the study's held-out cases from the forecasts that the study kept."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import HeldOut
from gengap.analysis.comparison.estimators import SCORES_OF, SKILL_SCORE, larger_is_better
from gengap.errors import DataError
from gengap.shipping.card import ShownScore
from gengap.shipping.choice import Chosen
from gengap.verification.recalibration import Temperature
from gengap.verification.scores import score_interval


def fitted_temperature(chosen: Chosen) -> float:
    """Fit the temperature of the shipped forecast on the validation cases.

    Raises:
        DataError: The task has no probabilities, or there are no validation forecasts.
    """
    if chosen.result.task == "regression":
        raise DataError("A temperature tempers probabilities, and this is a regression: leave `temperature` out.")
    held = next((one for one in chosen.held() if one.part == "validation"), None)
    if held is None:
        raise DataError(
            "A temperature is fitted on validation cases, and this result holds no forecasts of any: leave "
            "`temperature` out, or give the study `validation_data`."
        )
    return Temperature.fit(held.y_true, chosen.forecast(held), sample_weight=held.weight).temperature


def shown_scores(chosen: Chosen, temperature: float | None) -> tuple[ShownScore, ...]:
    """All scores of the task of what is shipped, each with its interval over new cases.

    They are read on test, or where there is none on validation; with a temperature also before it, for comparison.
    """
    held = chosen.held()[0]
    forecast = chosen.forecast(held)
    found = list(_scores(chosen, held, forecast, "as trained"))
    if temperature is not None:
        found += _scores(chosen, held, Temperature(temperature).apply(forecast), "with temperature")
    return tuple(found)


def _scores(chosen: Chosen, held: HeldOut, forecast: NDArray[Any], what: str) -> list[ShownScore]:
    found = []
    for score in SCORES_OF[held.task]:
        options: dict[str, Any] = {}
        if score == SKILL_SCORE[held.task]:
            options["climatology"] = chosen.result.manifest.get("data", {}).get("training_climatology")
        try:
            one = score_interval(
                held.y_true, forecast, score=score, groups=held.group, sample_weight=held.weight, **options
            )
        except DataError:  # a score that these cases do not define, as AUC of one label
            continue
        if np.isfinite(one.value):
            found.append(
                ShownScore(score, held.part, what, one.value, one.low, one.high, one.caution, larger_is_better(score))
            )
    return found
