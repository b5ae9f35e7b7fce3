"""What yields batches, read once: the same cases as arrays, whoever yields them; what has no end is refused."""

import itertools

import keras
import numpy as np
import pytest
import torch
from scipy import sparse

from gengap.datasets import loaders
from gengap.datasets.loaders import read_batches, yields_batches
from gengap.errors import DataError, DataWarning

X = np.arange(60, dtype="float32").reshape(20, 3)
Y = np.arange(20) % 2
WEIGHTS = np.linspace(0, 1, 20)


def parts(size=6):
    return [(X[at : at + size], Y[at : at + size], WEIGHTS[at : at + size]) for at in range(0, 20, size)]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, place):
        return parts()[place]


class LikeTensorFlow:
    """By its module, its cardinality and its tensors what `tf.data.Dataset` is; TensorFlow is not installed here."""

    def __init__(self, batches, cardinality):
        self._batches, self._cardinality = batches, cardinality

    def cardinality(self):
        return self._cardinality

    def __iter__(self):
        return iter(self._batches)


LikeTensorFlow.__module__ = "tensorflow.python.data.ops.dataset_ops"


class Eager:
    def __init__(self, array):
        self._array = array

    def numpy(self):
        return self._array


def from_torch(**options):
    tensors = [torch.tensor(one) for one in (X, Y, WEIGHTS)]
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), batch_size=6, **options)


YIELDERS = {
    "PyDataset": Batches,
    "DataLoader": from_torch,
    "generator": lambda: iter(parts()),
    "tf.data": lambda: LikeTensorFlow([tuple(map(Eager, one)) for one in parts()], 4),
    "tf.data of unknown length": lambda: LikeTensorFlow([tuple(map(Eager, one)) for one in parts()], -2),
}


@pytest.mark.parametrize("name", YIELDERS)
def test_gives_the_cases_in_the_order_in_which_they_come(name):
    given = YIELDERS[name]()
    assert yields_batches(given)
    x, y, weight = read_batches(given, "It")
    assert np.array_equal(x, X)
    assert x.dtype == X.dtype
    assert np.array_equal(y, Y)
    assert weight == pytest.approx(WEIGHTS)


def test_arrays_and_what_holds_them_are_no_loaders():
    assert not any(map(yields_batches, (X, [X, X], (X, Y), {"a": X}, sparse.csr_matrix(X), None, 3, range(3))))


def test_named_inputs_and_answers_keep_their_names_and_lists_their_places():
    x, y, weight = read_batches(iter([({"a": X[:3], "b": Y[:3]}, [Y[:3], X[:3]])] * 2), "It")
    assert np.array_equal(x["b"], np.tile(Y[:3], 2))
    assert np.array_equal(y[1], np.tile(X[:3], (2, 1)))
    assert weight is None


def test_no_weights_may_be_said_as_keras_takes_it():
    assert read_batches(iter([(X, Y, None), (X, Y)]), "The training data")[2] is None


def test_a_batch_may_reuse_its_buffer():
    def reused():
        buffer = np.empty((5, 3), "float32")
        for at in range(0, 20, 5):
            buffer[:] = X[at : at + 5]
            yield buffer, Y[at : at + 5]

    assert np.array_equal(read_batches(reused(), "It")[0], X)


def test_sparse_rows_stay_sparse():
    rows = read_batches(iter([(sparse.csr_matrix(X[:9]), Y[:9]), (sparse.csr_matrix(X[9:]), Y[9:])]), "It")[0]
    assert sparse.issparse(rows)
    assert np.array_equal(rows.toarray(), X)


def test_beyond_a_size_cases_lie_in_a_file(monkeypatch):
    monkeypatch.setattr(loaders, "IN_MEMORY", 100)
    x, y, _ = read_batches(iter(parts()), "It")
    assert isinstance(x, np.memmap)
    assert np.array_equal(x, X)
    assert np.array_equal(y, Y)


def endless():
    return itertools.cycle(parts())


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (endless, "is taken for infinite"),
        (lambda: LikeTensorFlow([], -1), r"leave `\.repeat\(\)` out"),
        (
            type("Open", (keras.utils.PyDataset,), {"__getitem__": lambda *_: (X, Y)}),
            "give its class `__len__`",
        ),
        (lambda: iter(()), "can be read once only"),
        (lambda: iter([X]), r"must yield batches \(x, y\)"),
        (lambda: iter([(X, Y), (X[:, :2], Y)]), "pad or cut them alike"),
        (lambda: iter([(X, Y), ({"a": X}, Y)]), "different forms"),
        # together there are as many answers as cases, and all in between would belong to others
        (lambda: iter([(X[:3], Y[:2]), (X[3:5], Y[2:5])]), "Batch 1 of the training data"),
        (lambda: iter([(X, Y, np.ones(len(Y))), (X[:3], Y[:3], np.ones(2))]), "Batch 2 .* 1 more in one"),
        (lambda: iter([(X.astype(str), Y)]), "takes numbers"),
        (lambda: iter([(X, 3)]), "single number"),
        (lambda: from_torch().dataset, r"DataLoader\(dataset, batch_size=256\)"),
    ],
)
def test_what_cannot_be_read_is_said(monkeypatch, made, said):
    monkeypatch.setattr(loaders, "MOST_BATCHES", 1000)
    with pytest.raises(DataError, match=said):
        read_batches(made(), "The training data")


def test_an_endless_one_is_refused_by_its_size_too(monkeypatch):
    monkeypatch.setattr(loaders, "MOST_BYTES", 10_000)
    with pytest.raises(DataError, match=r"has not ended after \d+ batches and 0\.0 GiB"):
        read_batches(endless(), "It")


def test_what_differs_each_time_is_said():
    rng = np.random.default_rng(0)
    augmented = type("Augmented", (Batches,), {"__getitem__": lambda _, place: (rng.normal(size=(5, 3)), Y[:5])})()
    with pytest.warns(DataWarning, match=r"every epoch sees the same ones\. Put augmentation into the model"):
        read_batches(augmented, "The training data")
