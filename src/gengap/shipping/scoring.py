"""What is shipped, scored on the study's held-out cases from the forecasts that the study kept."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import HeldOut, primary_score
from gengap.analysis.comparison.contrasts import estimates_with_skewness, pair
from gengap.analysis.comparison.estimators import (
    SCORES_OF,
    SKILL_SCORE,
    ScoreName,
    case_values,
    convention_of,
    larger_is_better,
)
from gengap.analysis.inference.over_seeds import NOTHING, as_estimate
from gengap.errors import DataError
from gengap.results.resampled import resampling_of
from gengap.shipping.card import ShownScore
from gengap.shipping.card_words import CardLanguage, name_of, say
from gengap.shipping.choice import Chosen
from gengap.verification.recalibration import Temperature
from gengap.verification.scores import score_interval


def fitted_temperature(chosen: Chosen) -> float:
    """Fit the temperature of the shipped forecast on the validation cases; out of fold in a resampled study.

    There every case is forecast by a run that has not seen it, and nothing but the variant was chosen on these
    forecasts.

    Raises:
        DataError: The task has no probabilities, or there are no validation forecasts.
    """
    if chosen.result.task == "regression":
        raise DataError("A temperature tempers probabilities, and this is a regression: leave `temperature` out.")
    part = "validation" if resampling_of(chosen.result) is None else "test"
    held = next((one for one in chosen.held() if one.part == part), None)
    if held is None:
        raise DataError(
            "A temperature is fitted on validation cases, and this result has no forecasts of any: leave "
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


def out_of_fold(chosen: Chosen, lang: CardLanguage) -> str:
    """Say what the runs of the folds scored on the cases that they had not seen, which is what a reader may expect."""
    result, held = chosen.result, chosen.held()[0]
    score = cast("ScoreName", primary_score(result))
    values = case_values(result, held, chosen.variant, rule=chosen.rule, score=score)
    resampled = resampling_of(result)
    assert resampled is not None  # noqa: S101  only resampled studies are asked
    passes, own = resampled.kind == "passes", (chosen.variant, chosen.rule)
    rho = convention_of(result, held, (own, own), score=score) if passes else None
    family = [pair(chosen.variant, chosen.rule, values, np.zeros_like(values), new_cases=True, rho=rho)]
    [estimate] = estimates_with_skewness(family)
    mean = float(np.nanmean(values))
    told = NOTHING if estimate is None else as_estimate(estimate, 0.05)
    known = bool(np.isfinite([told.low, told.high]).all())
    return say(
        lang,
        "out_of_fold",
        sizes=resampled.sizes,
        cases=resampled.cases,
        score=name_of(lang, score) if lang == "zh" else score,
        mean=mean,
        reach=say(lang, "reach", low=told.low, high=told.high) if known else "",
        given=say(lang, "given.new") if passes else say(lang, "given.these", folds=resampled.folds),
    )
