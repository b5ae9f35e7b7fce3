"""Keras' random functions, answered by us for a while: whoever draws, from wherever in a model's code."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import get_ident
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import special

from gengap.keras_models.private import random_functions

FUNCTIONS = (
    "normal", "categorical", "uniform", "randint", "truncated_normal",
    "dropout", "shuffle", "gamma", "binomial", "beta",
)  # fmt: skip
"""Every random function of Keras, all of which take a `seed`."""


@dataclass(frozen=True)
class Draw:
    """One call of a random function that asks for new numbers.

    Attributes:
        kind: Name of the function.
        arguments: What it was called with, defaults included.
        original: The function of Keras.
    """

    kind: str
    arguments: Mapping[str, Any]
    original: Callable[..., Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the uniform numbers that it needs."""
        given = self.arguments
        match self.kind:
            case "dropout":
                sizes, declared = given["inputs"].shape, given["noise_shape"]
                wanted = (
                    sizes if declared is None else [s if d is None else d for d, s in zip(declared, sizes, strict=True)]
                )
                return tuple(int(size) for size in wanted)
            case "categorical":
                return int(given["logits"].shape[0]), int(given["num_samples"])
            case "shuffle":
                return tuple(int(size) for size in given["x"].shape[: given["axis"] + 1])
            case _:
                return tuple(int(size) for size in given["shape"])

    @property
    def mixes_rows(self) -> bool:
        """Whether the result moves rows of a batch about, so that it is none of a single row."""
        return self.kind == "shuffle" and self.arguments["axis"] == 0

    def of_seed(self, seed: int) -> Any:
        """Return what Keras makes of a seed."""
        return self.original(**{**self.arguments, "seed": seed & 0x7FFFFFFF})

    def of_uniform(self, uniform: NDArray[Any]) -> Any:
        """Return the result for uniform numbers in (0, 1) of `shape`, by the inverse distribution."""
        given = self.arguments
        if self.kind == "dropout":
            return self.of_factor(
                (uniform >= given["rate"]) / (1 - given["rate"]) if given["rate"] < 1 else 0 * uniform
            )
        if self.kind == "shuffle":
            return _reordered(given["x"], np.argsort(uniform, axis=-1))
        if self.kind == "categorical":
            return keras.ops.convert_to_tensor(_labels(given["logits"], uniform), dtype=given["dtype"] or "int32")
        dtype = given["dtype"] or ("int32" if self.kind == "randint" else keras.config.floatx())
        return keras.ops.convert_to_tensor(np.asarray(_quantile(self.kind, given, uniform)), dtype=dtype)

    def of_factor(self, factor: NDArray[Any]) -> Any:
        """Return the inputs of a dropout times factors of `shape`; what is dropped is 0 even where it was infinite."""
        inputs = self.arguments["inputs"]
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        kept = keras.ops.convert_to_tensor(factor, dtype=dtype)
        return keras.ops.where(kept > 0, inputs * kept, keras.ops.zeros_like(inputs))


@contextmanager
def draws_answered_by(answer: Callable[[Draw], Any]) -> Iterator[None]:
    """Let `answer` return the result of every call that asks Keras for new numbers, in this thread.

    A call with a whole number as its seed asks for none: it returns the same each time, and is Keras' own.
    """
    functions, owner = random_functions(), get_ident()
    originals = {name: getattr(functions, name) for name in FUNCTIONS}

    def answered(name: str) -> Callable[..., Any]:
        original = originals[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != owner:
                return original(*args, **kwargs)
            bound = _signature(original).bind(*args, **kwargs)
            bound.apply_defaults()
            if isinstance(bound.arguments["seed"], int | np.integer):
                return original(*args, **kwargs)
            return answer(Draw(name, bound.arguments, original))

        return call

    try:
        for name in FUNCTIONS:
            setattr(functions, name, answered(name))
        yield
    finally:
        for name, original in originals.items():
            setattr(functions, name, original)


@cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _quantile(kind: str, given: Mapping[str, Any], uniform: NDArray[Any]) -> Any:
    one, other = (_plain(given[name]) for name in _PARAMETERS[kind])
    match kind:
        case "normal" | "truncated_normal":
            low, high = (0.0, 1.0) if kind == "normal" else (special.ndtr(-2.0), special.ndtr(2.0))
            return one + other * special.ndtri(low + (high - low) * uniform)
        case "uniform":
            return one + (other - one) * uniform
        case "randint":
            return np.minimum(one + np.floor((other - one) * uniform), other - 1)
        case "gamma":
            return special.gammaincinv(one, uniform)
        case "beta":
            return special.betaincinv(one, other, uniform)
        case _:
            return _binomial(one, other, uniform)


_PARAMETERS = {
    "normal": ("mean", "stddev"),
    "truncated_normal": ("mean", "stddev"),
    "uniform": ("minval", "maxval"),
    "randint": ("minval", "maxval"),
    "gamma": ("alpha", "alpha"),
    "beta": ("alpha", "beta"),
    "binomial": ("counts", "probabilities"),
}


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else keras.ops.convert_to_numpy(value)


def _binomial(counts: Any, probabilities: Any, uniform: NDArray[Any]) -> Any:
    from scipy.stats import binom  # half a second to import, and hardly anybody draws from it

    return binom.ppf(uniform, counts, probabilities)


def _labels(logits: Any, uniform: NDArray[Any]) -> NDArray[np.int64]:
    shares = special.softmax(keras.ops.convert_to_numpy(logits).astype(np.float64), axis=-1)
    below = np.cumsum(shares, axis=-1)[:, None, :-1] < uniform[:, :, None]
    labels: NDArray[np.int64] = below.sum(axis=-1)
    return labels


def _reordered(x: Any, order: NDArray[Any]) -> Any:
    index = order.reshape(*order.shape, *[1] * (len(x.shape) - order.ndim))
    return keras.ops.take_along_axis(
        x, keras.ops.convert_to_tensor(np.broadcast_to(index, x.shape).copy()), order.ndim - 1
    )
