"""What every tracker is told of a study and of each run: parameters, final numbers, curves."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gengap.analysis.cases import CASE_SCORES, held_out, is_reference
from gengap.results.checks import check_is_result

if TYPE_CHECKING:
    from gengap.results import Result

Value = str | int | float | bool


@dataclass(frozen=True, eq=False)
class TrackedRun:
    """One variant with one seed, as trackers keep it.

    Attributes:
        variant: Name of the variant.
        seed: Its seed.
        status: `"completed"`, or a sentence.
        parameters: What it is: variant, seed, remedy, size.
        metrics: Numbers at its end: the score at the best and the last epoch on every split, parameters, seconds.
        curves: Values by epoch (from 1), by name; epochs that were not trained are absent.
    """

    variant: str
    seed: int
    status: str
    parameters: Mapping[str, Value]
    metrics: Mapping[str, float]
    curves: Mapping[str, Mapping[int, float]]

    @property
    def name(self) -> str:
        """A name that people read."""
        return f"{self.variant}, seed {self.seed}"


def tracked_runs(result: "Result") -> Iterator[TrackedRun]:
    """Yield all runs of a result, seed by seed; references of scikit-learn have no curves."""
    scores = _final_scores(result)
    for seed in result.seeds:
        for variant in result.variants:
            yield _run(result, variant, seed, scores)


def study_parameters(result: "Result") -> dict[str, Value]:
    """Return what all runs of a study have in common, flat."""
    check_is_result(result, "tracking")
    told = result.manifest
    facts: dict[str, Any] = {
        "score": told.get("score"),
        "task": told.get("task"),
        "engine": told.get("engine"),
        "primary epoch": (told.get("primary") or {}).get("epoch"),
        "variants": len(result.variants),
        "seeds": len(result.seeds),
        **{f"settings.{name}": value for name, value in (told.get("settings") or {}).items()},
    }
    data = told.get("data") or {}
    facts |= {f"data.{name}": data.get(name) for name in ("name", "n_train", "n_validation", "n_test", "fingerprint")}
    if resampling := told.get("resampling"):
        facts |= {"folds": resampling.get("folds"), "divisions": resampling.get("kind")}
    facts |= {f"version.{name}": value for name, value in (told.get("versions") or {}).items()}
    return {name: _plain(value) for name, value in facts.items() if value not in (None, "", {}, [])}


def study_metrics(result: "Result", names: Mapping[str, str] | None = None) -> dict[str, float]:
    """Return mean and standard deviation over seeds of each variant's final numbers, as `variant/number/mean`.

    Args:
        result: The result.
        names: What variants are called there; None calls them as they are.
    """
    values: dict[str, list[float]] = {}
    for run in tracked_runs(result):
        for name, value in run.metrics.items():
            values.setdefault(f"{(names or {}).get(run.variant, run.variant)}/{name}", []).append(value)
    spread = {name: float(np.std(v, ddof=1)) for name, v in values.items() if len(v) > 1}
    means = {f"{name}/mean": float(np.mean(v)) for name, v in values.items()}
    return means | {f"{name}/sd": value for name, value in spread.items()}


def _run(result: "Result", variant: str, seed: int, scores: Mapping[str, Any]) -> TrackedRun:
    own = result.runs.sel(variant=variant, seed=seed)
    told = (result.manifest.get("variants") or {}).get(variant) or {}
    parameters: dict[str, Value] = {"variant": variant, "seed": seed}
    parameters |= {name: _plain(told[name]) for name in ("remedy", "share", "stopping") if told.get(name) is not None}
    metrics = {name: float(value.sel(variant=variant, seed=seed)) for name, value in scores.items()}
    metrics |= {
        name: float(own[name])
        for name in ("parameters", "best_epoch", "epochs", "seconds", "weight_norm", "sparsity")
        if name in own and own[name].ndim == 0
    }
    history = result.history.sel(variant=variant, seed=seed)
    curves = {} if is_reference(result, variant) else {str(name): _curve(history[name]) for name in history}
    status = str(own["status"].item()) if "status" in own else "completed"
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return TrackedRun(variant, seed, status, parameters, finite, {name: one for name, one in curves.items() if one})


def _curve(values: Any) -> dict[int, float]:
    pairs = zip(values["epoch"].to_numpy().tolist(), values.to_numpy().astype(float).tolist(), strict=True)
    return {int(epoch): value for epoch, value in pairs if math.isfinite(value)}


def _final_scores(result: "Result") -> dict[str, Any]:
    """Return the score of every run over `(variant, seed)`, by split and epoch rule."""
    found = {}
    for split in ("validation", "test"):
        held = held_out(result, split)
        if held is None or result.score not in CASE_SCORES:
            continue
        for rule in ("best", "last"):
            means = [_means(held, variant, rule, result.score) for variant in result.variants]
            found[f"{split}_{result.score}_at_{rule}"] = _over_runs(result, np.stack(means))
    return found


def _means(held: Any, variant: str, rule: Any, score: str) -> Any:
    return np.average(held.scores(held.predictions(variant, rule), score=score), axis=-1, weights=held.weight)


def _over_runs(result: "Result", values: Any) -> Any:
    coordinates = {"variant": list(result.variants), "seed": list(result.seeds)}
    return xr.DataArray(values, dims=("variant", "seed"), coords=coordinates)


def _plain(value: Any) -> Value:
    return value if isinstance(value, str | int | float | bool) else str(value)
