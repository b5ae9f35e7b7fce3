"""Random numbers that Keras does not know of: torch's, NumPy's and Python's own global generators."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

State = tuple[Any, ...]


def read_generators() -> State:
    """Return what tells whether somebody drew from a global generator in between."""
    kind, words, position, *rest = np.random.get_state()  # noqa: NPY002  what a user's layer may draw from
    return (random.getstate(), kind, np.asarray(words).tobytes(), position, *rest, *_torch_states())


def seed_generators(seed: int) -> None:
    """Seed all of them."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002
    if keras.backend.backend() == "torch":
        import torch

        # `torch.manual_seed` writes a stack trace for every device that nobody has used yet, a millisecond each.
        torch.default_generator.manual_seed(seed)
        if _uses_cuda():
            torch.cuda.manual_seed_all(seed)


@contextmanager
def generators_put_back() -> Iterator[None]:
    """Give all of them back the state that they had."""
    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with _torch_put_back():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def _torch_put_back() -> Iterator[None]:
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    state = torch.random.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if _uses_cuda() else []
    try:
        yield
    finally:
        torch.random.set_rng_state(state)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def _torch_states() -> State:
    if keras.backend.backend() != "torch":
        return ()
    import torch

    states = [torch.random.get_rng_state()]
    if _uses_cuda():
        states += torch.cuda.get_rng_state_all()
    return tuple(state.numpy().tobytes() for state in states)


def _uses_cuda() -> bool:
    import torch

    return torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
