from hypothesis import given
from hypothesis import strategies as st

from gengap.engine.planner import Chunk, Plan
from gengap.runners.spreading import spread


def plan_of(sizes):
    """Chunks whose runs are two variants of each seed."""
    chunks = [
        Chunk(f"c{i}", tuple((f"v{i}{j % 2}", j // 2) for j in range(n)), "fused", "") for i, n in enumerate(sizes)
    ]
    return Plan("cpu", "float32", tuple(chunks))


@given(st.lists(st.integers(1, 12), max_size=5), st.integers(1, 20))
def test_every_place_gets_work_and_no_run_is_lost(sizes, places):
    before = plan_of(sizes)
    after = spread(before, places)
    assert [run for chunk in after.chunks for run in chunk.runs] == [run for c in before.chunks for run in c.runs]
    assert places == 1 or all(len(c.runs) <= max(1, sum(sizes) // (2 * places)) for c in after.chunks)
    assert places > 1 or [c.runs for c in after.chunks] == [c.runs for c in before.chunks]
    assert len({chunk.id for chunk in after.chunks}) == len(after.chunks)


def test_chunks_are_cut_between_seeds_near_the_middle():
    assert [len(chunk.runs) for chunk in spread(plan_of([10]), 2).chunks] == [2, 2, 2, 2, 2]
    assert [len(chunk.runs) for chunk in spread(plan_of([12, 4]), 2).chunks] == [2, 4, 2, 4, 4]


def test_a_single_seed_is_cut_between_variants():
    assert [chunk.runs for chunk in spread(plan_of([2]), 5).chunks] == [(("v00", 0),), (("v01", 0),)]
