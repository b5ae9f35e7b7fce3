import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from gengap.analysis.inference.simultaneous import comparison_level, holm


@settings(max_examples=40, deadline=None)
@given(arrays(float, st.integers(1, 12), elements=st.floats(0, 1)))
@pytest.mark.slow
def test_holm_is_statsmodels_holm(p_values):
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], atol=1e-12)


def test_a_contrast_without_verdict_still_counts():
    np.testing.assert_array_equal(holm(np.array([0.01, np.nan])), [0.02, np.nan])


def test_levels_share_the_error():
    assert comparison_level(0.05, comparisons=8) == 0.05 / 8
    assert comparison_level(0.05, comparisons=0) == 0.05
