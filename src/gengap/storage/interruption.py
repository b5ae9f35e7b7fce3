"""Ctrl-C and SIGTERM during a study: a moment to save, and a sentence that says how to go on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM, which schedulers send before they kill, end the study as Ctrl-C does: by `KeyboardInterrupt`.

    Signals reach the main thread only; in any other thread, and where a program handles SIGTERM already, nothing
    changes. The handler that was there before is put back.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature that `signal` demands
    raise KeyboardInterrupt(f"received {signal.Signals(number).name}")
