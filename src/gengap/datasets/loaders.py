"""What yields batches (Keras' PyDataset, tf.data, torch's DataLoader, generators), read once into arrays of cases."""

import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.errors import DataError, DataWarning

IN_MEMORY = 2**30
"""Bytes of an array that are kept in memory; the rest goes to a temporary file that is mapped, and ends with us."""
MOST_BYTES = 2**35
"""Bytes after which something that does not say its length is taken for infinite; half of the free disk, if less."""
MOST_BATCHES = 1_000_000
"""Batches after which it is."""
_ENDLESS = -1
"""What `tf.data.Dataset.cardinality()` says of a data set without an end."""
_INSTEAD = "give its `.take(n)`, `itertools.islice(..., n)`, or arrays"


def yields_batches(given: Any) -> bool:
    """Tell whether something is read batch by batch: by what it can do and where its class is from, not imported here.

    Arrays, tables, mappings, lists and tuples do not, however they can be iterated over.
    """
    kind = type(given)
    homes = {f"{base.__module__.split('.')[0]}.{base.__name__}" for base in kind.__mro__}
    modules = tuple(base.__module__ for base in kind.__mro__)
    elsewhere = any(one.startswith(("torch.utils.data", "tensorflow.python.data", "grain.")) for one in modules)
    return "keras.PyDataset" in homes or elsewhere or hasattr(given, "__next__")


def read_batches(given: Any, what: str, *, progress: bool = False) -> tuple[Any, Any, NDArray[Any] | None]:
    """Read every batch once, and return inputs, answers and weights of all cases, in the order in which they came.

    What does not say its length is read to its end, and is refused as infinite beyond `MOST_BYTES` or `MOST_BATCHES`.

    Args:
        given: A `keras.utils.PyDataset`, `tf.data.Dataset`, torch `DataLoader` or generator of batches `(x, y)` or
            `(x, y, sample_weight)`; `x` and `y` are arrays, tensors, or mappings or lists of such.
        what: What it is, for messages.
        progress: Whether to show how far it is.

    Returns:
        Inputs and answers in the structure of a batch, and weights, or None where batches have none.

    Raises:
        DataError: It has no end, yields nothing, or batches of another form or shape.

    Warns:
        DataWarning: It gives other values when it is asked again: they are read once, and stay the same in every epoch.
    """
    _check_batched(given, what)
    _check_restless(given, what)
    number = _length(given, what)
    columns: dict[tuple[Any, ...], _Cases] = {}
    try:
        form = _read(given, number, columns, what, progress=progress)
        arrays = {path: one.whole() for path, one in columns.items()}
    finally:
        for one in columns.values():
            one.close()
    x, y, *weight = _built(form, arrays, ())
    return x, y, np.asarray(weight[0]).reshape(-1) if weight else None


def _read(
    given: Any, number: int | None, columns: dict[tuple[Any, ...], "_Cases"], what: str, *, progress: bool
) -> Any:
    """Read every batch into columns, and return the form that all of them have."""
    form: Any = None
    read = 0
    with _shown(number, what, show=progress) as advance:
        for batch in _batches(given, number):
            own, parts = _flat(_checked(batch, what), ())
            if form is None:
                form = own
                columns.update((path, _Cases()) for path, _ in parts)
            elif own != form:
                raise DataError(f"{what} yields batches of different forms: {form} and {own}.")
            for path, values in parts:
                columns[path].add(_array(values, what), what)
            read += 1
            if len(counts := {one.length for one in columns.values()}) > 1:
                # later batches may make up for it, and every answer in between would be another case's
                raise DataError(
                    f"Batch {read} of {what[0].lower()}{what[1:]} holds different numbers of cases in its arrays, "
                    f"{max(counts) - min(counts)} more in one than in another: each case needs its inputs and answers."
                )
            if number is None:
                _check_end(read, sum(one.size for one in columns.values()), what)
            advance()
    if not read:
        raise DataError(f"{what} yields no batch; a generator can be read once only: make it anew.")
    return form


class _Cases:
    """Cases of one array as they come: in memory, and beyond a size in a file."""

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._held, self.size, self.length = 0, 0, 0
        self._file: Any = None
        self._form: tuple[Any, ...] | None = None

    def add(self, values: Any, what: str) -> None:
        """Take the cases of a batch."""
        if values.ndim == 0:
            raise DataError(f"{what} yields batches that hold a single number, where an axis of cases must be.")
        form = values.shape[1:], values.dtype, sparse.issparse(values)
        if self._form is None:
            self._form = form
        elif form != self._form:
            raise DataError(
                f"{what} yields batches whose cases differ: shape {self._form[0]} of {self._form[1]}, then {form[0]} "
                f"of {form[1]}; pad or cut them alike."
            )
        self._parts.append(values.copy())  # a loader may use its buffer again
        size = int(values.data.nbytes if sparse.issparse(values) else values.nbytes)
        self._held += size
        self.size += size
        self.length += int(values.shape[0])
        if self._held > IN_MEMORY and not sparse.issparse(values):
            self._spill()

    def whole(self) -> Any:
        """Return all cases."""
        if self._file is None:
            is_sparse = sparse.issparse(self._parts[0])
            return sparse.vstack(self._parts, format="csr") if is_sparse else np.concatenate(self._parts)
        self._spill()
        assert self._form is not None  # noqa: S101  a batch was added
        self._file.flush()
        shape = (self.length, *self._form[0])
        return np.memmap(self._file, dtype=self._form[1], mode="r+", shape=shape)

    def close(self) -> None:
        """Close the file; what is mapped stays, and ends with the map."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="gengap-")  # noqa: SIM115  it lives as long as its map
        for part in self._parts:
            self._file.write(np.ascontiguousarray(part).data)
        self._parts, self._held = [], 0


def _length(given: Any, what: str) -> int | None:
    """Return the number of batches; None where only reading can tell.

    Raises:
        DataError: It says that it has no end.
    """
    if hasattr(given, "cardinality"):
        known = int(given.cardinality())
        if known == _ENDLESS:
            raise DataError(f"{what} repeats without an end: leave `.repeat()` out, or {_INSTEAD}.")
        return known if known >= 0 else None
    try:
        return len(given)
    except (TypeError, NotImplementedError) as reason:
        if _is_indexed(given):
            raise DataError(f"{what} does not say how many batches it has: give its class `__len__`.") from reason
        return None


def _batches(given: Any, number: int | None) -> Iterator[Any]:
    """Yield the batches; what is indexed, as a PyDataset, is asked by their places."""
    if number is None or not _is_indexed(given):
        yield from given
        return
    for place in range(number):
        yield given[place]


def _is_indexed(given: Any) -> bool:
    return hasattr(given, "__getitem__") and not hasattr(given, "__next__")


def _check_end(batches: int, size: int, what: str) -> None:
    most = min(MOST_BYTES, shutil.disk_usage(tempfile.gettempdir()).free // 2) if size > IN_MEMORY else MOST_BYTES
    if batches > MOST_BATCHES or size > most:
        raise DataError(
            f"{what} does not say its length, and has not ended after {batches:,} batches and {size / 2**30:.1f} GiB: "
            f"it is taken for infinite (limits are {MOST_BATCHES:,} batches and {most / 2**30:.1f} GiB). If it ends, "
            f"{_INSTEAD}."
        )


def _check_batched(given: Any, what: str) -> None:
    if _is_indexed(given) and _is_torch(given):
        raise DataError(
            f"{what} is a Dataset of torch, which gives single cases: give `torch.utils.data.DataLoader(dataset, "
            "batch_size=256)`."
        )


def _is_torch(given: Any) -> bool:
    return any(base.__module__.startswith("torch.utils.data") for base in type(given).__mro__)


def _check_restless(given: Any, what: str) -> None:
    """Warn where a batch or case is not the same when it is asked for again, as random augmentation makes it."""
    source = getattr(given, "dataset", given)
    if not _is_indexed(source):
        return
    try:
        first, again = (_flat(source[0], ())[1] for _ in range(2))
        pairs = [(_array(one, what), _array(other, what)) for (_, one), (_, other) in zip(first, again, strict=True)]
        same = all(np.array_equal(one, other) for one, other in pairs)
    except (DataError, LookupError, NotImplementedError, TypeError, ValueError):
        return  # whatever is wrong is said when it is read
    if not same:
        warnings.warn(
            f"{what} gives other values when it is asked again (random augmentation?): a study reads it once, so every "
            "epoch sees the same ones. Put augmentation into the model, as gg.Augment does.",
            DataWarning,
            stacklevel=5,
        )


def _checked(batch: Any, what: str) -> Sequence[Any]:
    if isinstance(batch, tuple | list) and len(batch) in {2, 3}:
        return tuple(batch[:2] if batch[-1] is None else batch)  # Keras takes None for no weights
    found = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
    raise DataError(f"{what} must yield batches (x, y) or (x, y, sample_weight); received {found}.")


def _flat(batch: Any, path: tuple[Any, ...]) -> tuple[Any, list[tuple[tuple[Any, ...], Any]]]:
    """Return the form of a batch, as nested names, and its arrays by their path."""
    if isinstance(batch, Mapping):
        named = {name: _flat(part, (*path, name)) for name, part in batch.items()}
        return {name: form for name, (form, _) in named.items()}, [one for _, parts in named.values() for one in parts]
    if isinstance(batch, tuple | list) and not all(np.isscalar(one) for one in batch):
        each = [_flat(part, (*path, place)) for place, part in enumerate(batch)]
        return tuple(form for form, _ in each), [one for _, parts in each for one in parts]
    return None, [(path, batch)]


def _built(form: Any, arrays: Mapping[tuple[Any, ...], Any], path: tuple[Any, ...]) -> Any:
    if isinstance(form, Mapping):
        return {name: _built(part, arrays, (*path, name)) for name, part in form.items()}
    if isinstance(form, tuple):
        return [_built(part, arrays, (*path, place)) for place, part in enumerate(form)]
    return arrays[path]


def _array(values: Any, what: str) -> Any:
    """Return a batch as NumPy, or as sparse rows."""
    if sparse.issparse(values):
        return values.tocsr()
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    elif hasattr(values, "numpy") and not isinstance(values, np.ndarray):
        values = values.numpy()
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as reason:
        raise DataError(f"{what} yields batches that cannot be read as arrays ({reason}).") from reason
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} yields {array.dtype}, and a study takes numbers: encode them first.")
    return array


@contextmanager
def _shown(number: int | None, what: str, *, show: bool) -> Iterator[Callable[[], None]]:
    """Give what is called for every batch; shows a bar on a terminal."""
    if not (show and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"reading {what}", total=number)
        yield lambda: bar.advance(task)
