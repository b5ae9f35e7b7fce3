"""Synthetic reviews: bags of words after Zipf, with the true probability of a positive answer of every case."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.datasets.split import Dataset, Split
from gengap.datasets.tokens import TokenSequences, multi_hot
from gengap_examples.sizes import require_cases, require_seed

ZIPF_SHIFT = 2.7
SHARE_OF_TELLING_WORDS = 0.2
STRENGTH = 4.0  # standard deviation of the true log odds

DESCRIPTION = """\
Synthetic, drawn by a generator and never observed: a case is the set of words of a text, drawn independently with
frequencies after Zipf and Mandelbrot. One word in five speaks for or against; the sum over the words that occur is the
log odds of the answer, which is drawn from it. The true probability of every case is kept in `truth`.
"""


def reviews(
    *,
    n_train: int = 2_000,
    n_validation: int = 2_000,
    n_test: int = 2_000,
    num_words: int = 2_000,
    mean_length: int = 200,
    seed: int = 0,
    dense: bool = False,
) -> Dataset:
    """Bags of words from a generator, positive against negative; the true probability of every case is known.

    Answers are drawn from `truth`, so no forecast has a better expected proper score than it. About half are positive.

    Args:
        n_train: Cases for training.
        n_validation: Cases for validation.
        n_test: Cases for test.
        num_words: Number of different words, the most frequent first.
        mean_length: Mean number of words in a text, repetitions counted; lengths spread by half of it.
        seed: Fixes all draws.
        dense: Whether rows are dense float32 instead of CSR.

    Returns:
        A binary data set; `x` has shape `(n, num_words)`, float32; `y` is float32, shape `(n,)`.

    Raises:
        ValueError: A number is below 1, or `seed` is negative.
        TypeError: One of them is not a whole number.

    Example:
        >>> data = reviews(n_train=100, num_words=500)
        >>> data.train.x.shape, data.train.x.format
        ((100, 500), 'csr')
    """
    sizes = {"train": n_train, "validation": n_validation, "test": n_test}
    for name, n in {**{f"n_{name}": n for name, n in sizes.items()}, "num_words": num_words}.items():
        require_cases(name, n)
    require_cases("mean_length", mean_length)
    require_seed(seed)
    frequency = 1 / (np.arange(num_words) + 1 + ZIPF_SHIFT)
    frequency /= frequency.sum()
    weights, intercept = _sentiment(frequency, mean_length, seed)
    splits, truth = {}, {}
    for position, (name, n) in enumerate(sizes.items(), start=1):
        random = np.random.default_rng([seed, position])
        rows = _draw_texts(n, frequency, mean_length, random)
        truth[name] = 1 / (1 + np.exp(-(rows.astype(np.float64) @ weights + intercept)))
        y = (random.random(n) < truth[name]).astype(np.float32)
        splits[name] = Split(rows.toarray() if dense else rows, y)
    return Dataset(
        name="reviews",
        task="binary",
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        description=DESCRIPTION,
        feature_names=tuple(f"word {rank}" for rank in range(1, num_words + 1)),
        label_names=("negative", "positive"),
        target_units="",
        synthetic=True,
        licence="Apache-2.0, as gengap itself",
        citation="gengap's generator of synthetic reviews",
        truth=truth,
    )


def _sentiment(frequency: NDArray[np.float64], mean_length: int, seed: int) -> tuple[NDArray[np.float64], float]:
    """Draw each word's log odds, scaled so that those of a text of mean length have mean 0 and deviation `STRENGTH`."""
    random = np.random.default_rng([seed, 0])
    telling = random.random(len(frequency)) < SHARE_OF_TELLING_WORDS
    telling[0] = True  # at least one, whatever the number of words
    weights = np.where(telling, random.normal(size=len(frequency)), 0.0)
    occurs = -np.expm1(-mean_length * frequency)
    weights *= STRENGTH / np.sqrt(np.sum(weights**2 * occurs * (1 - occurs)))
    return weights, -float(weights @ occurs)


def _draw_texts(
    n: int, frequency: NDArray[np.float64], mean_length: int, random: np.random.Generator
) -> sparse.csr_matrix:
    lengths = np.maximum(1, random.gamma(4.0, mean_length / 4.0, n).round()).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    words = np.searchsorted(np.cumsum(frequency)[:-1], random.random(offsets[-1]), side="right")
    return multi_hot(TokenSequences(words, offsets), len(frequency))
