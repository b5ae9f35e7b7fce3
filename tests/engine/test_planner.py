"""Plans: what a measurement decides, and what a plan says of itself."""

import json
import time

import keras
import pytest
import torch

from gengap.engine import planner
from gengap.engine.measured_ways import remembered
from gengap.engine.planner import Plan, make_plan, timed
from gengap.engine.runs import Run, TrainingSettings


@pytest.fixture
def runs():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return [Run("baseline", seed, model) for seed in range(10)]


def plan_with(runs, measure, monkeypatch, cores=2):
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    return make_plan(runs, TrainingSettings(3, 8, "regression", "squared_error"), device="cpu", measure=measure)


def test_runs_train_together_where_a_step_then_costs_less(runs, monkeypatch):
    plan = plan_with(runs, lambda positions, _: 1.0 + 0.1 * len(positions), monkeypatch)
    assert [len(chunk.runs) for chunk in plan.chunks] == [10]
    assert plan.speed_up == pytest.approx(1.1 / 0.2)
    assert "10 runs in 1 chunks on cpu, 5.5 times faster than one after the other" in str(plan)
    assert "a step costs 200.00 ms a run in one thread, 5.5 times less than alone" in str(plan)


def test_runs_train_alone_where_company_costs_more(runs, monkeypatch):
    plan = plan_with(runs, lambda positions, _: 1.0 * len(positions) ** 2, monkeypatch)
    assert [len(chunk.runs) for chunk in plan.chunks] == [1] * 10
    assert plan.speed_up == pytest.approx(1.0)


@pytest.mark.parametrize(("gain", "threads"), [(1.05, 1), (1.5, 0)])
def test_torch_gets_all_threads_only_where_they_pay(runs, monkeypatch, gain, threads):
    def measure(positions, number):
        return 1.0 + (0.0 if number == 1 else 1 / gain - 1)

    plan = plan_with(runs, measure, monkeypatch)
    assert {chunk.threads for chunk in plan.chunks} == {threads}


def test_where_company_gains_nothing_runs_train_alone_and_little_is_tried(runs, monkeypatch):
    asked = []

    def measure(positions, number):
        asked.append((len(positions), number))
        return 0.99 * len(positions) * (1.8 if number == 1 else 1.0)

    plan = plan_with(runs, measure, monkeypatch)
    assert [len(chunk.runs) for chunk in plan.chunks] == [1] * 10
    assert asked == [(1, 0), (1, 0), (1, 1), (4, 0)]  # the first only warms up


@pytest.mark.parametrize(("light", "size"), [(1 << 28, 10), (0, 4)])
def test_of_nearly_equal_sizes_heavy_chunks_take_the_smallest(runs, monkeypatch, light, size):
    monkeypatch.setattr(planner, "_LIGHT", light)
    costs = {1: 1.0, 4: 0.5, 10: 0.52}
    plan = plan_with(runs, lambda positions, _: costs[len(positions)] * len(positions), monkeypatch)
    assert max(len(chunk.runs) for chunk in plan.chunks) == size


def test_one_core_is_measured_once_a_size(runs, monkeypatch):
    asked = []
    plan_with(runs, lambda positions, number: asked.append((len(positions), number)) or 1.0, monkeypatch, cores=1)
    assert asked == [(1, 0), (1, 0), (4, 0), (10, 0)]  # the first only warms up


def test_a_plan_survives_json_and_older_plans_have_no_measurement(runs, monkeypatch):
    plan = plan_with(runs, lambda positions, _: 1.0, monkeypatch)
    values = json.loads(json.dumps(plan.to_json()))
    assert Plan.from_json(values) == plan
    for chunk in values["chunks"]:
        del chunk["step_alone"], chunk["step_together"]
    assert Plan.from_json(values).speed_up is None


@pytest.mark.parametrize(("seconds", "taken"), [(0.0, 4), (0.1, 2)])
def test_long_trial_steps_are_timed_once(seconds, taken):
    steps = []

    def step():
        steps.append(None)
        time.sleep(seconds)

    assert timed([step] * 4) >= seconds
    assert len(steps) == taken


def test_what_was_measured_of_a_cohort_serves_the_next_one_that_is_no_larger(runs, monkeypatch):
    measured, ways = [], {}

    def measure(positions, _):
        measured.append(len(positions))
        return 1.0 + 0.1 * len(positions)

    with remembered(ways):
        first = plan_with(runs[:6], measure, monkeypatch)
        count = len(measured)
        smaller = plan_with(runs[:4], measure, monkeypatch)
        assert len(measured) == count
        assert [len(one.runs) for one in smaller.chunks] == [4]
        assert smaller.chunks[0].step_together == first.chunks[0].step_together
        assert [len(one.runs) for one in plan_with(runs, measure, monkeypatch).chunks] == [10]
        assert len(measured) > count
    count = len(measured)
    plan_with(runs[:4], measure, monkeypatch)
    assert len(measured) > count, "outside nothing is remembered"
