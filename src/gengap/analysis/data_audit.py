"""What is wrong between the splits of a data set: duplicates, shared groups, times that overlap, shifted classes.

Computed while a study has the data, and kept in its manifest: the inputs themselves are not.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.split import Split

Floats = NDArray[np.float64]

NEAR = 0.2
"""Two cases count as near duplicates when their distance is at most this share of the length of either."""
_TABLES, _BITS, _SEED = 12, 20, 113
_PAIRS_AT_ONCE = 200_000


def audit_data(train: Split, validation: Split | None = None, test: Split | None = None) -> dict[str, Any]:
    """Compare the splits of a study.

    Near duplicates are found by locality-sensitive hashing of standardized inputs (random projections, 12 tables) and
    then verified, so the count is a lower bound: it misses some, and invents none.

    Args:
        train: The training split.
        validation: The validation split, or None.
        test: The test split, or None.

    Returns:
        JSON-able: `duplicates` and `near_duplicates` (number of held-out cases with a twin, by `"validation"`,
        `"test"` against training and `"test in validation"`; near ones are None for inputs that are no single numeric
        array), `shared_groups` (number of groups that occur on both sides), `time_overlap` (whether a held-out case is
        not later than all training cases), `label_shares` or `means` of the answers by split.
    """
    held_out = {name: split for name, split in (("validation", validation), ("test", test)) if split is not None}
    pairs = {name: (train, split) for name, split in held_out.items()}
    if validation is not None and test is not None:
        pairs["test in validation"] = (validation, test)
    return {
        "duplicates": {name: _num_exact(a, b) for name, (a, b) in pairs.items()},
        "near_duplicates": {name: _num_near(a.x, b.x) for name, (a, b) in pairs.items()},
        "shared_groups": {name: _num_shared(a.groups, b.groups) for name, (a, b) in pairs.items()},
        "time_overlap": {name: _overlap(a.times, b.times) for name, (a, b) in pairs.items()},
        "answers": {name: _answers(split.y) for name, split in {"train": train, **held_out}.items()},
    }


def row_digests(x: Any) -> NDArray[np.str_]:
    """Return a digest of every case, shape `(n,)`; equal cases have equal digests."""
    if isinstance(x, Mapping | list | tuple):
        parts = [row_digests(part) for part in (x.values() if isinstance(x, Mapping) else x)]
        return np.array(["|".join(row) for row in zip(*parts, strict=True)])
    if sparse.issparse(x):
        rows = x.tocsr().sorted_indices()
        spans = zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
        return np.array([_digest(rows.indices[a:b].tobytes() + rows.data[a:b].tobytes()) for a, b in spans])
    array = x.to_numpy() if hasattr(x, "iloc") else np.asarray(x)
    return np.array([_digest(np.ascontiguousarray(row).tobytes()) for row in array])


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _num_exact(reference: Split, held_out: Split) -> int:
    return int(np.isin(row_digests(held_out.x), row_digests(reference.x)).sum())


def _num_near(reference: Any, held_out: Any) -> int | None:
    """Count held-out cases with a near, but not equal, twin."""
    matrices = _standardized(reference, held_out)
    if matrices is None:
        return None
    a, b = matrices
    tables_a, tables_b = _hash_tables(a, b)
    twins = np.zeros(b.shape[0], dtype=bool)
    for codes_a, codes_b in zip(tables_a, tables_b, strict=True):
        order = np.argsort(codes_a, kind="stable")
        first = np.searchsorted(codes_a[order], codes_b, side="left")
        last = np.searchsorted(codes_a[order], codes_b, side="right")
        counts = np.where(twins, 0, last - first)
        rows = np.repeat(np.arange(len(codes_b)), counts)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        partners = order[np.repeat(first, counts) + offsets]
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            some, their = rows[start : start + _PAIRS_AT_ONCE], partners[start : start + _PAIRS_AT_ONCE]
            twins[some[_near(a, b, their, some)]] = True
    return int((twins & ~np.isin(row_digests(held_out), row_digests(reference))).sum())


def _standardized(reference: Any, held_out: Any) -> tuple[Any, Any] | None:
    """Return both inputs as matrices on the scale of the reference; sparse rows stay as they are."""
    if sparse.issparse(reference) and sparse.issparse(held_out):
        return reference.tocsr().astype(np.float32), held_out.tocsr().astype(np.float32)
    if isinstance(reference, Mapping | list | tuple) or hasattr(reference, "iloc"):
        return None
    a, b = np.asarray(reference), np.asarray(held_out)
    if a.dtype.kind not in "fiu" or a.ndim < 2 or not len(a) or not len(b):
        return None
    a, b = (part.reshape(len(part), -1).astype(np.float32) for part in (a, b))
    mean, spread = a.mean(axis=0), a.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    return (a - mean) / spread, (b - mean) / spread


def _hash_tables(a: Any, b: Any) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    directions = np.random.default_rng(_SEED).standard_normal((a.shape[1], _TABLES * _BITS)).astype(np.float32)
    middle = np.asarray((a[: min(a.shape[0], 4096)] @ directions).mean(axis=0)) if sparse.issparse(a) else 0
    return _codes(a, directions, middle), _codes(b, directions, middle)


def _codes(rows: Any, directions: NDArray[np.float32], middle: Any) -> list[NDArray[np.int64]]:
    bits = np.asarray(rows @ directions) > middle
    powers = 1 << np.arange(_BITS, dtype=np.int64)
    return [bits[:, t * _BITS : (t + 1) * _BITS] @ powers for t in range(_TABLES)]


def _near(a: Any, b: Any, rows_a: NDArray[np.int64], rows_b: NDArray[np.int64]) -> NDArray[np.bool_]:
    difference = a[rows_a] - b[rows_b]
    distance, length = _squares(difference), np.minimum(_squares(a[rows_a]), _squares(b[rows_b]))
    return np.asarray(distance <= NEAR**2 * length)


def _squares(rows: Any) -> Floats:
    squared = rows.multiply(rows).sum(axis=1) if sparse.issparse(rows) else np.square(rows).sum(axis=1)
    return np.asarray(squared, dtype=np.float64).ravel()


def _num_shared(a: Any, b: Any) -> int | None:
    if a is None or b is None:
        return None
    return len(np.intersect1d(np.asarray(a), np.asarray(b)))


def _overlap(a: Any, b: Any) -> bool | None:
    return None if a is None or b is None else bool(np.min(b) <= np.max(a))


def _answers(y: Any) -> dict[str, Any]:
    """Summarize answers: shares of labels for integer codes, else mean and standard deviation."""
    values = np.asarray(y) if not isinstance(y, Mapping) else np.asarray(next(iter(y.values())))
    if values.dtype.kind in "iub":
        labels, counts = np.unique(values, return_counts=True)
        return {"n": len(values), "labels": labels.tolist(), "counts": counts.tolist()}
    return {"n": len(values), "mean": float(values.mean()), "sd": float(values.std())}
