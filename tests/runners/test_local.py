import numpy as np

from gengap.engine.fused import plan_fused, train_fused
from gengap.engine.runs import Collector
from gengap.runners import LocalRunner


def test_it_trains_what_the_engine_trains(runs, data, settings):
    runner, one, other = LocalRunner(), Collector(), Collector()
    plan = runner.plan(plan_fused, runs, data, settings)
    assert sorted(name for chunk in plan.chunks for name in chunk.runs) == sorted((r.variant, r.seed) for r in runs)
    runner.execute(train_fused, runs, data, settings, one, plan=plan)
    train_fused(runs, data, settings, other, plan=plan)
    for a, b in zip(one.records, other.records, strict=True):
        assert (a.variant, a.seed) == (b.variant, b.seed)
        np.testing.assert_array_equal(a.weights_last[0], b.weights_last[0])
