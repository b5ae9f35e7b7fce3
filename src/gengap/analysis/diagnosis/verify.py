"""Scores of every run of a result, with its names: `gg.verify(result)`."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from gengap.errors import DataError, UnknownNameError
from gengap.results import EpochRule, Result
from gengap.verification import (
    absolute_error,
    brier_score,
    brier_skill_score,
    log_loss,
    roc_auc,
    squared_error,
    squared_error_skill_score,
)
from gengap.verification.decomposition import corp_decomposition

_BINARY = {"brier_score": brier_score, "log_loss": log_loss, "roc_auc": roc_auc}
_MULTICLASS = {"brier_score": brier_score, "log_loss": log_loss}
_REGRESSION = {"squared_error": squared_error, "absolute_error": absolute_error}
_PLAIN: Mapping[str, Mapping[str, Callable[..., float]]] = {
    "binary": _BINARY,
    "multiclass": _MULTICLASS,
    "regression": _REGRESSION,
}


def verify(
    result: Result,
    *,
    split: Literal["validation", "test"] | None = None,
    epoch: EpochRule | None = None,
    climatology: Literal["training", "evaluation"] | None = None,
) -> xr.Dataset:
    """Score the held-out predictions of every run.

    Args:
        result: What a study left.
        split: Which held-out cases; None for test where there is one, else validation (which chose the epochs, and so
            flatters).
        epoch: Predictions of the best or of the last epoch; None for the rule that the study declared.
        climatology: Whether skill is measured against the base rate (or mean) of the training data or of the evaluated
            cases; None for training where the result knows it.

    Returns:
        A Dataset with dims `variant, seed` and a variable per score: for a binary task `brier_score`, `log_loss`,
        `roc_auc`, `brier_skill_score`, `miscalibration` and `discrimination` (CORP, of the Brier score); for labels
        `brier_score`, `log_loss`, `brier_skill_score`, `accuracy`; for real numbers `squared_error`, `absolute_error`,
        `squared_error_skill_score`. Diverged runs are NaN. Attributes name split, epoch rule and climatology. Of a
        resampled study a seed is a pass over all cases; `roc_auc`, `miscalibration` and `discrimination` are computed
        within each fold and averaged, and the training climatology of a case is that of its fold.

    Raises:
        UnknownNameError: The result has no such split.
        DataError: The training climatology is asked for, but the result does not hold it.
    """
    name, part = _held_out(result, split)
    rule = epoch or result.manifest.get("primary", {}).get("epoch", "best")
    y_true, prediction = part["y_true"], part[f"prediction_{rule}"]
    weight = part.coords.get("sample_weight")
    known = result.manifest.get("data", {}).get("training_climatology")
    kind = climatology or ("evaluation" if known is None else "training")
    if "fold" in part.coords:
        return _of_folds(result, part, rule, {"split": name, "epoch": rule, "climatology": kind})
    if kind == "training" and known is None:
        raise DataError('The result does not hold the training climatology; use `climatology="evaluation"`.')
    reference = np.asarray(known, dtype=np.float64) if kind == "training" else None
    scores: dict[str, Any] = {
        score: function(y_true, prediction, sample_weight=weight) for score, function in _PLAIN[result.task].items()
    }
    skill = squared_error_skill_score if result.task == "regression" else brier_skill_score
    scores[skill.__name__] = skill(y_true, prediction, climatology=reference, sample_weight=weight)
    if result.task == "binary":
        scores |= _corp(y_true, prediction, weight)
    if result.task == "multiclass":
        scores["accuracy"] = _accuracy(y_true, prediction, weight)
    attributes = {"split": name, "epoch": rule, "climatology": kind}
    return xr.Dataset({score: values.rename(score) for score, values in scores.items()}, attrs=attributes)


def _of_folds(result: Result, part: xr.Dataset, rule: str, attributes: Mapping[str, str]) -> xr.Dataset:
    """Score the passes of a resampled study: what sorts forecasts within each fold, the rest over all cases."""
    part, fold = part.drop_vars("fold"), part["fold"]
    y_true, prediction = part["y_true"], part[f"prediction_{rule}"]
    weight = part.coords.get("sample_weight")
    scores: dict[str, Any] = {
        score: function(y_true, prediction, sample_weight=weight)
        for score, function in _PLAIN[result.task].items()
        if score != "roc_auc"
    }
    regression = result.task == "regression"
    skill, of = ("squared_error_skill_score", squared_error) if regression else ("brier_skill_score", brier_score)
    if attributes["climatology"] == "training":
        reference: Any = of(y_true, part["climatology"], sample_weight=weight)
        scores[skill] = 1 - scores[of.__name__] / reference.where(reference > 0)
    else:
        whole = squared_error_skill_score if regression else brier_skill_score
        scores[skill] = whole(y_true, prediction, sample_weight=weight)
    if result.task == "binary":
        scores |= _within_folds(y_true, prediction, fold, weight)
    if result.task == "multiclass":
        scores["accuracy"] = _accuracy(y_true, prediction, weight)
    return xr.Dataset({score: values.rename(score) for score, values in scores.items()}, attrs=dict(attributes))


def _within_folds(
    y_true: xr.DataArray, prediction: xr.DataArray, folds: xr.DataArray, weight: xr.DataArray | None
) -> dict[str, xr.DataArray]:
    """Return AUC and the parts of the Brier score as means over the folds of each pass; NaN where one has one label."""

    def of_pass(forecast: Any, fold: Any) -> Any:
        found = []
        for place in np.unique(fold):
            mine = fold == place
            own = None if weight is None else weight.values[mine]
            y, p = y_true.values[mine], forecast[mine]
            if np.isnan(p).any() or len(np.unique(y)) < 2:
                return np.nan, np.nan, np.nan
            corp = corp_decomposition(y, p, sample_weight=own)
            found.append((roc_auc(y, p, sample_weight=own), corp.miscalibration, corp.discrimination))
        return tuple(np.mean(found, axis=0))

    arrays = xr.apply_ufunc(
        of_pass,
        prediction,
        folds.drop_vars("fold"),
        input_core_dims=[["sample"], ["sample"]],
        output_core_dims=[[], [], []],
        vectorize=True,
    )
    return dict(zip(("roc_auc", "miscalibration", "discrimination"), arrays, strict=True))


def _accuracy(y_true: xr.DataArray, prediction: xr.DataArray, weight: xr.DataArray | None) -> xr.DataArray:
    right = (prediction.argmax("label") == y_true).where(prediction.notnull().all("label"))
    return (right if weight is None else right.weighted(weight)).mean("sample")


def _held_out(result: Result, split: str | None) -> tuple[str, xr.Dataset]:
    splits = result.splits
    name = split or ("test" if "test" in splits else "validation")
    if name not in splits:
        raise UnknownNameError(f"The result has no {name} split; it has {', '.join(splits) or 'none'}.")
    return name, splits[name]


def _corp(y_true: xr.DataArray, prediction: xr.DataArray, weight: xr.DataArray | None) -> dict[str, xr.DataArray]:
    def parts(forecast: Any) -> Any:
        if np.isnan(forecast).any():
            return np.nan, np.nan
        found = corp_decomposition(y_true.values, forecast, sample_weight=None if weight is None else weight.values)
        return found.miscalibration, found.discrimination

    miscalibration, discrimination = xr.apply_ufunc(
        parts, prediction, input_core_dims=[["sample"]], output_core_dims=[[], []], vectorize=True
    )
    return {"miscalibration": miscalibration, "discrimination": discrimination}
