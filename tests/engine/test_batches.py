import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from gengap.datasets.cases import count_cases, take
from gengap.engine.batches import batches_of, epoch_order, subset

SEEDS = st.integers(0, 2**31)


@given(seed=SEEDS, epoch=st.integers(1, 50), n=st.integers(1, 300))
def test_an_epoch_sees_every_case_once(seed, epoch, n):
    assert sorted(epoch_order(seed, epoch, n)) == list(range(n))


@given(seed=SEEDS, n=st.integers(1, 300), shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)))
def test_subsets_of_a_seed_are_nested(seed, n, shares):
    smaller, larger = (subset(seed, n, share=share) for share in sorted(shares))
    assert not (smaller & ~larger).any()
    assert smaller.sum() == max(1, round(min(shares) * n))


@given(seed=SEEDS, epoch=st.integers(1, 9), n=st.integers(2, 200), share=st.floats(0.05, 0.95))
def test_a_share_is_seen_in_the_order_of_the_whole(seed, epoch, n, share):
    whole, part = epoch_order(seed, epoch, n), epoch_order(seed, epoch, n, share=share)
    assert part.tolist() == [case for case in whole if case in set(part)]


def test_orders_differ_between_seeds_and_epochs():
    orders = {tuple(epoch_order(seed, epoch, 30)) for seed in range(5) for epoch in range(1, 6)}
    assert len(orders) == 25


def test_without_shuffling_the_order_is_that_of_the_data():
    assert epoch_order(4, 2, 7, shuffle=False).tolist() == list(range(7))


def test_the_last_batch_is_the_rest():
    assert [len(batch) for batch in batches_of(np.arange(10), 4)] == [4, 4, 2]


ROWS = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    "form", [np.asarray, sparse.csr_matrix, sparse.csc_array, pd.DataFrame], ids=lambda f: f.__name__
)
def test_cases_are_taken_from_every_form_of_data(form):
    data = form(ROWS)
    assert count_cases(data) == 4
    np.testing.assert_array_equal(take(data, np.array([2, 0])), ROWS[[2, 0]])


def test_cases_are_taken_from_mappings_and_sequences():
    taken = take({"a": ROWS, "b": [ROWS, ROWS + 1]}, np.array([3]))
    np.testing.assert_array_equal(taken["a"], ROWS[[3]])
    np.testing.assert_array_equal(taken["b"][1], ROWS[[3]] + 1)
    assert count_cases({"a": ROWS}) == 4
