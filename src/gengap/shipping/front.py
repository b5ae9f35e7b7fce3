"""What was fitted to training cases, put in front of a model as layers that Keras holds on every backend."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from gengap.datasets.encoded_columns import YEAR
from gengap.datasets.raw_columns import in_float32, raw_numbers
from gengap.datasets.table_encoder import TableEncoder
from gengap.errors import ModelError
from gengap.keras_models.always_noisy import input_like


def with_encoder(model: keras.Model, encoder: TableEncoder) -> keras.Model:
    """Return the model with a fitted table encoder in front, as layers.

    It takes `encoder.numbers(rows)`: one array `columns` with a number a column, NaN for a blank; or of an encoder
    with `layout="columns"` one input a column, by its name. Numbers are standardized, codes of words become columns
    (`CategoryEncoding`) or reach the model's inputs as they are (for an `Embedding`), days and times become sine and
    cosine, blanks are filled and marked where the training table had some; a blank in another column makes the
    forecast NaN, and among words is an unknown one.
    """
    if encoder.layout == "columns":
        return _by_column(model, encoder)
    rows = keras.Input((len(encoder.raw_columns),), dtype="float32", name="columns")
    return _joined(rows, _shaped(_matrix(rows, encoder), model.inputs[0].shape[1:]), model)


def _by_column(model: keras.Model, encoder: TableEncoder) -> keras.Model:
    """One input a column, named as the model's own, which may take fewer than the encoder has."""
    rows, encoded = {}, {}
    for wanted in model.inputs:
        name = wanted.name
        declared, learned = encoder.declared_[name], encoder.learned_[name]
        if declared.kind == "words":
            rows[name] = encoded[name] = input_like(wanted)
            continue
        rows[name] = keras.Input((len(raw_numbers(name, declared, learned)),), dtype="float32", name=name)
        made = (
            _numbers(rows[name], [declared], [learned])[0]
            if declared.kind == "numbers"
            else _waves(rows[name], declared)
        )
        encoded[name] = _shaped(made, wanted.shape[1:])
    return _joined(rows, encoded, model)


def _matrix(rows: Any, encoder: TableEncoder) -> Any:
    """The encoder's matrix: numbers of all columns at once, words and times column by column, then in its order."""
    raw, blocks, places = [one.column for one in encoder.raw_columns], [], []
    numbers = [name for name, one in encoder.declared_.items() if one.kind == "numbers"]
    if numbers:
        block, gaps = _numbers(
            _taken(rows, [raw.index(name) for name in numbers]),
            [encoder.declared_[name] for name in numbers],
            [encoder.learned_[name] for name in numbers],
        )
        blocks.append(block)
        places += [(name, 0) for name in numbers] + [(numbers[gap], 1) for gap in gaps]
    for number, (name, declared) in enumerate(encoder.declared_.items(), 1):
        if declared.kind == "numbers":
            continue
        one = _taken(rows, [place for place, column in enumerate(raw) if column == name])
        words = declared.kind == "words"
        blocks.append(
            _one_hot(one, declared, encoder.learned_[name], f"words_{number}") if words else _waves(one, declared)
        )
        places += [(name, place) for place in range(blocks[-1].shape[-1])]
    whole = blocks[0] if len(blocks) == 1 else keras.ops.concatenate(blocks, axis=-1)
    names = list(encoder.declared_)
    order = sorted(range(len(places)), key=lambda place: (names.index(places[place][0]), places[place][1]))
    return whole if order == sorted(order) else _taken(whole, order)


def _taken(rows: Any, places: list[int]) -> Any:
    return rows if places == list(range(rows.shape[-1])) else keras.ops.take(rows, places, axis=-1)


def _numbers(rows: Any, declared: list[Any], learned: list[Any]) -> tuple[Any, list[int]]:
    """Standardized numbers, blanks filled, with a mark of each behind where there may be some; and which have one."""
    told = [(0.0, 1.0) if not in_float32(one.mean, one.deviation) else (one.mean, one.deviation) for one in learned]
    scaled = _normalization([mean for mean, _ in told], [deviation for _, deviation in told], rows)
    gaps = [place for place, one in enumerate(declared) if one.blanks]
    if not gaps:
        return scaled, gaps
    some = _taken(scaled, gaps)
    absent = keras.ops.isnan(some)
    whole = keras.ops.concatenate(
        [scaled, keras.ops.where(absent, 0.0, some), keras.ops.cast(absent, "float32")], axis=-1
    )
    count = len(declared)
    filled = [count + gaps.index(place) if place in gaps else place for place in range(count)]
    return _taken(whole, [*filled, *range(count + len(gaps), count + 2 * len(gaps))]), gaps


def _one_hot(codes: Any, declared: Any, learned: Any, name: str) -> Any:
    """A column for each word, and one for blanks where there may be some; unknown codes are 0 in all of them."""
    blank = float(declared.size + 1 if declared.blanks else 0)
    known = keras.ops.logical_and(codes >= 1.0, codes <= float(len(learned.words)))
    codes = keras.ops.where(keras.ops.isnan(codes), blank, keras.ops.where(known, codes, 0.0))
    tokens = declared.size + 1 + int(declared.blanks)
    hot = keras.layers.CategoryEncoding(tokens, output_mode="one_hot", name=name, dtype="float32")(
        keras.ops.cast(codes, "int32")
    )
    return _taken(keras.ops.cast(hot, "float32"), list(range(1, tokens)))


def _waves(turns: Any, declared: Any) -> Any:
    """Sine and cosine of the day of the year and of the time of day, blanks filled and marked."""
    waves = []
    for place, length in enumerate((YEAR, 1.0)[: 1 + declared.hours]):
        angle = _taken(turns, [place]) * (2 * math.pi / length)
        waves += [keras.ops.sin(angle), keras.ops.cos(angle)]
    if not declared.blanks:
        return keras.ops.concatenate(waves, axis=-1)
    absent = keras.ops.isnan(_taken(turns, [0]))
    filled = [keras.ops.where(absent, 0.0, wave) for wave in waves]
    return keras.ops.concatenate([*filled, keras.ops.cast(absent, "float32")], axis=-1)


def _shaped(encoded: Any, wanted: tuple[int | None, ...]) -> Any:
    """Encoded rows in the shape that a model takes."""
    flat = (encoded.shape[-1],)
    return encoded if tuple(wanted) in {flat, (None,)} else keras.layers.Reshape(wanted, dtype="float32")(encoded)


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
        if not in_float32(mean[place], deviation[place]):
            raise ModelError(
                f"Feature {place} (mean {mean[place]:.6g}, standard deviation {deviation[place]:.6g}) cannot be "
                "standardized by a layer in 32-bit floats as StandardScaler does it in 64: bring it to another unit, "
                "or subtract a constant, before the study."
            )
    return _joined(rows, _normalization(mean, deviation, rows), model)


def _normalization(mean: list[float], deviation: list[float], rows: Any) -> Any:
    """Standardized numbers: the mean as 32-bit floats hold it is taken off first, its rest with the scale."""
    near = np.asarray(mean, np.float32).astype(np.float64)
    rest = (near - np.asarray(mean)) / np.asarray(deviation)
    centred = keras.layers.Normalization(axis=-1, mean=near.tolist(), variance=[1.0] * len(mean), dtype="float32")(rows)
    scale = [1.0 / one for one in deviation]
    return keras.layers.Rescaling(scale, offset=rest.tolist(), dtype="float32")(centred)


def _again(layer: keras.Layer) -> Any:
    """A layer of its own that is given the adapted numbers, so that the user's is part of no graph."""
    config: Mapping[str, Any] = {**layer.get_config(), "name": "standardized"}
    if config.get("mean") is None:
        mean, variance = layer.get_weights()[:2]  # what `adapt` left, of the shape that the arguments have
        config = {**config, "mean": mean.tolist(), "variance": variance.tolist()}
    return type(layer).from_config(config)


def _joined(rows: Any, encoded: Any, model: keras.Model) -> keras.Model:
    return keras.Model(rows, model(encoded), name="shipped")
