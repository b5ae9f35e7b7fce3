"""Randomness as a pure function: what is drawn depends on what it is for, never on what was drawn before."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from hashlib import blake2b
from typing import ParamSpec, TypeVar

import numpy as np

Part = str | int
P = ParamSpec("P")
R = TypeVar("R")

LEVELS = 1 << 16
"""Uniform numbers that decide what is dropped have 16 bits: rates are rounded to multiples of 1 / 65,536."""


def gives_random_back(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function leave the state of Python's global `random` as it was.

    Keras' initializers without a seed draw one from there whenever a layer is made, clones included.
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with random_given_back():
            return function(*args, **kwargs)

    return wrapped


@contextmanager
def random_given_back() -> Iterator[None]:
    """Leave the state of Python's global `random` as it was before this block; see `gives_random_back`."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def key(seed: int, *parts: Part) -> int:
    """Return the 63-bit key of one purpose: (seed, what, layer, epoch, step ...).

    Equal arguments give equal keys in every process and on every machine; different ones give unrelated keys, so
    neighbouring seeds share nothing (Keras' torch backend adds its two seed words, and consecutive raw seeds would
    then repeat each other's masks one step later).

    Args:
        seed: Seed of the run.
        *parts: Strings and integers that name the purpose.

    Example:
        >>> key(0, "order", 1) == key(0, "order", 1), key(0, "order", 1) == key(1, "order", 0)
        (True, False)
    """
    digest = blake2b(repr((int(seed), *parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, *parts: Part) -> np.random.Generator:
    """Return the NumPy generator of one purpose; Philox, since it takes the key as it is."""
    return np.random.Generator(np.random.Philox(key=key(seed, *parts)))
