"""Numbers that generators refuse."""

import numpy as np
import pytest

from gengap_examples import reviews, synthetic_storms
from gengap_examples.sizes import require_cases, require_seed


@pytest.mark.parametrize("value", [0, -3])
def test_too_few_cases_are_refused(value):
    with pytest.raises(ValueError, match=f"`n_train` must be at least 1, got {value}"):
        synthetic_storms(n_train=value)
    with pytest.raises(ValueError, match=f"`n_test` must be at least 1, got {value}"):
        reviews(n_test=value)
    with pytest.raises(ValueError, match=f"`num_words` must be at least 1, got {value}"):
        reviews(num_words=value)


@pytest.mark.parametrize("value", [2.0, "3", None, True])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError, match="`n` must be a whole number"):
        require_cases("n", value)
    with pytest.raises(TypeError, match="`seed` must be a whole number"):
        require_seed(value)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="`seed` must be at least 0, got -1"):
        synthetic_storms(seed=-1)


def test_whole_numbers_of_numpy_pass():
    require_cases("n", np.int64(1))
    require_seed(np.uint8(0))
