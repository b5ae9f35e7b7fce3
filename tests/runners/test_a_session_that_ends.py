"""A Ray session that ends under a study: one sentence that says what is safe and how to go on."""

import pytest

from gengap.errors import GengapError

errors = pytest.importorskip("ray.exceptions")


@pytest.mark.parametrize("kind", ["ActorDiedError", "ActorUnavailableError", "RaySystemError"])
def test_it_is_said(kind):
    from gengap.runners.ray_pool import saying_lost

    given = {"ActorUnavailableError": ("gone", None), "RaySystemError": ("gone",), "ActorDiedError": ()}[kind]
    said = rf"session ended while the study trained \({kind}\).*run the same study"
    with pytest.raises(GengapError, match=said), saying_lost():
        raise getattr(errors, kind)(*given)


def test_what_a_worker_raises_stays_what_it_is():
    from gengap.runners.ray_pool import saying_lost

    with pytest.raises(ZeroDivisionError), saying_lost():
        raise ZeroDivisionError
