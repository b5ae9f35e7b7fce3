"""A shipped model asked about the rows of a file: `gengap predict`."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gengap.datasets.row_files import read_rows
from gengap.datasets.table_encoder import TableEncoder
from gengap.datasets.table_reading import TableReading
from gengap.errors import DataError, ModelError
from gengap.experiments.users_code import why_unreadable
from gengap.shipping.card import FORMAT

_UNREADABLE = (ValueError, TypeError, OSError, LookupError, AttributeError, RuntimeError, ImportError)


@dataclass(frozen=True, eq=False)
class RowForecasts:
    """What a model says about the rows of a file.

    Attributes:
        table: A row for each row, and a column for each label or target; with several calls of a model whose noise is
            on, means over calls, and their standard deviations beside.
        notes: What a reader has to know.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]


def predict_rows(
    model: str | Path, rows: str | Path, *, num_members: int = 1, seed: int = 0, batch_size: int = 256
) -> RowForecasts:
    """Forecast the rows of a file with a saved model.

    Args:
        model: A `.keras` file; the card that `ship` wrote beside it names features and labels.
        rows: A table (`.csv`, `.parquet`) with a case a row, or an archive (`.npz`) with an array `x`, or one for each
            input by its name.
        num_members: How often a model whose noise is on is called; 1 for all others.
        seed: Fixes the draws of such a model.
        batch_size: Rows at once.

    Returns:
        The forecasts.

    Raises:
        ModelError: The file is no model that can be loaded safely, or gives no forecasts.
        DataError: The rows do not fit the model.
    """
    path, card = Path(model), _card(Path(model))
    loaded = _loaded(path)
    x, notes = _inputs(card.get("preprocessing") or {}, rows)
    x = _shaped(loaded, x, Path(rows))
    noisy = bool((card.get("model") or {}).get("noise_stays_on"))
    if num_members < 1 or (num_members > 1 and not noisy):
        raise DataError(
            f"`num_members` must be 1 for a model without noise, and at least 1; received {num_members}. Ship the "
            "model with `noise=True` to have it on."
        )
    if noisy:
        keras.utils.set_random_seed(seed)
    forecasts = np.stack([_forecast(loaded, x, batch_size, noisy=noisy) for _ in range(num_members)])
    if not card:
        notes += [f"There is no card beside {path.name}: columns are taken in their order, and labels have no names."]
    if noisy and num_members == 1:
        notes.append("The model's noise is on: this is one draw. Ask for more members.")
    return RowForecasts(_table(forecasts, card), tuple(notes))


def _inputs(preprocessing: dict[str, Any], rows: str | Path) -> tuple[Any, list[str]]:
    """Raw rows as the study read and encoded them, where it read a table; else numbers as they stand."""
    if preprocessing.get("table") is None or Path(rows).suffix == ".npz":
        return read_rows(rows, list(preprocessing.get("features") or ()))
    reading = TableReading.from_dict(preprocessing["table"])
    x, name = reading.typed(Path(rows))
    notes = _of_unknown(reading.encoder, x)
    if reading.encoder is not None and preprocessing.get("inside"):  # it is a part of the model
        return reading.encoder.numbers(x, name=name), notes
    return reading.encoded(x, name=name), notes


def _of_unknown(encoder: TableEncoder | None, x: Any) -> list[str]:
    """Say which words the model does not know: a mistyped one would change its forecast unseen."""
    notes = []
    for column, rows in (encoder.unknown_words(x) if encoder is not None else {}).items():
        notes.append(
            f"Column {column!r} holds words that the model does not know in {len(rows)} of {len(x)} rows, first "
            f"{x[column].iloc[rows[0]]!r} in row {rows[0] + 1}: they count as unknown."
        )
    return notes


def _card(path: Path) -> dict[str, Any]:
    where = path.with_suffix(".card.json")
    if not where.is_file():
        return {}
    try:
        card = json.loads(where.read_text(encoding="utf-8"))
    except ValueError as reason:
        raise DataError(
            f"The card {where} is damaged ({reason}): ship the model again, or remove the card."
        ) from reason
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise DataError(f"{where} is no card that this version of gengap reads: ship the model again, or remove it.")
    return card


def _loaded(path: Path) -> Any:
    if path.suffix != ".keras" or not path.is_file():
        raise ModelError(f"There is no saved model {path}: give a `.keras` file, as `gengap ship` writes it.")
    try:
        return keras.saving.load_model(path, safe_mode=True, compile=False)
    except _UNREADABLE as reason:
        raise ModelError(f"{path} cannot be loaded safely: {why_unreadable(reason)}") from reason


def _shaped(model: keras.Model, x: Any, rows: Path) -> Any:
    """Give rows the shape that the model takes."""
    inputs = list(getattr(model, "inputs", None) or ())
    if isinstance(x, dict):
        names = [one.name for one in inputs]
        if missing := [name for name in names if name not in x]:
            raise DataError(f"{rows} has no array {missing[0]!r}, which is an input of the model.")
        return {name: _one(x[name], one.shape, rows) for name, one in zip(names, inputs, strict=True)}
    if len(inputs) > 1:
        raise DataError(
            f"The model has {len(inputs)} inputs, {', '.join(one.name for one in inputs)}: give an `.npz` file with an "
            "array of each name."
        )
    return _one(x, inputs[0].shape, rows) if inputs else x


def _one(x: NDArray[Any], shape: Any, rows: Path) -> NDArray[Any]:
    wanted = tuple(shape[1:])
    if None in wanted or x.shape[1:] == wanted:
        return x
    if math.prod(x.shape[1:]) != math.prod(wanted):
        raise DataError(
            f"The model takes {math.prod(wanted):,} numbers a row, of shape {wanted}, and {rows.name} has "
            f"{math.prod(x.shape[1:]):,}: leave columns out that are no features, such as the answers."
        )
    return x.reshape(-1, *wanted)


def _forecast(model: keras.Model, x: Any, batch_size: int, *, noisy: bool) -> NDArray[np.float64]:
    count = len(next(iter(x.values()))) if isinstance(x, dict) else len(x)
    parts = []
    for start in range(0, count, batch_size):
        part = keras.tree.map_structure(lambda one, at=start: one[at : at + batch_size], x)
        raw = model(part) if noisy else model.predict_on_batch(part)
        flat = keras.tree.flatten(raw)
        if len(flat) != 1:
            raise ModelError(
                f"The model has {len(flat)} outputs, and rows are forecast by one: ship it with `gg.ship`."
            )
        parts.append(np.asarray(keras.ops.convert_to_numpy(flat[0]), np.float64))
    found = np.concatenate(parts)
    return found.reshape(len(found), -1)


def _table(forecasts: NDArray[np.float64], card: dict[str, Any]) -> pd.DataFrame:
    output = card.get("output") or {}
    names = _columns(forecasts.shape[-1], output.get("task"), [str(one) for one in output.get("labels") or ()])
    table = pd.DataFrame(forecasts.mean(axis=0), columns=names)
    if len(forecasts) > 1:
        for place, name in enumerate(names):
            table[f"{name} (sd)"] = forecasts[..., place].std(axis=0, ddof=1)
    table.insert(0, "row", np.arange(1, len(table) + 1))
    return table


def _columns(width: int, task: str | None, labels: list[str]) -> list[str]:
    if task == "binary" and width == 1:
        return [f"probability of {labels[1]}" if len(labels) == 2 else "probability of label 1"]
    if task == "multiclass" or (task == "binary" and width == 2):
        return [f"probability of {name}" for name in (labels if len(labels) == width else map(str, range(width)))]
    return ["forecast"] if width == 1 else [f"forecast {place + 1}" for place in range(width)]
