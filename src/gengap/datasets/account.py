"""The account of a study's data: how many cases, their fingerprint, what is wrong between splits, their climatology."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from gengap.datasets.cases import arrays_of, count_cases, plain_array
from gengap.datasets.climatology import climatology
from gengap.datasets.data_audit import audit_data, hashed_rows
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Dataset, PooledSplit, Split
from gengap.datasets.training_data import TrainingData


def describe_data(data: TrainingData, kind: OutputKind) -> dict[str, Any]:
    """Describe data: sizes, fingerprint, climatology of the training split."""
    named = {"train": data.train, **data.held_out()}
    scored = {name: replace(split, y=scored_answers(split.y, kind)) for name, split in named.items()}
    return {
        **{f"n_{name}": count_cases(split.x) for name, split in named.items()},
        "fingerprint": fingerprint(named),
        "audit": audit_data(scored["train"], scored.get("validation"), scored.get("test")),
        **climatology(data.train, kind),
    }


def describe_source(x: Any) -> dict[str, Any]:
    """Describe what the data are beside their arrays: name, labels, features, units, licence; blank for bare arrays."""
    x = x.source if isinstance(x, PooledSplit) else x
    if not isinstance(x, Dataset):
        return {"name": "", "label_names": [], "feature_names": [], "synthetic": False}
    facts = ("name", "label_names", "feature_names", "synthetic", "description", "licence", "citation", "target_units")
    return {**{name: getattr(x, name) for name in facts}, "table": None if x.table is None else x.table.to_dict()}


def fingerprint(splits: Mapping[str, Split]) -> str:
    """Return a digest of all inputs, answers and weights; equal data have equal digests on every machine."""
    digest = hashlib.blake2b(digest_size=16)
    for name, split in splits.items():
        digest.update(name.encode())
        for values in (split.x, split.y, split.sample_weight):
            for _, part in arrays_of(values):
                _digest_array(digest, part)
    return digest.hexdigest()


def _digest_array(digest: Any, values: Any) -> None:
    if values is None:
        return
    if sparse.issparse(values):
        rows = values.tocsr()
        for part in (rows.data, rows.indices, rows.indptr):
            _digest_array(digest, part)
        return
    array = hashed_rows(values) if hasattr(values, "iloc") else plain_array(values, "data")
    digest.update(f"{array.dtype}{array.shape}".encode())
    for start in range(0, len(array), 4096):  # piecewise, so that memory-mapped data stay on the disk
        digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
