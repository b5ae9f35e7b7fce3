"""What was fitted to training cases, put in front of a model as layers that Keras holds on every backend."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from gengap.datasets.table_encoder import TableEncoder
from gengap.errors import ModelError

_COARSE = 1000.0
"""Means beyond so many deviations lose digits in float32, which are kept by an encoder outside (in float64)."""
_LARGEST = 1e18
"""Squares of larger deviations, which `Normalization` is given, leave float32."""


def held_by_keras(encoder: TableEncoder | None) -> bool:
    """Tell whether a fitted table encoder can be layers: all its columns are numbers, and float32 keeps them apart."""
    if encoder is None or encoder.layout != "matrix":
        return False
    learned = encoder.learned_.values()
    numbers = all(one.kind == "numbers" for one in encoder.declared_.values())
    return numbers and all(_in_float32(one.mean, one.deviation) for one in learned)


def _in_float32(mean: float, deviation: float) -> bool:
    # Normalization divides by no deviation below epsilon
    return abs(mean) <= _COARSE * deviation and keras.config.epsilon() <= deviation <= _LARGEST


def with_encoder(model: keras.Model, encoder: TableEncoder) -> keras.Model:
    """Return the model with a table encoder in front, as `held_by_keras` lets through.

    It takes the raw numbers of the columns in their order, NaN for a blank: standardized, blanks replaced by the mean
    and marked where the training table had some; a blank in another column makes the forecast NaN.
    """
    learned, declared = list(encoder.learned_.values()), list(encoder.declared_.values())
    rows = keras.Input((len(learned),), dtype="float32", name="columns")
    scaled = _normalization([one.mean for one in learned], [one.deviation for one in learned])(rows)
    gaps = [place for place, one in enumerate(declared) if one.blanks]
    if not gaps:
        return _joined(rows, scaled, model)
    some = keras.ops.take(scaled, gaps, axis=-1)
    absent = keras.ops.isnan(some)
    filled = keras.ops.where(absent, 0.0, some)
    whole = keras.ops.concatenate([scaled, filled, keras.ops.cast(absent, "float32")], axis=-1)
    return _joined(rows, keras.ops.take(whole, _order(declared, gaps), axis=-1), model)


def _order(declared: list[Any], gaps: list[int]) -> list[int]:
    """Where each column of the encoder's matrix stands among scaled, filled and marks."""
    order, count = [], len(declared)
    for place in range(count):
        if place in gaps:
            order += [count + gaps.index(place), count + len(gaps) + gaps.index(place)]
        else:
            order.append(place)
    return order


def check_front(preprocess: Any) -> None:
    """Check that what a study fitted as `preprocess` can be a part of a model, or be kept beside one.

    Raises:
        ModelError: It can be neither.
    """
    if isinstance(preprocess, keras.layers.Normalization | TableEncoder) or _is_scaler(preprocess):
        return
    raise ModelError(
        f"{type(preprocess).__name__} cannot be a layer that Keras holds on every backend, as Normalization and "
        "StandardScaler can: fit it on all cases yourself, train the variant on what it gives, and keep both."
    )


def _is_scaler(fitted: Any) -> bool:
    return type(fitted).__name__ == "StandardScaler" and type(fitted).__module__.startswith("sklearn.")


def with_preprocess(model: keras.Model, fitted: Any, shape: tuple[int, ...]) -> keras.Model:
    """Return the model with what a study fitted as `preprocess` in front.

    Args:
        model: The model.
        fitted: A `keras.layers.Normalization` or a `StandardScaler` of scikit-learn, fitted; see `check_front`.
        shape: Shape of a case's raw inputs.

    Raises:
        ModelError: A scaler has a mean or deviation that a layer in float32 cannot apply.
    """
    rows = keras.Input(shape, dtype="float32", name="raw_inputs")
    if isinstance(fitted, keras.layers.Normalization):
        return _joined(rows, _again(fitted)(rows), model)
    mean = np.asarray(fitted.mean_ if fitted.with_mean else np.zeros(shape[-1])).tolist()
    deviation = np.asarray(fitted.scale_ if fitted.with_std else np.ones(shape[-1])).tolist()
    for place in np.flatnonzero(fitted.var_) if fitted.with_std else ():
        if not _in_float32(mean[place], deviation[place]):
            raise ModelError(
                f"Feature {place} (mean {mean[place]:.6g}, standard deviation {deviation[place]:.6g}) cannot be "
                "standardized by a layer in 32-bit floats as StandardScaler does it in 64: bring it to another unit, "
                "or subtract a constant, before the study."
            )
    return _joined(rows, _normalization(mean, deviation)(rows), model)


def _normalization(mean: list[float], deviation: list[float]) -> Any:
    variance = [one**2 for one in deviation]
    return keras.layers.Normalization(axis=-1, mean=mean, variance=variance, name="standardized")


def _again(layer: Any) -> Any:
    """A layer of its own that is given the adapted numbers, so that the user's is part of no graph."""
    config: Mapping[str, Any] = {**layer.get_config(), "name": "standardized"}
    if config.get("mean") is None:
        mean, variance = layer.get_weights()[:2]  # what `adapt` left, of the shape that the arguments have
        config = {**config, "mean": mean.tolist(), "variance": variance.tolist()}
    return type(layer).from_config(config)


def _joined(rows: Any, encoded: Any, model: keras.Model) -> keras.Model:
    return keras.Model(rows, model(encoded), name="shipped")
