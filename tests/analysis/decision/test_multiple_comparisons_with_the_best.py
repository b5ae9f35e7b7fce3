"""Hsu's method: by hand, against the textbook's formulas, against `compare`, and on simulated studies."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from gengap.analysis import compare, recommend
from gengap.analysis.decision.best import holds_best, one_sided_level, regret_bounds

RNG = np.random.default_rng(3)
BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("decision_benchmark", BENCHMARKS / "decision.py")
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.path.append(str(BENCHMARKS))
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_worked_by_hand():
    # losses 1.0, 1.1 and 2.0, every difference sure to .3
    mean = np.array([1.0, 1.1, 2.0])
    high = mean[:, None] - mean + 0.3 * (1 - np.eye(3))
    assert holds_best(high).tolist() == [True, True, False]
    # the first may lose .2 to the second; the second .4 to the first; the third 1.3 to the first
    assert regret_bounds(high) == pytest.approx([0.2, 0.4, 1.3])


def test_one_that_is_surely_best_loses_nothing():
    mean = np.array([1.0, 2.0])
    high = mean[:, None] - mean + 0.3 * (1 - np.eye(2))
    assert holds_best(high).tolist() == [True, False]
    assert regret_bounds(high).tolist() == [0.0, 1.3]


@pytest.mark.parametrize("options", [2, 3, 7])
def test_equal_widths_give_the_textbooks_intervals(options):
    """Hsu (1996), chapter 4: written for larger is better, with one common width."""
    for _ in range(200):
        theta, w = RNG.normal(size=options), RNG.uniform(0.1, 3)
        upper = [max(0, theta[i] - max(np.delete(theta, i)) + w) for i in range(options)]
        group = {i for i in range(options) if upper[i] > 0}
        lower = [0 if group == {i} else min(theta[i] - theta[j] - w for j in group if j != i) for i in range(options)]
        losses = -theta
        high = losses[:, None] - losses + w * (1 - np.eye(options))
        assert set(np.flatnonzero(holds_best(high))) == group
        assert regret_bounds(high) == pytest.approx(np.maximum(-np.minimum(lower, 0), 0))


@pytest.mark.parametrize("looks", [(), (4,)])
@pytest.mark.parametrize("claim", ["new cases and seeds", "this test set"])
def test_bounds_are_those_of_compare_with_each_variant_for_its_baseline(simulate, claim, looks):
    drawn = simulate.losses(RNG, {"a": 0.0, "b": 0.1, "c": 0.05, "d": 1.0}, seeds=6, cases=40, seed_sd=0.1,
                            case_sd=0.3, both_sd=0.1, law="gamma(2)")  # fmt: skip
    result = simulate.result_from_losses(drawn, looks=looks)
    high = np.zeros((4, 4))
    for at, name in enumerate(drawn):
        found = compare(result, baseline=name, claim=claim, alpha=0.1)  # two sides of 5 %
        for other in found.contrasts:
            high[list(drawn).index(other.variant), at] = other.high
    said = recommend(result, claim=claim, tolerance=0)
    assert said.bounds == pytest.approx(regret_bounds(high))
    inside = {one.variant for one in said.best_set}
    assert inside == {name for name, may in zip(drawn, holds_best(high), strict=True) if may}


def test_the_benchmark_judges_as_the_tool_does(benchmark, simulate):
    drawn = benchmark.simulate(RNG, benchmark.TRUTHS[3], "lognormal", 3, 6, steady=True)
    level = one_sided_level([6], 0.05)
    bounds, _ = benchmark.upper_bounds(drawn.values, level)
    for study, values in enumerate(drawn.values):
        result = simulate.result_from_losses({f"v{k}": 100 + one for k, one in enumerate(values)})
        said = recommend(result, tolerance=0)
        assert said.bounds == pytest.approx(regret_bounds(bounds[study]), rel=1e-6)
        assert len(said.best_set) == holds_best(bounds[study]).sum()


def test_the_set_holds_the_best_and_the_bounds_hold(benchmark):
    rows = benchmark.measure(150, seeds=(5,), laws=("normal", "lognormal"))
    assert len(rows) == 16
    for row in rows:
        assert row["set holds the best"] >= 0.93, row  # 95 % less what 150 studies leave to chance
        assert row["bound holds"] >= 0.93, row
        assert row["lost by recommend"] <= row["lost by smallest mean"] + benchmark.TOLERANCE, row
    sets = {(row["truth"], row["steady"], row["law"]): row["set size"] for row in rows}
    assert sets["two tied ahead", False, "normal"] < sets["all equal", False, "normal"]
    lost = {way: np.mean([row[f"lost by {way}"] for row in rows]) for way in benchmark.WAYS}
    assert lost["smallest mean"] < lost["smallest p"] < lost["baseline"]
    assert lost["recommend"] < lost["only if p < .05"]
