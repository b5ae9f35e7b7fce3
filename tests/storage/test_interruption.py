import signal
import threading

import pytest

from gengap.storage import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number):
    before = signal.getsignal(number)
    with interruptible() as interrupted:
        assert not interrupted()
        signal.raise_signal(number)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_a_handler_that_is_there_already_stays():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        with interruptible() as interrupted:
            signal.raise_signal(signal.SIGTERM)
            assert not interrupted()
        assert seen == [1]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_are_left_alone():
    answers = []

    def body():
        with interruptible() as interrupted:
            answers.append((interrupted(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert answers == [(False, signal.SIG_DFL)]
