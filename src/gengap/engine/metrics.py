"""Keras' metrics of K runs, once per epoch on stored predictions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.keras_models.compile_state import CompiledMetric, compiled_metrics, has_metrics, named_values
from gengap.keras_models.private import function_and_options, is_keras_own
from gengap.keras_models.separability import is_separate
from gengap.layers.probe import PerRun


class Metrics:
    """The metrics of each run.

    Args:
        model: A compiled model of the runs, which share their metrics; its metric objects are used.
        batch_size: Cases of a batch. Metrics that are not Keras' own may look at a batch as a whole: they see the
            batches of the training.
    """

    def __init__(self, model: keras.Model, batch_size: int) -> None:
        self._model, self._batch_size = model, batch_size
        self._metrics: list[tuple[CompiledMetric, PerRun | None]] | None = None

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
            results |= self._all_runs(one, mean, y_true[one.output], outputs[one.output], weight)
        return results

    def _all_runs(
        self, one: CompiledMetric, mean: PerRun | None, y_true: Any, y_pred: Any, weight: torch.Tensor | None
    ) -> dict[str, NDArray[np.float64]]:
        if mean is not None and y_pred.ndim > 2:
            values = mean(y_true, y_pred)
            per_case = values.float().flatten(2).mean(dim=2) if values.ndim > 2 else values.float()
            if weight is None:
                return {one.name: _numbers(per_case.mean(dim=1))}
            return {one.name: _numbers((per_case * weight).sum(dim=1) / weight.sum(dim=1))}
        size = y_pred.shape[1] if adds_up(one.metric) else self._batch_size
        return _run_by_run(one, y_true, y_pred, weight, size)


def adds_up(metric: Any) -> bool:
    """Tell whether a metric of Keras' own comes to the same whatever batches it is given the cases in."""
    function, options = function_and_options(metric)  # a mean over cases of what a function says of each
    own = is_keras_own(metric)
    return own and (function is None or is_separate(function, options))


def _run_by_run(
    one: CompiledMetric, y_true: Any, y_pred: Any, weight: torch.Tensor | None, size: int
) -> dict[str, NDArray[np.float64]]:
    results: list[dict[str, float]] = []
    for k in range(y_pred.shape[0]):
        if not bool(y_pred[k].isfinite().all()):
            results.append({})  # a run that has diverged; Keras' metrics may raise for it
            continue
        one.metric.reset_state()
        for start in range(0, y_pred.shape[1], size):
            batch = slice(start, start + size)
            if one.weighted:
                one.metric.update_state(
                    y_true[k, batch], y_pred[k, batch], None if weight is None else weight[k, batch]
                )
            else:
                one.metric.update_state(y_true[k, batch], y_pred[k, batch])
        results.append(named_values(one.name, one.metric.result()))
    one.metric.reset_state()
    names = next((list(one) for one in results if one), [one.name])
    return {name: np.array([of_run.get(name, np.nan) for of_run in results]) for name in names}


def _mean_of(metric: Any) -> PerRun | None:
    """Return the function of Keras' whose mean over samples a metric is; None for all others."""
    wrapper = keras.metrics.MeanMetricWrapper
    if not isinstance(metric, wrapper) or type(metric).update_state is not wrapper.update_state:
        return None
    if type(metric).result is not wrapper.result:
        return None
    function, options = function_and_options(metric)
    return PerRun(partial(function, **options), separate=True) if is_separate(function, options) else None


def _numbers(values: torch.Tensor) -> NDArray[np.float64]:
    return values.cpu().numpy().astype(np.float64)
