"""SIGTERM during a study: what a scheduler sends before it kills is taken as Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end a study as Ctrl-C does: by `KeyboardInterrupt`.

    The fused engine takes both signals itself while it trains, finishes its step and hands out its state first.
    Python delivers signals to the main thread only: in any other thread, and where the program handles SIGTERM itself,
    nothing changes. The handler that was there before is put back.
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
