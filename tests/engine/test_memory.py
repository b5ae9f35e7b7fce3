"""The allocator's thresholds while training: where glibc is, and where it is not."""

import ctypes

import pytest

from gengap.engine import memory
from gengap.engine.memory import keep_freed_memory


class FakeLibc:
    def __init__(self, *, refused=()):
        self.calls, self.refused, self.trimmed = [], refused, 0

    def mallopt(self, name, value):
        self.calls.append((name, value))
        return int(value not in self.refused)

    def malloc_trim(self, padding):
        self.trimmed += 1


@pytest.fixture
def libc(monkeypatch):
    fake = FakeLibc()
    monkeypatch.setattr(memory, "_glibc", lambda: fake)
    return fake


def test_the_last_one_out_restores(libc):
    with keep_freed_memory() as outer:
        with keep_freed_memory() as inner:
            pass
        assert not libc.trimmed
        assert libc.calls[-1][1] > 1 << 20
    assert outer
    assert inner
    assert libc.trimmed == 1
    assert sorted(libc.calls[-3:]) == sorted(memory._DEFAULTS.items())


def test_restores_after_an_error(libc):
    with pytest.raises(RuntimeError), keep_freed_memory():
        raise RuntimeError
    assert libc.trimmed == 1


def test_an_old_glibc_gets_the_highest_value_that_it_takes(libc):
    libc.refused = (1 << 30,)
    with keep_freed_memory() as took_effect:
        assert took_effect
        assert (memory._MMAP_THRESHOLD, 32 << 20) in libc.calls


def test_a_refusal_is_told(libc):
    libc.refused = (1 << 30, 32 << 20)
    with keep_freed_memory() as took_effect:
        assert not took_effect


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", lambda *_: pytest.fail("asked for a library"))
    with keep_freed_memory() as took_effect:
        assert not took_effect


def test_here():
    with keep_freed_memory() as took_effect:
        assert took_effect == (memory._glibc() is not None)


@pytest.mark.parametrize(("freed", "returned"), [(1 << 20, 0), (1 << 30, 1)])
def test_little_freed_memory_is_kept(libc, freed, returned):
    class Count(memory._Mallinfo2):
        pass

    def mallinfo2():
        return Count(fordblks=freed)

    libc.mallinfo2 = mallinfo2
    with keep_freed_memory():
        pass
    assert libc.trimmed == returned
