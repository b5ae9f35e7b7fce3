"""The Keras model of a fit: the user's own, what a function of the user's returns, or a small net for flat inputs."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.split import Task
from gengap.errors import DataError, ModelError
from gengap.experiments.table_model import flat_net
from gengap.keras_models.shared_generators import constructors_keyed


def model_of_fit(
    given: Any, x: Any, y: NDArray[Any], *, task: Task, labels: int, model_kwargs: Mapping[str, Any] | None
) -> keras.Model:
    """Return the compiled model that a fit studies.

    Args:
        given: A compiled model; a function of `X, y` and further keywords that returns one, as Keras' own wrappers
            take it (a classifier's `y` is then one-hot); None for a small net.
        x: The inputs of the fit.
        y: Its answers in plain form.
        task: What is predicted.
        labels: Number of labels.
        model_kwargs: Further keywords of the function.

    Raises:
        ModelError: What there is, or what the function returns, is no compiled Keras model.
        DataError: The net for flat inputs is asked for inputs of more axes.
    """
    if given is not None and not isinstance(given, keras.Model) and not callable(given):
        raise ModelError(
            "`model` must be a compiled keras.Model, a function of `X, y` that returns one, or None for a small net; "
            f"received {type(given).__name__}."
        )
    if model_kwargs and (given is None or isinstance(given, keras.Model)):
        raise ModelError("`model_kwargs` are keywords of a function that makes the model: give one as `model`.")
    if isinstance(given, keras.Model):
        return given
    with constructors_keyed():  # Keras draws a seed for every initializer from a generator of the user's
        if given is None:
            return _small_net(x, y, task, labels)
        coded = y if task == "regression" else np.eye(labels, dtype=np.float32)[y]
        made = given(X=x, y=coded, **(model_kwargs or {}))
    if not isinstance(made, keras.Model) or not made.compiled:
        raise ModelError(f"`model` must return a compiled keras.Model; it returned {type(made).__name__}.")
    return made


def _small_net(x: Any, y: NDArray[Any], task: Task, labels: int) -> keras.Model:
    """Return a net of two small layers that standardizes dense features by the cases of this fit."""
    if x.ndim != 2:
        raise DataError(
            f"Without `model` there is a small net for rows of features; inputs of shape {x.shape} need a model."
        )
    return flat_net(x.shape, y, task, labels=labels, first=() if sparse.issparse(x) else (_standardization(x),))


def _standardization(x: NDArray[Any]) -> keras.layers.Layer:
    mean, variance = x.mean(axis=0, dtype=np.float64), x.var(axis=0, dtype=np.float64)
    # a feature that never varies stays at 0 in training, and must not be blown up where it does vary
    return keras.layers.Normalization(mean=mean.tolist(), variance=np.where(variance > 0, variance, 1.0).tolist())
