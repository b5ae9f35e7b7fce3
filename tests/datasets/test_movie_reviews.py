"""The IMDB loader: Keras' contract, both formats, both splits, and files that must not be opened."""

import json
import os

import keras
import numpy as np
import pytest

from gengap.datasets.movie_reviews import imdb, imdb_word_index, load_reviews
from gengap.datasets.tokens import decode_review
from gengap.errors import DataError


def keras_loads(path, **options):
    """Keras' own loader on the same file."""
    return keras.datasets.imdb.load_data(str(path), **options)


@pytest.mark.parametrize("options", [{"num_words": 9}, {"num_words": 34}, {"num_words": 12, "skip_top": 6}])
def test_the_loader_keeps_keras_contract(keras_file, monkeypatch, options):
    # what Keras itself makes of the file, with its download and its hash left out
    module = __import__("importlib").import_module("keras.src.datasets.imdb")
    monkeypatch.setattr(module, "get_file", lambda fname, **_: fname)
    for (texts, answers), (expected, labels) in zip(
        load_reviews(keras_file, **options), keras_loads(keras_file, **options), strict=True
    ):
        assert [list(text) for text in texts] == [list(text) for text in expected]
        assert answers.tolist() == labels.tolist()


def test_both_formats_give_the_same_rows(keras_file, tmp_path):
    (x_train, y_train), (x_test, y_test) = load_reviews(keras_file, num_words=34)
    flat = tmp_path / "flat.npz"
    arrays = {"x_train_tokens": x_train.tokens, "x_train_offsets": x_train.offsets, "y_train": y_train}
    np.savez(flat, **arrays, x_test_tokens=x_test.tokens, x_test_offsets=x_test.offsets, y_test=y_test)
    one, other = (imdb(path, num_words=12, split="tutorial") for path in (keras_file, flat))
    assert (one.train.x != other.train.x).nnz == 0
    assert (one.validation.x != other.validation.x).nnz == 0
    np.testing.assert_array_equal(one.train.y, other.train.y)


def test_sequences_can_be_padded_by_keras(flat_file):
    (texts, _), _ = load_reviews(flat_file, num_words=9)
    padded = keras.utils.pad_sequences(texts, maxlen=3)
    assert padded.tolist() == [[4, 8, 8], [0, 1, 5], [1, 6, 2], [0, 1, 4], [0, 1, 7]]


def test_the_tutorials_split_validates_on_the_test_half(flat_file):
    data = imdb(flat_file, num_words=10, split="tutorial")
    assert [len(data.train), len(data.validation)] == [5, 3]
    assert data.test is None
    expected = np.zeros((3, 10))
    for row, words in enumerate(([1, 5], [1, 7, 2], [1, 9])):
        expected[row, words] = 1
    np.testing.assert_array_equal(data.validation.x.toarray(), expected)


def test_the_three_way_split_cuts_validation_from_the_first_of_training(flat_file):
    data, tutorial = imdb(flat_file, num_words=10), imdb(flat_file, num_words=10, split="tutorial")
    assert [len(data.train), len(data.validation), len(data.test)] == [3, 2, 3]
    np.testing.assert_array_equal(data.validation.x.toarray(), tutorial.train.x[:2].toarray())
    np.testing.assert_array_equal(data.train.x.toarray(), tutorial.train.x[2:].toarray())
    np.testing.assert_array_equal(data.test.x.toarray(), tutorial.validation.x.toarray())
    assert data.train.y.tolist() == [0, 1, 1]


def test_dense_rows_on_request(flat_file):
    sparse, dense = imdb(flat_file, num_words=10), imdb(flat_file, num_words=10, dense=True)
    assert dense.train.x.dtype == np.float32
    np.testing.assert_array_equal(dense.train.x, sparse.train.x.toarray())
    assert len(sparse.feature_names) == 10


def test_pickles_are_opened_only_with_keras_own_hash(keras_file, monkeypatch):
    monkeypatch.undo()  # the hash is Keras' again, and the file is another
    with pytest.raises(DataError, match=r"not Keras' imdb\.npz .* unpickling can run any code"):
        imdb(keras_file)


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


def test_a_pickle_under_a_flat_name_is_not_opened(tmp_path, flat_arrays):
    trap = np.empty(1, dtype=object)
    trap[0] = _Trap()
    path = tmp_path / "trap.npz"
    np.savez(path, **{**flat_arrays, "x_train_tokens": trap})
    with pytest.raises(DataError, match="not an npz file of reviews, or is damaged"):
        imdb(path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00v\x00"])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "imdb.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        imdb(path)


def test_a_truncated_archive_is_refused(flat_file):
    flat_file.write_bytes(flat_file.read_bytes()[:-200])
    with pytest.raises(DataError, match="damaged"):
        imdb(flat_file)


def test_a_flipped_byte_is_noticed(flat_file):
    content = bytearray(flat_file.read_bytes())
    content[content.index(b"\x93NUMPY") + 128] ^= 1  # the first number of the first array
    flat_file.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        imdb(flat_file)


def test_other_archives_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    with pytest.raises(DataError, match=r"must hold Keras' arrays .* got \['a'\]"):
        imdb(tmp_path / "other.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"x_train_offsets": np.array([0, 4, 6, 9, 11, 14])},
        {"x_train_offsets": np.array([0, 6, 4, 9, 11, 13])},
        {"y_test": np.array([1], dtype=np.int8)},
        {"x_test_offsets": np.array([], dtype=int)},
        {"x_train_tokens": np.full(13, 0.5)},
        {"x_train_tokens": np.full(13, -1)},
        {"y_test": np.array([0, 1, 2], dtype=np.int8)},
    ],
)
def test_flat_arrays_that_do_not_fit_are_refused(tmp_path, flat_arrays, change):
    np.savez(tmp_path / "flat.npz", **{**flat_arrays, **change})
    with pytest.raises(DataError, match="do not fit"):
        imdb(tmp_path / "flat.npz", num_words=10)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        imdb(tmp_path / "nowhere.npz")


def test_a_failed_download_says_what_to_do(monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure")  # noqa: TRY002 - what Keras raises

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(DataError, match="give the `path` of a copy"):
        imdb()


def test_a_stale_download_is_not_opened(keras_file, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: str(keras_file))
    with pytest.raises(DataError, match=r"not Keras' imdb\.npz"):
        imdb()


@pytest.mark.parametrize("num_words", [0, -1, 2, 2.5, None])
def test_too_few_words_are_refused(flat_file, num_words):
    with pytest.raises(ValueError, match="`num_words` must be a whole number of at least 3"):
        imdb(flat_file, num_words=num_words)


def test_more_words_than_the_file_holds_are_refused(flat_file):
    with pytest.raises(DataError, match="`num_words` must be at most 10, all that the file holds, got 11"):
        imdb(flat_file, num_words=11)


def test_an_unknown_split_is_refused(flat_file):
    with pytest.raises(ValueError, match='must be "three-way" or "tutorial"'):
        imdb(flat_file, split="two-way")


def test_the_word_index_is_read_and_checked(tmp_path):
    path = tmp_path / "index.json"
    path.write_text(json.dumps({"the": 1, "and": 2}))
    assert imdb_word_index(path) == {"the": 1, "and": 2}
    path.write_text('["the"]')
    with pytest.raises(DataError, match="must map words to ranks"):
        imdb_word_index(path)
    path.write_text("{")
    with pytest.raises(DataError, match="not a JSON"):
        imdb_word_index(path)


@pytest.mark.imdb
def test_the_real_reviews():
    path = os.environ.get("GENGAP_IMDB")
    if not path:
        pytest.skip("needs GENGAP_IMDB, the path of the reviews")
    data = imdb(path)
    assert [len(data.train), len(data.validation), len(data.test)] == [15_000, 10_000, 25_000]
    assert data.train.x.shape == (15_000, 10_000)
    assert data.test.y.mean() == 0.5
    size = sum(part.nbytes for part in (data.test.x.data, data.test.x.indices, data.test.x.indptr))
    assert size < 40e6
    (texts, answers), _ = load_reviews(path)
    assert texts[0][:8].tolist() == [1, 14, 22, 16, 43, 530, 973, 1622]
    assert answers[:5].tolist() == [1, 0, 0, 1, 0]
    np.testing.assert_allclose(np.diff(texts.offsets).mean(), 238.71, atol=0.005)  # 234.76 over both halves
    np.testing.assert_array_equal(data.validation.x[0].indices, np.unique(texts[0]))


@pytest.mark.imdb
def test_a_real_review_is_decoded():
    path, index = os.environ.get("GENGAP_IMDB"), os.environ.get("GENGAP_IMDB_WORD_INDEX")
    if not (path and index):
        pytest.skip("needs GENGAP_IMDB and GENGAP_IMDB_WORD_INDEX, the paths of the reviews and of Keras' word index")
    (texts, _), _ = load_reviews(path)
    assert decode_review(texts[0], imdb_word_index(index)).startswith(
        "? this film was just brilliant casting location scenery story direction everyone's really suited the part"
    )
