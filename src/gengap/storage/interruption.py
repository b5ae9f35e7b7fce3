"""Ctrl-C and SIGTERM during a study: finish the step, save, and say how to go on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, final


@final
class Interruption:
    """Whether somebody asked a study to end; an engine calls it after every step."""

    def __init__(self) -> None:
        self._requested = False

    def __call__(self) -> bool:
        """Say whether somebody asked."""
        return self._requested

    def request(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  what `signal` passes
        """Take a signal: the first asks the engine to save and end, the second ends at once.

        Raises:
            KeyboardInterrupt: It was the second.
        """
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take Ctrl-C, and the SIGTERM that schedulers send before they kill, as a request to save and end.

    Python delivers signals to the main thread only: in any other thread, and for a signal that the program handles
    itself, nothing changes. The handlers that were there before are put back.
    """
    interruption = Interruption()
    usual: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    in_main = threading.current_thread() is threading.main_thread()
    taken = [number for number, handler in usual.items() if in_main and signal.getsignal(number) is handler]
    for number in taken:
        signal.signal(number, interruption.request)
    try:
        yield interruption
    finally:
        for number in taken:
            signal.signal(number, usual[number])
