"""What was measured of cohorts before: how many of their runs train at once, for trainings that follow one another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_OPEN: ContextVar[dict[Any, tuple[int, Any]] | None] = ContextVar("gengap_measured_ways", default=None)


@contextmanager
def remembered(ways: dict[Any, tuple[int, Any]]) -> Iterator[None]:
    """Use what is known of cohorts in here, and add to it what is measured; inside another one use that.

    Args:
        ways: By what tells cohorts apart, how many runs the measured one had, and its way.
    """
    known = _OPEN.get()
    token = _OPEN.set(ways if known is None else known)
    try:
        yield
    finally:
        _OPEN.reset(token)


def known_or(key: Any, size: int, measure: Callable[[], Any]) -> Any:
    """Return the way that was measured of a cohort of at least as many runs, or measure it.

    Args:
        key: What tells cohorts apart.
        size: Runs of the cohort.
        measure: Measures.
    """
    ways = _OPEN.get()
    if ways is None:
        return measure()
    if key not in ways or ways[key][0] < size:
        ways[key] = size, measure()
    return ways[key][1]
