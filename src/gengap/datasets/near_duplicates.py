r"""Held-out cases that resemble a training case more than chance allows.

Independent cases have neighbours, too, the closer the narrower the table, and a table of few labels holds many that
are nearly equal. So a case counts as a near duplicate only if three questions agree that chance would not bring the
two so close:

- Among the neighbours: where cases are spread evenly over the ball that reaches to the $k$-th neighbour, at the
  distance $r_k$, the nearest is at most $r_1$ away with probability $1 - (1 - (r_1 / r_k)^d)^{k-1}$, with $d$ the
  dimension in which the cases spread, estimated from the training cases' own neighbours (Levina & Bickel), at most 10.
- Column by column: the shares $P_j$ of training cases that are as near in column $j$ multiply, and
  $-\sum_j \log P_j$ would be gamma distributed; with n training cases there are n chances.
- The same by principal components, which are uncorrelated where columns are not.

The largest of the three p-values is the case's, and Benjamini and Hochberg's procedure says which cases are duplicates:
one in twenty of those may be there by chance, and where all cases are independent there are none in nineteen data sets
of twenty.

References:
    Levina, E. and Bickel, P. J. (2004). Maximum likelihood estimation of intrinsic dimension. NeurIPS 17.

    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the Royal Statistical
    Society B 57.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

Floats = NDArray[np.float64]

NEAR = 0.2
"""Two cases can be near duplicates when their distance is at most this share of the length of either."""
FALSE_SHARE = 0.05
"""Share of the near duplicates that may be there by chance."""
NEIGHBOURS = 10
_TABLES, _BITS, _SEED = 12, 20, 113
_PAIRS_AT_ONCE = 200_000
_KEPT = 1 << 26
"""Bytes of projections that are kept for another pair."""
_NARROW = 12
"""Tables of so many columns are searched exactly; hashing finds little there."""
_WIDEST = 64
"""Columns that are looked at one by one, and principal components."""
_HIGHEST = 10.0
"""Dimension at most: in higher ones distances concentrate, and cases of a tight cluster are not spread over a ball."""
_SAMPLE = 1000
_CHUNK = 4096


class Projections:
    """What sparse rows are along the directions of the hashes; a split is held against two others."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, NDArray[np.float32]]] = {}
        self._matrices: dict[int, tuple[Any, Any]] = {}

    def of(self, rows: Any, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return rows times directions, `(n, directions)`; of sparse rows that are small enough it is kept."""
        if not sparse.issparse(rows):
            return np.asarray(rows @ directions)
        if id(rows) not in self._known:
            found = np.asarray(rows @ directions)
            if found.nbytes > _KEPT:
                return found
            self._known[id(rows)] = rows, found  # rows are held, so that no other has their id
        return self._known[id(rows)][1]

    def standardized(self, reference: Any, held_out: Any) -> tuple[Any, Any] | None:
        """Return both inputs as matrices, see `_standardized`; those of one sparse input are one object."""
        found = _standardized(reference, held_out)
        if found is None or not sparse.issparse(reference) or not sparse.issparse(held_out):
            return found
        return self._once(reference, found[0]), self._once(held_out, found[1])

    def _once(self, given: Any, made: Any) -> Any:
        return self._matrices.setdefault(id(given), (given, made))[1]


def near_duplicates(
    reference: Any, held_out: Any, *, projections: Projections | None = None
) -> NDArray[np.bool_] | None:
    """Tell which held-out cases have a near, but not equal, duplicate among the reference cases.

    Args:
        reference: Inputs of the reference cases: an array, sparse rows, a table, or a mapping or list of such.
        held_out: Inputs of the held-out cases, of the same form.
        projections: Where those of sparse rows are kept for other pairs; None keeps none.

    Returns:
        Shape `(n,)`; None where inputs are not finite numbers, or the reference cases are too few to tell what is near.
    """
    projections = projections or Projections()
    matrices = projections.standardized(reference, held_out)
    if matrices is None or min(part.shape[0] for part in matrices) == 0 or matrices[0].shape[0] < 2 * NEIGHBOURS:
        return None
    a, b = matrices
    narrow = not sparse.issparse(a) and a.shape[1] <= _NARROW
    nearest, partner = _nearest_exactly(a, b) if narrow else _nearest_by_hashing(a, b, projections)
    candidates = np.flatnonzero((nearest > 0) & (nearest <= NEAR * np.sqrt(_squares(b))))
    p = np.ones(b.shape[0])
    if len(candidates):
        rows, duplicates = b[candidates], a[partner[candidates]]
        sample = _sampled(a)
        p[candidates] = np.maximum.reduce(
            [
                _by_neighbours(a, sample, rows, nearest[candidates]),
                _by_columns(sample, rows, duplicates, a.shape[0]),
                _by_columns(*_components(sample, rows, duplicates), a.shape[0]),
            ]
        )
    return _rejected(p)


def _sampled(a: Any) -> Any:
    rng = np.random.default_rng(_SEED)
    return a[np.sort(rng.choice(a.shape[0], min(_SAMPLE, a.shape[0]), replace=False))]


def _by_neighbours(a: Any, sample: Any, rows: Any, nearest: Floats) -> Floats:
    """Return the probability that chance alone puts a neighbour as near, judged by how far the others are."""
    if sparse.issparse(a) or a.shape[1] > _NARROW:
        count = NEIGHBOURS * a.shape[0] / sample.shape[0]  # the k-th neighbour of a sample is a farther one of all
        far = np.concatenate([
            np.sqrt(np.partition(_distances(rows[at : at + 512], sample), NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1])
            for at in range(0, rows.shape[0], 512)
        ])  # fmt: skip
    else:
        count, far = float(NEIGHBOURS), _neighbours(a, rows)[:, -1]
    d = _dimension(sample)
    share = np.divide(nearest, far, out=np.ones_like(far), where=far > nearest) ** d
    return np.asarray(-np.expm1((count - 1) * np.log1p(-np.minimum(share, 1 - 1e-12))))


def _by_columns(sample: Any, rows: Any, duplicates: Any, n: int) -> Floats:
    """Return the probability that one of n independent cases agrees as well in all columns."""
    if sparse.issparse(sample) or sample.shape[1] > _WIDEST:
        return np.zeros(rows.shape[0])  # left to the components
    surprise = np.zeros(rows.shape[0])
    for column, here, there in zip(sample.T, rows.T, duplicates.T, strict=True):
        surprise -= np.log(_share_as_near(np.sort(column).astype(np.float64), here, np.abs(here - there)))
    return np.asarray(np.minimum(1.0, n * special.gammaincc(sample.shape[1], surprise)))


def _share_as_near(column: Floats, at: Floats, distance: Floats) -> Floats:
    """Share of a column within a distance of some values; below that of `NEIGHBOURS` values, in proportion to it."""
    n, k = len(column), min(NEIGHBOURS, len(column))
    within = np.searchsorted(column, at + distance, "right") - np.searchsorted(column, at - distance, "left")
    middle = np.searchsorted(column, at)
    around = np.clip(middle[:, None] + np.arange(-k, k), 0, n - 1)
    reach = np.partition(np.abs(column[around] - at[:, None]), k - 1, axis=1)[:, k - 1]
    smooth = k * np.divide(distance, reach, out=np.full(len(at), np.inf), where=reach > 0)
    return np.asarray(np.clip(np.where(within >= k, within, np.minimum(smooth, k)) / n, 1e-3 / n, 1.0))


def _components(sample: Any, rows: Any, duplicates: Any) -> tuple[Floats, Floats, Floats]:
    """Return all three by the principal components of the sample, those of the largest variance first."""
    mean = np.asarray(sample.mean(axis=0)).reshape(1, -1)
    if not sparse.issparse(sample) and sample.shape[1] <= len(sample):
        _, axes = np.linalg.eigh((sample - mean).T @ (sample - mean))
        turn = axes[:, ::-1][:, :_WIDEST]
        own, its, their = ((part - mean) @ turn for part in (sample, rows, duplicates))
        return own, its, their

    def products(part: Any) -> Floats:
        """Inner products of centred rows with the centred sample; what is sparse stays sparse."""
        inner = part @ sample.T
        inner = np.asarray(inner.toarray() if sparse.issparse(inner) else inner, dtype=np.float64)
        left, right = np.asarray(part @ mean.T).reshape(-1, 1), np.asarray(sample @ mean.T).reshape(1, -1)
        return np.asarray(inner - left - right + float((mean * mean).sum()))

    values, vectors = np.linalg.eigh(products(sample))
    kept = np.flatnonzero(values > 1e-6 * max(float(values[-1]), 1e-300))[::-1][:_WIDEST]
    turn = vectors[:, kept] / np.sqrt(values[kept])
    own, its, their = (products(part) @ turn for part in (sample, rows, duplicates))
    return own, its, their


def _dimension(sample: Any) -> float:
    """Return the dimension in which cases spread, at most the number of columns: too low a one only misses some."""
    squares = np.sort(_distances(sample, sample), axis=1)[:, 1 : NEIGHBOURS + 1]
    squares = squares[squares[:, 0] > 1e-12 * max(float(squares.max()), 1e-300)]  # a copy of itself has no dimension
    if len(squares) < NEIGHBOURS:
        return 1.0
    logs = 0.5 * np.log(squares[:, -1:] / squares[:, :-1]).sum(axis=1)
    found = float((NEIGHBOURS - 2) / np.median(logs)) if np.median(logs) > 0 else 1.0
    return max(1.0, min(found, float(sample.shape[1]), _HIGHEST))


def _rejected(p: Floats) -> NDArray[np.bool_]:
    """Benjamini and Hochberg's procedure."""
    order = np.argsort(p)
    passed = np.flatnonzero(p[order] <= FALSE_SHARE * np.arange(1, len(p) + 1) / len(p))
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return rejected


def _standardized(reference: Any, held_out: Any) -> tuple[Any, Any] | None:
    """Return both inputs as matrices on the scale of the reference; sparse rows stay as they are."""
    if isinstance(reference, Mapping | list | tuple):
        keys = list(reference) if isinstance(reference, Mapping) else list(range(len(reference)))
        if set(keys) != set(held_out if isinstance(held_out, Mapping) else range(len(held_out))):
            return None
        pairs = [_standardized(reference[key], held_out[key]) for key in keys]
        known = [pair for pair in pairs if pair is not None]
        if len(known) < len(pairs) or not known:
            return None
        stack: Any = sparse.hstack if any(sparse.issparse(pair[0]) for pair in known) else np.hstack
        a, b = (stack([pair[side] for pair in known]) for side in (0, 1))
        return (a.tocsr(), b.tocsr()) if sparse.issparse(a) else (a, b)
    if sparse.issparse(reference) and sparse.issparse(held_out):
        return reference.tocsr().astype(np.float32), held_out.tocsr().astype(np.float32)
    a, b = (part.to_numpy() if hasattr(part, "iloc") else np.asarray(part) for part in (reference, held_out))
    if a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub" or not a.ndim:
        return None
    a, b = (part.reshape(len(part), -1) for part in (a, b))
    # in double precision: pressures in Pa, or seconds since 1970, differ beyond what single precision holds
    mean, spread = a.mean(axis=0, dtype=np.float64), a.std(axis=0, dtype=np.float64)
    spread = np.where(spread > 0, spread, 1)
    scaled = _scaled(a, mean, spread), _scaled(b, mean, spread)
    return scaled if all(np.isfinite(part).all() for part in scaled) else None


def _scaled(rows: NDArray[Any], mean: Floats, spread: Floats) -> NDArray[Any]:
    dtype = np.float64 if rows.shape[1] <= _NARROW else np.float32
    scaled = np.empty(rows.shape, dtype)
    for start in range(0, len(rows), _CHUNK):
        scaled[start : start + _CHUNK] = (rows[start : start + _CHUNK] - mean) / spread
    return scaled


def _neighbours(a: NDArray[Any], rows: NDArray[Any]) -> Floats:
    """Distances to the nearest reference cases that differ from each row, ascending."""
    from scipy.spatial import cKDTree

    distances, _ = cKDTree(np.unique(a, axis=0)).query(rows, k=NEIGHBOURS + 1)
    same = distances[:, :1] == 0
    return np.asarray(np.where(same, distances[:, 1:], distances[:, :-1]))


def _nearest_exactly(a: NDArray[Any], b: NDArray[Any]) -> tuple[Floats, NDArray[np.int64]]:
    """Distance to the nearest reference case, and which it is; infinite where that is the row itself."""
    from scipy.spatial import cKDTree

    nearest, partner = cKDTree(a).query(b, k=1)
    return np.where(nearest > 0, nearest, np.inf), np.asarray(partner, dtype=np.int64)


def _nearest_by_hashing(a: Any, b: Any, projections: Projections) -> tuple[Floats, NDArray[np.int64]]:
    """The same among the reference cases that share a hash; infinite where none does."""
    nearest, partner = np.full(b.shape[0], np.inf), np.zeros(b.shape[0], dtype=np.int64)
    for codes_a, codes_b in zip(*_hash_tables(a, b, projections), strict=True):
        order = np.argsort(codes_a, kind="stable")
        first = np.searchsorted(codes_a[order], codes_b, side="left")
        counts = np.searchsorted(codes_a[order], codes_b, side="right") - first
        for low, high in _portions(np.cumsum(counts)):
            many = counts[low:high]
            rows = np.repeat(np.arange(low, high), many)
            offsets = np.arange(len(rows)) - np.repeat(np.cumsum(many) - many, many)
            partners = order[np.repeat(first[low:high], many) + offsets]
            distances = np.sqrt(_squares(a[partners] - b[rows]))
            ranked = np.lexsort((distances, rows))
            best = ranked[np.unique(rows[ranked], return_index=True)[1]]
            nearer = best[distances[best] < nearest[rows[best]]]
            nearest[rows[nearer]], partner[rows[nearer]] = distances[nearer], partners[nearer]
    return np.where(nearest > 0, nearest, np.inf), partner


def _portions(ends: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut rows into portions of not too many pairs, at least a row each."""
    cuts = [0]
    while cuts[-1] < len(ends):
        before = int(ends[cuts[-1] - 1]) if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right"))))
    return list(pairwise(cuts))


def _hash_tables(a: Any, b: Any, projections: Projections) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    directions = np.random.default_rng(_SEED).standard_normal((a.shape[1], _TABLES * _BITS)).astype(np.float32)
    along = projections.of(a, directions)
    middle = along[:4096].mean(axis=0) if sparse.issparse(a) else 0
    return _codes(along, middle), _codes(projections.of(b, directions), middle)


def _codes(along: NDArray[np.float32], middle: Any) -> list[NDArray[np.int64]]:
    bits = along > middle
    powers = 1 << np.arange(_BITS, dtype=np.int64)
    return [bits[:, t * _BITS : (t + 1) * _BITS] @ powers for t in range(_TABLES)]


def _distances(a: Any, b: Any) -> Floats:
    """Squared distances of all rows to all rows, shape `(len(a), len(b))`."""
    product = a @ b.T
    product = product.toarray() if sparse.issparse(product) else product
    squares = _squares(a)[:, None] + _squares(b)[None, :] - 2 * np.asarray(product, dtype=np.float64)
    return np.asarray(np.maximum(squares, 0))


def _squares(rows: Any) -> Floats:
    squared = rows.multiply(rows).sum(axis=1) if sparse.issparse(rows) else np.square(rows).sum(axis=1)
    return np.asarray(squared, dtype=np.float64).ravel()
