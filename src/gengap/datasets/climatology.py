"""The forecast of training cases without their features: base rate, label shares, or mean and variance."""

from typing import Any

import numpy as np

from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Split


def climatology(train: Split, kind: OutputKind) -> dict[str, Any]:
    """What a forecast without skill would say: weighted as the scores are that it is held against."""
    y, task, width = np.asarray(scored_answers(train.y, kind)), kind.task, kind.width
    weight = None if train.sample_weight is None else np.asarray(train.sample_weight, dtype=np.float64)
    if task == "multiclass":
        counts = np.bincount(y, weights=weight, minlength=width)
        return {"training_climatology": (counts / counts.sum()).tolist()}
    values = np.asarray(y, dtype=np.float64)
    mean = np.average(values, axis=0, weights=weight)
    if task == "binary":
        return {"training_climatology": float(mean)}
    variance = np.average(np.square(values - mean), axis=0, weights=weight)
    return {"training_climatology": mean.tolist(), "training_variance": variance.tolist()}
