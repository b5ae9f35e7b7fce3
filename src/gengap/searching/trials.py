"""What became of one draw of strengths, and which of many is chosen: the best, and the strongest that is as good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gengap.analysis.cases import EpochRule, Floats, HeldOut, held_out
from gengap.analysis.comparison.estimators import case_values
from gengap.analysis.inference.components import seeds_only, two_way
from gengap.errors import DataError
from gengap.results import Result

State = Literal["complete", "halted", "diverged"]


@dataclass(frozen=True, eq=False)
class Trial:
    """One draw of strengths, trained with every seed of the search.

    Attributes:
        number: Its number, as Optuna counts.
        strengths: The value of every dimension; None is off.
        remedy: The cocktail in written form, the name of its variant; empty where everything is off.
        strength: How strongly it regularizes, from 0 (everything off) to 1, as the mean over the dimensions that do.
        scores: Held-out score of every seed at the declared epoch, shape `(seeds,)`; NaN for a run that diverged.
        epochs: Epochs that it was trained for, in the mean over its runs.
        state: `"complete"`, `"halted"` (others that trained with it were better), or `"diverged"`.
        values: Held-out score of every seed and unit (case, or group of cases), shape `(seeds, units)`.
        curve: Mean held-out score after every epoch that all of its runs have, shape `(epochs,)`.
        of_folds: Mean score of the inner validation of every fold, shape `(folds,)`; empty without folds.
    """

    number: int
    strengths: Mapping[str, Any]
    remedy: str
    strength: float
    scores: Floats
    epochs: float
    state: State
    values: Floats = field(repr=False)
    curve: Floats = field(repr=False)
    of_folds: Floats = field(repr=False)

    @property
    def score(self) -> float:
        """Mean held-out score over the seeds; infinite where a run diverged: luck of the others does not count."""
        return float(self.scores.mean()) if np.isfinite(self.scores).all() else float("inf")

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds; NaN for one."""
        return float(self.scores.std(ddof=1)) if len(self.scores) > 1 else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return the trial as JSON values, without the scores of single cases."""
        return {
            "number": self.number,
            "strengths": dict(self.strengths),
            "remedy": self.remedy,
            "strength": self.strength,
            "scores": [float(one) if np.isfinite(one) else None for one in self.scores],
            "epochs": self.epochs,
            "state": self.state,
        }


def read_trial(
    result: Result, variant: str, rule: EpochRule, *, number: int, strengths: Mapping[str, Any], strength: float
) -> Trial:
    """Read a trial off the result of its round.

    Args:
        result: The round.
        variant: Its variant.
        rule: The declared epoch rule.
        number: Its number.
        strengths: What was drawn.
        strength: How strongly that regularizes.
    """
    held = held_out(result, "validation")
    assert held is not None  # noqa: S101  a search checks that there is a validation split
    score: Any = result.manifest["score"]
    runs = result.runs.sel(variant=variant)
    status = runs["status"].to_numpy().astype(str)
    values = case_values(result, held, variant, rule=rule, score=score)
    lost = np.char.startswith(status, "diverged")
    values = np.where(lost[:, None], np.nan, values)
    curves = result.history["val_score"].sel(variant=variant).to_numpy()
    halted = np.char.startswith(status, "halted").any()
    remedy = "" if variant == result.manifest["baseline"] else variant
    state: State = "diverged" if lost.any() else "halted" if halted else "complete"
    curve = curves.mean(axis=0)
    epochs = float(runs["epochs"].mean())
    means = values.mean(axis=-1)
    curve, folds = curve[np.isfinite(curve)], _of_folds(held, variant, rule, score)
    return Trial(number, strengths, remedy, strength, means, epochs, state, values, curve, folds)


def _of_folds(held: HeldOut, variant: str, rule: EpochRule, score: Any) -> Floats:
    """Return the mean score of each fold's inner validation over seeds, all of which have the same folds."""
    if "fold" not in held.data.coords:
        return np.empty(0)
    fold = held.data["fold"].transpose("seed", "sample").to_numpy()[0]
    losses = held.scores(held.predictions(variant, rule), score=score).mean(axis=0)
    weight = np.ones(len(held)) if held.weight is None else held.weight
    counted = np.bincount(fold, weight)
    return np.asarray(np.bincount(fold, weight * losses) / counted)


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial of best mean score among those that were trained to the end.

    Raises:
        DataError: None was.
    """
    whole = [one for one in trials if one.state == "complete" and np.isfinite(one.score)]
    if not whole:
        raise DataError(
            f"Of {len(trials)} trials none was trained to the end with finite numbers: narrow the space (a smaller "
            "learning rate, say), or train without remedies first."
        )
    return min(whole, key=lambda one: one.score)


def strongest_within(trials: Sequence[Trial], best: Trial) -> Trial:
    """Return the strongest regularization whose score is within one standard error of the best one's.

    The standard error is that of the paired difference, for new seeds and new cases (`two_way`): trials share both.
    With a single seed, cases alone are random; with as many as one unit, seeds alone.

    Args:
        trials: All trials.
        best: The best of them.

    References:
        Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees, section 3.4.3.
    """
    whole = [one for one in trials if one.state == "complete" and np.isfinite(one.score)]
    near = [one for one in whole if one is best or _within(one, best)]
    return min(near, key=lambda one: (-round(one.strength, 6), one.score))


def _within(trial: Trial, best: Trial) -> bool:
    difference = trial.values - best.values
    if not np.any(difference):
        return True
    return float(difference.mean()) <= standard_error(difference)


def standard_error(difference: Floats) -> float:
    """Return the standard error of the mean of paired differences, shape `(seeds, units)`; 0 where nothing varies."""
    seeds, units = difference.shape
    if seeds == 1 and units == 1:
        return 0.0
    if seeds == 1:
        return float(difference.std(ddof=1) / np.sqrt(units))
    estimate = two_way(difference) if units > 1 else seeds_only(difference[:, 0])
    return float(estimate.se)
