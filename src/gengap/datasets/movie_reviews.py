"""IMDB movie reviews: is this one positive?"""

from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.review_files import Half, read_reviews, read_word_index
from gengap.datasets.split import Dataset, Split
from gengap.datasets.tokens import UNKNOWN, TokenSequences, multi_hot
from gengap.errors import DataError

VALIDATION_SHARE = 0.4  # the book's own: 10,000 of 25,000

DESCRIPTION = """\
A case is a movie review of the Internet Movie Database, as the set of words that occur in it; the answer is 1 if its
author gave at least 7 of 10 stars, 0 if at most 4. At most 30 reviews belong to one film, and no film is in both the
training and the test half.
"""

CITATION = """\
Maas, A. L., R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng and C. Potts, 2011: Learning word vectors for sentiment
analysis. Proc. 49th Annual Meeting of the ACL, 142-150.
"""

_Arrays = tuple[TokenSequences, NDArray[np.int8]]


def imdb(
    path: str | PathLike[str] | None = None,
    *,
    num_words: int = 10_000,
    split: Literal["three-way", "tutorial"] = "three-way",
    dense: bool = False,
) -> Dataset:
    """Movie reviews as multi-hot rows, positive against negative; real, 25,000 for training and 25,000 for test.

    Args:
        path: Keras' own `imdb.npz` or a flat file (`x_train_tokens`, `x_train_offsets`, `y_train`, likewise test);
            None lets Keras download its own, hash-checked, into its cache.
        num_words: Number of columns: the most frequent words keep theirs, all others share column 2.
        split: `"three-way"` takes the first two fifths of the training half as validation data (the book's 10,000) and
            keeps the test half for the end. `"tutorial"` uses the test half as validation data, as the tutorial does:
            then nothing is left that no choice has seen, and `test` is None.
        dense: Whether rows are dense float32 (1 GB per half) instead of CSR (tens of MB).

    Returns:
        A binary data set; `x` has shape `(n, num_words)`, float32; `y` is float32, shape `(n,)`.

    Raises:
        ValueError: `num_words` is below 3, or `split` is neither word.
        FileNotFoundError: There is no file at `path`.
        DataError: The file cannot be had, is damaged, or pickled and not Keras' own; or `num_words` asks for more
            words than the file holds.
    """
    if split not in {"three-way", "tutorial"}:
        raise ValueError(f'`split` must be "three-way" or "tutorial", got {split!r}')
    train, test = (
        _vectorized(texts, answers, num_words, dense=dense)
        for texts, answers in load_reviews(path, num_words=num_words)
    )
    cut = round(VALIDATION_SHARE * len(train)) if split == "three-way" else 0
    return Dataset(
        name="imdb",
        task="binary",
        train=Split(train.x[cut:], train.y[cut:]) if cut else train,
        validation=Split(train.x[:cut], train.y[:cut]) if cut else test,
        test=test if cut else None,
        description=DESCRIPTION,
        feature_names=("padding", "start", "unknown", *(f"word {rank}" for rank in range(num_words - 3))),
        label_names=("negative", "positive"),
        target_units="",
        synthetic=False,
        licence="none given by its authors: use it, do not pass it on",
        citation=CITATION,
    )


def load_reviews(
    path: str | PathLike[str] | None = None, *, num_words: int = 10_000, skip_top: int = 0
) -> tuple[_Arrays, _Arrays]:
    """Load reviews as `keras.datasets.imdb.load_data` does: same order, numbering and answers.

    Args:
        path: As in `imdb`.
        num_words: Word numbers from here on become 2, "unknown".
        skip_top: Word numbers below this become 2 as well (also the start sign, as in Keras).

    Returns:
        `(x_train, y_train), (x_test, y_test)`; `x` are sequences of word numbers, `y` int8 zeros and ones.

    Raises:
        ValueError: `num_words` is below 3.
        FileNotFoundError: There is no file at `path`.
        DataError: As in `imdb`.
    """
    if not isinstance(num_words, int | np.integer) or num_words <= UNKNOWN:
        raise ValueError(
            f"`num_words` must be a whole number of at least 3 (2 stands for unknown words), got {num_words!r}"
        )
    train, test = read_reviews(None if path is None else Path(path))
    words = max(int(half.x.tokens.max(initial=0)) for half in (train, test)) + 1
    if num_words > words:
        raise DataError(f"`num_words` must be at most {words}, all that the file holds, got {num_words}")
    return _limited(train, num_words, skip_top), _limited(test, num_words, skip_top)


def imdb_word_index(path: str | PathLike[str] | None = None) -> dict[str, int]:
    """Rank of each word, from 1, for `decode_review`; Keras' own file, downloaded or at `path`.

    Raises:
        FileNotFoundError: There is no file at `path`.
        DataError: The download fails, or the file holds something else.
    """
    return read_word_index(None if path is None else Path(path))


def _limited(half: Half, num_words: int, skip_top: int) -> _Arrays:
    tokens = half.x.tokens
    kept = (tokens >= skip_top) & (tokens < num_words)
    return TokenSequences(np.where(kept, tokens, tokens.dtype.type(UNKNOWN)), half.x.offsets), half.y


def _vectorized(texts: TokenSequences, answers: NDArray[np.int8], num_words: int, *, dense: bool) -> Split:
    rows: Any = multi_hot(texts, num_words)
    return Split(rows.toarray() if dense else rows, answers.astype(np.float32))
