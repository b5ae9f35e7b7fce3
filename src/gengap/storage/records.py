"""A finished run as two files: what is read to assemble a result, and the weights, read when asked for."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, final, overload

import numpy as np

from gengap.engine.runs import Predictions, RunRecord
from gengap.storage.files import Blob, read_arrays
from gengap.storage.tensors import Array

_PLAIN = ("variant", "seed", "best_epoch", "parameters", "seconds", "status")
_KINDS = ("last", "best", "epochs")
_WORTH = 1 << 16
"""Bytes of frozen weights from which a file for all runs is worth its name."""


@final
class StoredWeights(Sequence[Array]):
    """The weights of a stored run, read from disk when first looked at.

    Reading raises `StoreError` where the file was damaged meanwhile.
    """

    def __init__(self, folder: Path, blob: Blob, kind: str) -> None:
        self._folder, self._blob, self._kind = folder, blob, kind

    @cached_property
    def _arrays(self) -> list[Array]:
        arrays, meta = read_arrays(self._folder, self._blob)
        if "common" in meta:
            arrays = {**arrays, **_common(self._folder, Blob(*meta["common"]))}
        return [arrays[f"{name}/{i}"] for i, name in enumerate(meta[self._kind])]

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Array]: ...
    def __getitem__(self, index: int | slice) -> Array | Sequence[Array]:
        return self._arrays[index]

    def __len__(self) -> int:
        return len(self._arrays)


def common_weights(record: RunRecord) -> dict[str, Array]:
    """Return the weights of a record that no training changes, for a file of all runs; nothing where they are few."""
    frozen = {place: np.asarray(record.weights_last[place]) for place in record.frozen}
    moved = any(not _equal(array, np.asarray(record.weights_best[place])) for place, array in frozen.items())
    worth = sum(array.nbytes for array in frozen.values()) >= _WORTH
    return {f"common/{place}": array for place, array in frozen.items()} if worth and not moved else {}


def pack_weights(record: RunRecord, common: Blob | None = None) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return a record's weights as arrays for one file; best and last are written once where they are the same.

    Args:
        record: The record.
        common: The file of what `common_weights` returned, which is then left out.
    """
    last, best = ([np.asarray(w) for w in weights] for weights in (record.weights_last, record.weights_best))
    elsewhere = () if common is None else record.frozen
    same = len(last) == len(best) and all(_equal(a, b) for a, b in zip(last, best, strict=True))
    arrays = {f"last/{i}": array for i, array in enumerate(last) if i not in elsewhere}
    if not same:
        arrays |= {f"best/{i}": array for i, array in enumerate(best) if i not in elsewhere}
    # variant and seed make the file, and so its name, the run's own: equal weights of two runs are two files
    owner: dict[str, Any] = {"variant": record.variant, "seed": record.seed}
    owner |= {} if common is None else {"common": [common.digest, common.size]}
    names = {"last": "last", "best": "last" if same else "best"}
    places = {kind: ["common" if i in elsewhere else name for i in range(len(last))] for kind, name in names.items()}
    return arrays, {**owner, **places}


def common_blob(folder: Path, weights: Blob) -> Blob | None:
    """Return the file that weights have in common with those of other runs; None where they are all in theirs.

    Raises:
        StoreError: The file of the weights is damaged.
    """
    _, meta = read_arrays(folder, weights)
    return Blob(*meta["common"]) if "common" in meta else None


@lru_cache(maxsize=2)
def _common(folder: Path, blob: Blob) -> dict[str, Array]:
    """Read a file for many runs once; nobody can write into what is read."""
    return read_arrays(folder, blob)[0]


def pack_results(record: RunRecord, weights: Blob, study: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return all but the weights for one file, which names the file of the weights and the study."""
    arrays = {f"history/{name}": values for name, values in record.history.items()}
    for split, predictions in record.predictions.items():
        for kind in _KINDS:
            values = getattr(predictions, kind)
            if values is not None:
                arrays[f"{kind}/{split}"] = values
    meta = {name: getattr(record, name) for name in _PLAIN}
    return arrays, meta | {"study": study, "weights": [weights.digest, weights.size]}


def unpack(folder: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> RunRecord:
    """Return the record that `pack_results` took apart; its weights stay on disk until looked at."""
    weights = Blob(*meta["weights"])
    splits = [name.removeprefix("last/") for name in arrays if name.startswith("last/")]
    return RunRecord(
        **{name: meta[name] for name in _PLAIN},
        history={name.removeprefix("history/"): values for name, values in _starting(arrays, "history/")},
        predictions={
            split: Predictions(
                last=arrays[f"last/{split}"], best=arrays[f"best/{split}"], epochs=arrays.get(f"epochs/{split}")
            )
            for split in splits
        },
        weights_last=StoredWeights(folder, weights, "last"),
        weights_best=StoredWeights(folder, weights, "best"),
    )


def _starting(arrays: Mapping[str, Array], prefix: str) -> Iterator[tuple[str, Array]]:
    return ((name, values) for name, values in arrays.items() if name.startswith(prefix))


def _equal(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
