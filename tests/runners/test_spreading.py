import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengap.engine.planner import Chunk, Plan
from gengap.runners.spreading import cost, duration, spread

UNMEASURED = (0.0, 0.0)
FLAT = (0.01, 0.01)
STEEP = (0.01, 0.001)  # seconds of a step alone, and a run together: a tenth


def plan_of(sizes, costs=UNMEASURED):
    """Chunks whose runs are two variants of each seed."""
    chunks = [
        Chunk(f"c{i}", tuple((f"v{i}{j % 2}", j // 2) for j in range(n)), "fused", "", 0, *costs)
        for i, n in enumerate(sizes)
    ]
    return Plan("cpu", "float32", tuple(chunks))


def sizes_of(plan):
    return [len(chunk.runs) for chunk in plan.chunks]


def ends(plan, places, sizes):
    """When the last place ends; `sizes` of the chunks before they were cut."""
    planned = {run: len(chunk.runs) for chunk in plan_of(sizes).chunks for run in chunk.runs}
    return duration([cost(chunk, planned=planned[chunk.runs[0]]) for chunk in plan.chunks], places)


@given(st.lists(st.integers(1, 12), max_size=5), st.integers(1, 20), st.sampled_from([UNMEASURED, FLAT, STEEP]))
def test_no_run_is_lost_and_the_places_together_end_no_later_than_one_chunk_each(sizes, places, costs):
    before = plan_of(sizes, costs)
    after = spread(before, places)
    assert [run for chunk in after.chunks for run in chunk.runs] == [run for c in before.chunks for run in c.runs]
    assert places > 1 or sizes_of(after) == sizes_of(before)
    assert ends(after, places, sizes) <= 1.05 * ends(before, 1, sizes) + 1e-9
    assert len({chunk.id for chunk in after.chunks}) == len(after.chunks)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(2, 8))
def test_where_cutting_costs_nothing_every_place_is_kept_busy(sizes, places):
    after = spread(plan_of(sizes, FLAT), places)
    even = sum(sizes) * 0.01 / places
    assert ends(after, places, sizes) <= 1.05 * (even + 0.02)  # even but for one chunk of a seed's two runs


@pytest.mark.parametrize("places", [1, 2])
def test_chunks_that_were_planned_apart_get_names_of_their_own(places):
    together = Plan("cpu", "float32", plan_of([2], FLAT).chunks + plan_of([3], FLAT).chunks)
    assert len({chunk.id for chunk in together.chunks}) == 1
    after = spread(together, places)
    assert len({chunk.id for chunk in after.chunks}) == len(after.chunks) >= 2


def test_chunks_are_cut_between_seeds_near_the_middle():
    assert sizes_of(spread(plan_of([10], FLAT), 2)) == [1] * 10  # pairs would end a fifth later
    assert sizes_of(spread(plan_of([12, 4], FLAT), 2)) == [2, 4, 2, 4, 4]


def test_a_single_seed_is_cut_between_variants():
    assert [chunk.runs for chunk in spread(plan_of([2]), 5).chunks] == [(("v00", 0),), (("v01", 0),)]


def test_runs_that_gain_from_each_other_stay_together():
    assert sizes_of(spread(plan_of([20], STEEP), 4)) == [20]  # cut, four places would end later than this one
    assert len(spread(plan_of([20], FLAT), 4).chunks) >= 4


def test_a_chunk_that_was_cut_costs_between_one_run_and_all():
    [chunk] = plan_of([10], STEEP).chunks
    assert cost(chunk) == 10 * 0.001
    assert 10 * 0.001 < cost(chunk, planned=20) < 10 * 0.01
    [unmeasured] = plan_of([10]).chunks
    assert cost(unmeasured, unmeasured=0.5) == 5.0
