"""Random numbers from generators that all code shares (Keras', torch's, NumPy's, Python's): keyed, then given back.

A layer that calls `keras.random.normal(shape)` without a seed, `torch.randn` or `np.random.choice` draws from a
generator that lives outside every layer's variables. Inside a `keras.StatelessScope` the state of Keras' own is thrown
away after each call, so that such a layer draws the same number for ever; outside of one it depends on all that was
drawn before.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import keras
import numpy as np
from numpy.random.mtrand import get_bit_generator, set_bit_generator  # the public names have no types

from gengap.keras_models.private import operations_told, share_generator, shared_generator
from gengap.randomness import key

_WORD = 2**31 - 1


class SharedGenerators:
    """The shared generators, borrowed: `with` puts ours in their place, and gives the user's back untouched.

    Example:
        >>> import numpy as np
        >>> from gengap.keras_models.shared_generators import SharedGenerators
        >>> shared = SharedGenerators()
        >>> with shared:
        ...     shared.key(7)
        ...     first = np.random.random(), shared.drawn()
        ...     shared.key(7)
        ...     again = np.random.random(), shared.drawn()
        >>> first == again
        True
        >>> first[1]
        ['numpy.random']
    """

    def __init__(self) -> None:
        self._keras = _KeyedGenerator(0)
        self._numpy = np.random.MT19937(0)
        self._lent: tuple[Any, ...] = ()
        self._depth, self._word = 0, 0

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth > 1:
            return self
        states = [one.get_state() for one in _of_torch()]
        of_keras = shared_generator()
        self._lent = of_keras, states, get_bit_generator(), random.getstate()
        share_generator(self._keras)
        set_bit_generator(self._numpy)
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        of_keras, states, of_numpy, of_python = self._lent
        share_generator(of_keras)
        for one, state in zip(_of_torch(), states, strict=False):
            one.set_state(state)
        set_bit_generator(of_numpy)
        random.setstate(of_python)

    def key(self, word: int) -> None:
        """Let what is drawn next be a function of a 63-bit number alone."""
        self._word = word
        self._keras.restart(word)
        for one in _of_torch():
            one.manual_seed(word)
        np.random.seed(word % 2**32)  # noqa: NPY002  the very generator that users' code draws from
        random.seed(word)

    def drawn(self) -> list[str]:
        """Return the names of the generators that something was drawn from since they were keyed; key them anew."""
        of_keras, after = self._keras.draws > 0, _states()
        self.key(self._word)
        used = {name: state != after[name] for name, state in _states().items()}
        return [name for name, one in {"keras.random": of_keras, **used}.items() if one]


class _KeyedGenerator(keras.random.SeedGenerator):  # type: ignore[misc]
    """A seed generator whose numbers are all different, as Keras' global one's are not (it repeats after a while)."""

    draws = 0

    def restart(self, word: int) -> None:
        self.draws = 0
        self.state.assign(np.array([word & _WORD, word >> 31 & _WORD], dtype=np.uint32))

    def next(self, ordered: bool = True) -> Any:
        del ordered
        self.draws += 1
        return super().next(ordered=True)


@contextmanager
def constructors_keyed() -> Iterator[None]:
    """Let what constructors of layers draw depend on their class and its ordinal alone.

    A class that chooses, say, some columns in its constructor chooses the same ones wherever its model is rebuilt.
    """
    shared, seen = SharedGenerators(), Counter[str]()

    def keyed(cls: type) -> None:
        shared.key(key(0, "constructor", cls.__qualname__, seen[cls.__qualname__]))
        seen[cls.__qualname__] += 1

    with shared, operations_told(keyed):
        yield


def _states() -> dict[str, Any]:
    """Return, in a form that can be compared, what changes with every draw."""
    of_numpy = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "torch": [one.get_state().numpy().tobytes() for one in _of_torch()],
        "numpy.random": (of_numpy["state"]["pos"], of_numpy["state"]["key"].tobytes(), of_numpy["has_gauss"]),
        "random": random.getstate(),
    }


def _of_torch() -> list[Any]:
    """Return torch's own generators, where Keras runs on torch."""
    if keras.backend.backend() != "torch":
        return []
    import torch

    on_cuda = torch.cuda.default_generators if torch.cuda.is_available() and torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    return [torch.default_generator, *on_cuda]
