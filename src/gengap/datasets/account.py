"""The account of a study's data: how many cases, their fingerprint, what is wrong between splits, their climatology."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from gengap.datasets.cases import arrays_of, count_cases, plain_array
from gengap.datasets.climatology import climatology
from gengap.datasets.data_audit import Digests, audit_data, hashed_rows
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Dataset, PooledSplit
from gengap.datasets.training_data import TrainingData


def describe_data(
    data: TrainingData, kind: OutputKind, *, digests: Digests | None = None, seen: Any = None
) -> dict[str, Any]:
    """Describe data: sizes, fingerprint, audit, climatology of the training split.

    Fingerprint, digests of cases and scale each read the inputs, a block at a time. One loop for the three takes as
    long, since hashing is what takes the time; and the check for finite numbers cannot join it, because much can still
    be refused after it before anything needs to be hashed.

    Args:
        data: The checked splits.
        kind: How the scored output is read.
        digests: A digest of every case, by split, where they have been made; see `row_digests`.
        seen: Inputs of the training cases as models see them, where these are others than the split's.
    """
    named = {"train": data.train, **data.held_out()}
    scored = {name: replace(split, y=scored_answers(split.y, kind)) for name, split in named.items()}
    return {
        **{f"n_{name}": count_cases(split.x) for name, split in named.items()},
        "fingerprint": fingerprint(data),
        "audit": audit_data(scored["train"], scored.get("validation"), scored.get("test"), digests=digests, seen=seen),
        **climatology(data.of(None, inputs=False).train, kind),
    }


def describe_source(x: Any) -> dict[str, Any]:
    """Describe what the data are beside their arrays: name, labels, features, units, licence; blank for bare arrays."""
    x = x.source if isinstance(x, PooledSplit) else x
    if not isinstance(x, Dataset):
        return {"name": "", "label_names": [], "feature_names": [], "synthetic": False}
    facts = ("name", "label_names", "feature_names", "synthetic", "description", "licence", "citation", "target_units")
    return {**{name: getattr(x, name) for name in facts}, "table": None if x.table is None else x.table.to_dict()}


def fingerprint(data: TrainingData) -> str:
    """Return a digest of all inputs, answers and weights; equal data have equal digests on every machine."""
    digest = hashlib.blake2b(digest_size=16)
    for name, split in {"train": data.train, **data.held_out()}.items():
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
