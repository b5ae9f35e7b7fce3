"""Which cases a run sees, in which order: the same for every variant of a seed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gengap.engine.runs import Run
from gengap.randomness import generator


def subset(seed: int, num_cases: int, *, share: float) -> NDArray[np.bool_]:
    """Return which training cases a run learns from, shape `(num_cases,)`.

    Subsets of one seed are nested: a smaller share is part of every larger one.
    """
    chosen = np.zeros(num_cases, dtype=bool)
    rank = generator(seed, "subset").permutation(num_cases)
    chosen[rank[: max(1, round(share * num_cases))]] = True
    return chosen


def epoch_order(
    seed: int, epoch: int, num_cases: int, *, share: float = 1.0, shuffle: bool = True
) -> NDArray[np.int64]:
    """Return the order in which a run sees its cases in one epoch.

    A run on a share of the data sees its cases in the order in which a run on all of them would.

    Args:
        seed: Seed of the run.
        epoch: Epoch, from 1.
        num_cases: Number of training cases of the study.
        share: Share of them that the run learns from.
        shuffle: Whether each epoch has a new order; else the order of the data.

    Returns:
        Indices of cases, shape `(cases of the run,)`.
    """
    everything = generator(seed, "order", epoch).permutation(num_cases) if shuffle else np.arange(num_cases)
    if share >= 1:
        return everything.astype(np.int64)
    return everything[subset(seed, num_cases, share=share)[everything]].astype(np.int64)


def training_cases(run: Run, num_cases: int) -> NDArray[np.int64]:
    """Return the cases that a run learns from, in their original order: those of its fold, and of them its share."""
    own = np.arange(num_cases) if run.fold is None else run.fold.train
    return own if run.share >= 1 else own[subset(run.seed, len(own), share=run.share)]


def training_order(run: Run, epoch: int, num_cases: int, *, shuffle: bool) -> NDArray[np.int64]:
    """Return the order in which a run sees the cases that it learns from in one epoch, shape `(cases of the run,)`."""
    if run.fold is None:
        return epoch_order(run.seed, epoch, num_cases, share=run.share, shuffle=shuffle)
    own = run.fold.train
    return own[epoch_order(run.seed, epoch, len(own), share=run.share, shuffle=shuffle)]


def batches_of(order: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Cut an order into batches; the last one may be smaller, as in Keras."""
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
