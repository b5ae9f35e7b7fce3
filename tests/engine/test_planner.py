"""How long the planner tries things out."""

import time

import pytest

from gengap.engine.planner import timed


@pytest.mark.parametrize(("seconds", "taken"), [(0.0, 4), (0.1, 2)])
def test_long_trial_steps_are_timed_once(seconds, taken):
    steps = []

    def step():
        steps.append(None)
        time.sleep(seconds)

    assert timed([step] * 4) >= seconds
    assert len(steps) == taken
