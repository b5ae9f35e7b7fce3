import numpy as np
import pytest
from scipy import stats

from gengap.analysis.inference.looks import look_level


def error_over_looks(looks, studies=20_000):
    """Type I error of the t test at several looks, on normal seeds without any difference."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((studies, looks[-1]))
    wrong = np.zeros(studies, dtype=bool)
    for index, n in enumerate(looks):
        part = values[:, :n]
        p = 2 * stats.t.sf(np.abs(part.mean(1) / part.std(1, ddof=1) * np.sqrt(n)), n - 1)
        wrong |= p <= look_level(looks[: index + 1])
    return wrong.mean()


@pytest.mark.parametrize("looks", [(10,), (6, 10, 20), (6, 8, 10, 12, 14, 16, 18, 20)])
def test_all_looks_together_keep_the_level(looks):
    assert error_over_looks(looks) <= 0.053


def test_later_looks_get_less():
    levels = [look_level((6, 10, 20, 40)[:n]) for n in range(1, 5)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(0.045)


def test_very_many_looks_still_have_a_level():
    assert 0 < look_level(range(6, 30)) < 1e-4


@pytest.mark.parametrize("seeds", [(), (6, 6), (10, 6)])
def test_looks_must_grow(seeds):
    with pytest.raises(ValueError, match="must increase"):
        look_level(seeds)
