"""Files of the IMDB reviews: Keras' own, unpickled only once its hash is right, or flat arrays without any pickle."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.tokens import INDEX_FROM, START, TokenSequences
from gengap.errors import DataError

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
KERAS_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
WORD_INDEX_MD5 = "bfafd718b763782e994055a2d397834f"
SEED = 113  # Keras' default order of the reviews
FLAT = {f"{half}_{part}" for half in ("x_train", "x_test") for part in ("tokens", "offsets")} | {"y_train", "y_test"}


@dataclass(frozen=True, eq=False)
class Half:
    """The training or the test half of the reviews: word numbers and answers."""

    x: TokenSequences
    y: NDArray[np.int8]


def read_reviews(path: Path | None) -> tuple[Half, Half]:
    """Read both halves, in the order and numbering of `keras.datasets.imdb.load_data`, with as many words as there are.

    Args:
        path: Keras' `imdb.npz` or a flat file; None downloads the former with Keras, which caches it.

    Raises:
        FileNotFoundError: There is no file at `path`.
        DataError: The download fails; the file is damaged, neither format, or in Keras' format with another hash.
    """
    content = (_download("imdb.npz", KERAS_SHA256) if path is None else path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if set(file.files) >= FLAT:
                return _flat_half(file, "train"), _flat_half(file, "test")
            names = set(file.files)
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataError(f"{path} is not an npz file of reviews, or is damaged: {error}") from error
    if not names >= {"x_train", "y_train", "x_test", "y_test"}:
        raise DataError(f"{path} must hold Keras' arrays (x_train, y_train, ...) or flat ones, got {sorted(names)}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != KERAS_SHA256:
        raise DataError(
            f"{path} holds pickled objects and is not Keras' imdb.npz (sha256 {digest}, not {KERAS_SHA256}): "
            "it is not opened, because unpickling can run any code. Give Keras' own file or a flat one"
        )
    with np.load(io.BytesIO(content), allow_pickle=True) as file:
        return _keras_halves({name: file[name] for name in names})


def read_word_index(path: Path | None) -> dict[str, int]:
    """Read the rank of each word from a JSON file; None downloads Keras' own.

    Raises:
        FileNotFoundError: There is no file at `path`.
        DataError: The download fails, or the file is not a JSON mapping of words to ranks.
    """
    content = (_download("imdb_word_index.json", WORD_INDEX_MD5) if path is None else path).read_bytes()
    try:
        index = json.loads(content)
    except ValueError as error:
        raise DataError(f"{path} is not a JSON file: {error}") from error
    if not isinstance(index, dict) or not all(isinstance(rank, int) for rank in index.values()):
        raise DataError(f"{path} must map words to ranks, got a JSON {type(index).__name__} of something else")
    return index


def _download(name: str, file_hash: str) -> Path:
    import keras

    try:
        path = Path(keras.utils.get_file(name, origin=ORIGIN + name, file_hash=file_hash))
    except Exception as error:  # Keras raises a bare Exception for every network failure
        raise DataError(f"cannot download {ORIGIN + name} ({error}): give the `path` of a copy instead") from error
    return path


def _flat_half(file: Any, half: str) -> Half:
    tokens, offsets, y = (file[name] for name in (f"x_{half}_tokens", f"x_{half}_offsets", f"y_{half}"))
    whole = all(np.issubdtype(part.dtype, np.integer) for part in (tokens, offsets, y))
    fits = whole and len(offsets) == len(y) + 1 and offsets[0] == 0 and offsets[-1] == len(tokens)
    if not (fits and (np.diff(offsets) >= 0).all() and (tokens >= 0).all() and np.isin(y, (0, 1)).all()):
        raise DataError(
            f"word numbers, offsets and answers of the {half} half do not fit: all must be whole numbers, offsets must "
            f"rise from 0 to {len(tokens)} in {len(y)} steps, and answers must be 0 or 1"
        )
    return Half(TokenSequences(tokens, offsets), y)


def _keras_halves(file: dict[str, NDArray[Any]]) -> tuple[Half, Half]:
    """Bring raw ranks into the order and numbering of its `load_data`."""
    order = np.random.RandomState(SEED)
    halves = []
    for half in ("train", "test"):
        indices = np.arange(len(file[f"x_{half}"]))
        order.shuffle(indices)
        texts = [[START, *(rank + INDEX_FROM for rank in text)] for text in file[f"x_{half}"][indices]]
        halves.append(Half(TokenSequences.of(texts), file[f"y_{half}"][indices].astype(np.int8)))
    return halves[0], halves[1]
