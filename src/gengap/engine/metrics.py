"""Keras' metrics of K runs, once per epoch on stored predictions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.engine.compiled import CompiledMetric, compiled_metrics, has_metrics, named_values
from gengap.engine.probe import SampleWise


class Metrics:
    """The metrics of each run.

    Args:
        model: A compiled model of the runs, which share their metrics; its metric objects are used.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._metrics: list[tuple[CompiledMetric, SampleWise | None]] | None = None

    @property
    def wanted(self) -> bool:
        """Whether the model was compiled with metrics."""
        return has_metrics(self._model)

    @torch.no_grad()
    def values(
        self, y_true: Sequence[Any], y_pred: Any, sample_weight: torch.Tensor | None
    ) -> dict[str, NDArray[np.float64]]:
        """Return each metric by Keras' name, one number per run, `(K,)`.

        Args:
            y_true: Flat answers, `(K, n, ...)`.
            y_pred: Outputs `(K, n, ...)` in the model's structure.
            sample_weight: What each case counts, `(K, n)`, or None.
        """
        if self._metrics is None:
            first = tree.map_structure(lambda value: value[0], y_pred)
            listed = compiled_metrics(self._model, [None if one is None else one[0] for one in y_true], first)
            self._metrics = [(one, _mean_of(one.metric)) for one in listed]
        outputs = tree.flatten(y_pred)
        results: dict[str, NDArray[np.float64]] = {}
        for one, mean in self._metrics:
            weight = sample_weight if one.weighted else None
            results |= _all_runs(one, mean, y_true[one.output], outputs[one.output], weight)
        return results


def _all_runs(
    one: CompiledMetric, mean: SampleWise | None, y_true: Any, y_pred: Any, weight: torch.Tensor | None
) -> dict[str, NDArray[np.float64]]:
    if mean is not None:
        sane = y_pred.isfinite().flatten(1).all(dim=1)  # a run that has diverged; torch's losses raise for NaN
        safe = torch.where(sane.view(-1, *[1] * (y_pred.ndim - 1)), y_pred, torch.full_like(y_pred, 0.5))
        values = mean(y_true, safe)
        values = torch.where(sane.view(-1, *[1] * (values.ndim - 1)), values.float(), torch.nan)
        if mean.folds:
            per_case = values.float().flatten(2).mean(dim=2) if values.ndim > 2 else values.float()
            if weight is None:
                return {one.name: _numbers(per_case.mean(dim=1))}
            return {one.name: _numbers((per_case * weight).sum(dim=1) / weight.sum(dim=1))}
    results: list[dict[str, float]] = []
    for k in range(y_pred.shape[0]):
        if not bool(y_pred[k].isfinite().all()):
            results.append({})  # a run that has diverged; Keras' metrics may raise for it
            continue
        one.metric.reset_state()
        if one.weighted:
            one.metric.update_state(y_true[k], y_pred[k], None if weight is None else weight[k])
        else:
            one.metric.update_state(y_true[k], y_pred[k])
        results.append(named_values(one.name, one.metric.result()))
    one.metric.reset_state()
    names = next((list(one) for one in results if one), [one.name])
    return {name: np.array([of_run.get(name, np.nan) for of_run in results]) for name in names}


def _mean_of(metric: Any) -> SampleWise | None:
    """Return the function whose mean a metric is; None for metrics that are more than a mean."""
    wrapper = keras.metrics.MeanMetricWrapper
    if not isinstance(metric, wrapper) or type(metric).update_state is not wrapper.update_state:
        return None
    if type(metric).result is not wrapper.result:
        return None
    return SampleWise(partial(metric._fn, **metric._fn_kwargs))  # noqa: SLF001  the wrapper has no public name for it


def _numbers(values: torch.Tensor) -> NDArray[np.float64]:
    return values.cpu().numpy().astype(np.float64)
