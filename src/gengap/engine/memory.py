"""Keeps freed memory with the process while training, so that activations are not mapped and faulted at every step."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

# Numbers of <malloc.h>, and glibc's defaults: mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_WHILE_TRAINING = {_MMAP_THRESHOLD: (1 << 30, 32 << 20), _TRIM_THRESHOLD: ((1 << 31) - 1,), _TOP_PAD: (64 << 20,)}
_DEFAULTS = {_MMAP_THRESHOLD: 128 << 10, _TRIM_THRESHOLD: 128 << 10, _TOP_PAD: 128 << 10}

_WORTH_RETURNING = 64 << 20
"""Freed bytes from which they go back to the system; fewer are kept, as mapping them anew costs more than they do."""

_lock = Lock()
_nested = 0


@contextmanager
def keep_freed_memory() -> Iterator[bool]:
    """Raise glibc's thresholds for giving memory back, and restore its defaults afterwards, freed memory returned.

    A training step allocates and frees the same activations again and again; beyond 128 kB glibc maps fresh pages for
    each and the kernel zeroes them, a third to a half of a small convolutional network's time. Nested and concurrent
    uses count: the last one out restores.

    Yields:
        Whether it took effect: False where the C library is not glibc or refused.
    """
    global _nested  # noqa: PLW0603  the allocator is one per process, and so is the count of its users
    libc = _glibc()
    with _lock:
        _nested += 1
        took_effect = libc is not None and _raise_thresholds(libc)
    try:
        yield took_effect
    finally:
        with _lock:
            _nested -= 1
            if libc is not None and _nested == 0:
                for name, value in _DEFAULTS.items():
                    _set(libc, name, value)
                if _freed_bytes(libc) >= _WORTH_RETURNING:
                    libc.malloc_trim(0)


class _Mallinfo2(ctypes.Structure):
    """`struct mallinfo2` of <malloc.h>: ten sizes, of which the ninth counts the bytes in free blocks."""

    _fields_ = tuple((f"size_{position}" if position != 8 else "fordblks", ctypes.c_size_t) for position in range(10))


def _freed_bytes(libc: Any) -> float:
    """Return how much is freed and still held; infinity where glibc is too old (before 2.33) to tell."""
    if not hasattr(libc, "mallinfo2"):
        return float("inf")
    libc.mallinfo2.restype = _Mallinfo2
    return float(libc.mallinfo2().fordblks)


def _glibc() -> Any:
    """Return the process' C library if it is glibc, else None."""
    if platform.libc_ver()[0] != "glibc":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def _raise_thresholds(libc: Any) -> bool:
    """Set each threshold to the highest value that this glibc takes (32 MB is the limit of mapping before 2.35)."""
    accepted = [any(_set(libc, name, value) for value in values) for name, values in _WHILE_TRAINING.items()]
    return all(accepted)


def _set(libc: Any, name: int, value: int) -> bool:
    return int(libc.mallopt(name, value)) == 1


def free_memory(device: str) -> int:
    """Return the bytes that are free on a device."""
    if device == "cuda":
        import torch  # whoever asks has it

        return int(torch.cuda.mem_get_info()[0])
    information = Path("/proc/meminfo")
    if information.exists():
        lines = dict(line.split(":", 1) for line in information.read_text().splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    return 4 * 2**30  # elsewhere nothing tells without another package; four GiB are there on any machine that trains
