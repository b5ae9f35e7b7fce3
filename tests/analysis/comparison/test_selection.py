"""What is said of the variant that looks best says how it was chosen, and which way it differs."""

import numpy as np

from gengap.analysis.comparison.selection import winner

AHEAD = {"a": np.array([-0.1, -0.2, -0.3]), "b": np.array([0.1, 0.2, 0.3])}
BEHIND = {"a": np.array([0.02, 0.02, 0.02]), "b": np.array([0.1, 0.2, 0.3])}


def test_a_variant_chosen_on_validation_may_be_worse_where_it_is_read():
    found = winner(AHEAD, BEHIND, larger_is_better=False)
    assert str(found) == (
        "Of the variants, a has the best mean on validation; as read it is 0.0200 worse than the baseline, 0.0200 "
        "worse than it when corrected for having been chosen."
    )


def test_none_ahead_is_said():
    assert "a comes closest to the baseline, which none is ahead of, on test;" in str(
        winner(BEHIND, BEHIND, larger_is_better=False, chosen_on="test")
    )


def test_larger_is_better_turns_the_words():
    found = winner(AHEAD, AHEAD, larger_is_better=True)
    assert found.variant == "b"
    assert "0.2000 better than the baseline" in str(found)
