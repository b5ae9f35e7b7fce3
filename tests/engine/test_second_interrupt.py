"""The first Ctrl-C lets the step end and the state be handed out; the second does not wait."""

import signal
import threading

import pytest

from gengap.engine.fused import _interruptible


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_does_not_wait(first, second):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    reached = []

    def body():
        with _interruptible() as asked:
            reached.append(asked())
            signal.raise_signal(first)
            reached.append(asked())
            signal.raise_signal(second)
            reached.append("waited")

    with pytest.raises(KeyboardInterrupt):
        body()
    assert reached == [False, True]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_in_another_thread_nothing_is_asked():
    answers = []

    def body():
        with _interruptible() as asked:
            answers.append(asked())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert answers == [False]
