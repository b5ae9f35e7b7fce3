"""Multi-hot rows and decoded texts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengap.datasets.tokens import TokenSequences, decode_review, multi_hot

TEXTS = st.lists(st.lists(st.integers(0, 19), max_size=12), max_size=8)


def vectorize_sequences(sequences, dimension):
    """The tutorial's own function."""
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


@settings(deadline=None)
@given(TEXTS)
def test_multi_hot_is_the_tutorials_vectorize_sequences(texts):
    rows = multi_hot(texts, 20)
    assert rows.format == "csr"
    assert rows.dtype == np.float32
    assert rows.has_sorted_indices
    assert rows.has_canonical_format
    np.testing.assert_array_equal(rows.toarray(), vectorize_sequences(texts, 20))


@settings(deadline=None)
@given(TEXTS)
def test_token_sequences_give_the_texts_back(texts):
    sequences = TokenSequences.of(texts)
    assert len(sequences) == len(texts)
    assert [list(text) for text in sequences] == texts
    assert [list(sequences[i]) for i in range(-len(texts), 0)] == texts


@pytest.mark.parametrize("texts", [[[4]], [[1], [-1]]])
def test_word_numbers_outside_of_the_columns_are_refused(texts):
    with pytest.raises(ValueError, match="word numbers from 0 to `num_words` - 1 = 3"):
        multi_hot(texts, 4)


def test_an_index_beyond_the_texts_is_refused():
    with pytest.raises(IndexError):
        TokenSequences.of([[1]])[1]


def test_decoding_undoes_the_shift_of_three():
    index = {"the": 1, "film": 2, "great": 3}
    assert decode_review([1, 4, 5, 2, 6, 0], index) == "? the film ? great ?"
    assert decode_review(np.array([4], dtype=np.uint16), index) == "the"
