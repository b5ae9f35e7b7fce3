"""What is wrong between the splits of a data set: duplicates, shared groups, times that overlap, shifted classes.

Computed while a study has the data, and kept in its manifest: the inputs themselves are not.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.cases import arrays_of
from gengap.datasets.input_scale import input_scale, scale_by_place
from gengap.datasets.near_duplicates import Projections, near_duplicates
from gengap.datasets.split import Split

Digests = Mapping[str, NDArray[np.str_]]
"""A digest of every case, by split."""
_counted: dict[tuple[str, ...], int | None] = {}
"""How many near duplicates were found, by what two splits hold; the last ones."""
_MOST_COUNTED = 64


def audit_data(
    train: Split,
    validation: Split | None = None,
    test: Split | None = None,
    *,
    digests: Digests | None = None,
    seen: Any = None,
) -> dict[str, Any]:
    """Compare the splits of a study.

    Near duplicates are nearer than independent cases would be by chance, see `gengap.datasets.near_duplicates`; in wide
    tables they are searched by locality-sensitive hashing, so the count is a lower bound.

    Args:
        train: The training split.
        validation: The validation split, or None.
        test: The test split, or None.
        digests: What `row_digests` says of each split, where it has been asked.
        seen: Inputs of the training cases as models see them, where preprocessing made others of the split's.

    Returns:
        JSON-able: `duplicates` and `near_duplicates` (number of held-out cases with a duplicate, by `"validation"`,
        `"test"` against training and `"test in validation"`; near ones are None where they were not looked for:
        inputs are not numbers, or cases are too few), `shared_groups` (number of groups that occur on both sides),
        `time_overlap` (whether a held-out case is not later than all training cases), `answers` (counts of labels, or
        mean and standard deviation, by split), `scale` (the largest input of the training cases, see
        `gengap.datasets.input_scale`).
    """
    held_out = {name: split for name, split in (("validation", validation), ("test", test)) if split is not None}
    splits = {"train": train, **held_out}
    digests = digests or {name: row_digests(split.x) for name, split in splits.items()}
    pairs = {name: ("train", name) for name in held_out}
    if len(held_out) == 2:
        pairs["test in validation"] = ("validation", "test")
    found = {name: np.isin(digests[b], digests[a]) for name, (a, b) in pairs.items()}
    of = {name: (splits[a], splits[b]) for name, (a, b) in pairs.items()}
    projections = Projections()
    return {
        "duplicates": {name: int(exact.sum()) for name, exact in found.items()},
        "near_duplicates": {
            name: _num_near(*of[name], projections, exact=found[name], known_as=(digests[a], digests[b]))
            for name, (a, b) in pairs.items()
        },
        "shared_groups": {name: _num_shared(a.groups, b.groups) for name, (a, b) in of.items()},
        "time_overlap": {name: _overlap(a.times, b.times) for name, (a, b) in of.items()},
        "answers": {name: _answers(split.y, split.sample_weight) for name, split in splits.items()},
        "scale": input_scale(train.x) if seen is None else scale_by_place(seen),
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
    if hasattr(x, "iloc"):
        return np.array([f"{one:016x}" for one in hashed_rows(x)])
    array = np.asarray(x)
    return np.array([_digest(np.ascontiguousarray(row).tobytes()) for row in array])


def hashed_rows(table: Any) -> NDArray[np.uint64]:
    """Return a hash of every row of a pandas table, whatever its columns hold; equal rows have equal ones."""
    from pandas.util import hash_pandas_object  # only who brings a table pays for it

    return np.asarray(hash_pandas_object(table, index=False), np.uint64)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _num_near(
    reference: Split,
    held_out: Split,
    projections: Projections,
    *,
    exact: NDArray[np.bool_],
    known_as: tuple[NDArray[np.str_], NDArray[np.str_]],
) -> int | None:
    """Count held-out cases with a near, but not equal, duplicate; cases that were asked lately are not searched again.

    A search studies the same cases twice, and who compares remedies many times: it takes seconds for wide ones.
    """
    sides = zip((reference.x, held_out.x), known_as, strict=True)
    key = tuple(_name_of(x, digests) for x, digests in sides)
    if key not in _counted:
        if len(_counted) >= _MOST_COUNTED:
            del _counted[next(iter(_counted))]
        duplicates = near_duplicates(reference.x, held_out.x, projections=projections)
        _counted[key] = None if duplicates is None else int((duplicates & ~exact).sum())
    return _counted[key]


def _name_of(x: Any, digests: NDArray[np.str_]) -> str:
    """Return what only inputs of the same numbers, in the same order and form, have in common."""
    told = ("shape", "dtype", "dtypes")
    forms = [(type(part).__name__, *(str(getattr(part, one, None)) for one in told)) for _, part in arrays_of(x)]
    return hashlib.blake2b(repr(forms).encode() + digests.tobytes(), digest_size=16).hexdigest()


def _num_shared(a: Any, b: Any) -> int | None:
    if a is None or b is None:
        return None
    return len(np.intersect1d(np.asarray(a), np.asarray(b)))


def _overlap(a: Any, b: Any) -> bool | None:
    return None if a is None or b is None else bool(np.min(b) <= np.max(a))


def _answers(y: Any, weight: Any = None) -> dict[str, Any]:
    """Summarize answers: shares of labels for integer codes, else mean and standard deviation; weighted as scores are.

    With weights the counts are those of as many equal cases as the weights are worth (Kish's effective number).
    """
    values = np.asarray(y) if not isinstance(y, Mapping) else np.asarray(next(iter(y.values())))
    given = None if weight is None else np.asarray(weight, dtype=np.float64)
    if values.dtype.kind in "iub":
        labels, codes = np.unique(values, return_inverse=True)
        counts = np.bincount(codes.ravel(), weights=given)
        if given is not None:
            counts = counts * (given.sum() / np.square(given).sum())
        return {"n": len(values), "labels": labels.tolist(), "counts": counts.tolist()}
    mean = np.average(values.astype(np.float64), weights=given, axis=0)
    spread = np.sqrt(np.average(np.square(values - mean), weights=given, axis=0))
    return {"n": len(values), "mean": float(np.mean(mean)), "sd": float(np.mean(spread))}
