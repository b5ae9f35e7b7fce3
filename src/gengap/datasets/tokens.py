"""Texts as sequences of word numbers, and what models make of them: multi-hot rows, or words again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

START, UNKNOWN, INDEX_FROM = 1, 2, 3
"""Keras' convention: 1 starts a text, 2 stands for a word left out, the word of rank r has the number r + 3."""


@dataclass(frozen=True, eq=False)
class TokenSequences:
    """Many sequences of word numbers in one array; a sequence of arrays, so `keras.utils.pad_sequences` takes it.

    Attributes:
        tokens: All numbers one after another, shape `(total,)`.
        offsets: Where each text begins, and the end of the last: shape `(n + 1,)`.

    Example:
        >>> texts = TokenSequences(np.array([1, 14, 22, 1, 16]), np.array([0, 3, 5]))
        >>> len(texts), texts[1]
        (2, array([ 1, 16]))
    """

    tokens: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Return the word numbers of one text."""
        position = range(len(self))[index]
        return self.tokens[self.offsets[position] : self.offsets[position + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Go through the texts."""
        return (self[index] for index in range(len(self)))

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> "TokenSequences":
        """Join texts that are given one by one."""
        offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
        tokens = (
            np.concatenate([np.asarray(text, dtype=np.int64) for text in texts]) if len(texts) else np.empty(0, int)
        )
        return cls(tokens, offsets)


def multi_hot(texts: TokenSequences | Sequence[Sequence[int]], num_words: int) -> sparse.csr_matrix:
    """Which words occur in which text: the tutorial's `vectorize_sequences`, as sparse rows.

    Args:
        texts: Word numbers of each text, all at least 0 and below `num_words`.
        num_words: Number of columns.

    Returns:
        A CSR matrix of float32 ones, shape `(n, num_words)`, columns sorted within each row; dense by
        `.toarray()`.

    Raises:
        ValueError: A word number lies outside of `[0, num_words)`.

    Example:
        >>> multi_hot([[1, 3, 3], [0]], num_words=4).toarray()
        array([[0., 1., 0., 1.],
               [1., 0., 0., 0.]], dtype=float32)
    """
    sequences = texts if isinstance(texts, TokenSequences) else TokenSequences.of(texts)
    tokens = sequences.tokens
    if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < num_words:
        raise ValueError(
            f"`texts` must hold word numbers from 0 to `num_words` - 1 = {num_words - 1}, "
            f"got {int(tokens.min())} to {int(tokens.max())}"
        )
    ones = np.ones(len(tokens), dtype=np.float32)
    shape = (len(sequences), num_words)
    rows = sparse.csr_matrix((ones, tokens.astype(np.int32), sequences.offsets.astype(np.int32)), shape=shape)
    rows.sum_duplicates()
    rows.data[:] = 1.0
    return rows


def decode_review(tokens: Sequence[int] | NDArray[Any], word_index: Mapping[str, int]) -> str:
    """Turn word numbers back into words; start signs, padding and words left out become `?`.

    Args:
        tokens: Word numbers of one text, in Keras' convention.
        word_index: Rank of each word, from 1, as `keras.datasets.imdb.get_word_index` gives it.

    Example:
        >>> decode_review([1, 4, 5, 2], {"the": 1, "film": 2})
        '? the film ?'
    """
    words = {rank + INDEX_FROM: word for word, rank in word_index.items()}
    return " ".join(words.get(int(token), "?") for token in tokens)
