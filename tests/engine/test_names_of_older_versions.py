"""What an older version wrote under other names is read: doors of checkpoints, chunks of plans."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from gengap.engine.fused import train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.runs import Run


def test_the_door_of_version_one_is_join(make_data, settings, make_keeper):
    model = keras.Sequential(
        [keras.Input((4, 2)), layers.Reshape((8,)), layers.Dropout(0.3), layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    runs, data = [Run("a", 0, model), Run("a", 1, model)], make_data((4, 2))
    plan = Plan("cpu", "float32", (Chunk("c", (("a", 0), ("a", 1)), "fused", ""),))
    first = make_keeper()
    train_fused(runs, data, settings(), first, plan=plan, checkpoint_seconds=0.0)
    _, written, _ = first.states[2]
    doors = {step: {"join": "fold"}.get(name, name) for step, name in written.scalars["doors"].items()}
    assert "fold" in doors.values()
    again = make_keeper()
    older = replace(written, scalars={**written.scalars, "doors": doors})
    train_fused(runs, data, settings(), again, plan=plan, checkpoint_seconds=0.0, states={"c": older})
    assert again.states[-1][1].scalars["doors"] == written.scalars["doors"]
    for one, other in zip(first.records, again.records, strict=True):
        for own, its in zip(one.weights_last, other.weights_last, strict=True):
            np.testing.assert_array_equal(own, its)


@pytest.mark.parametrize("name", ["compiled", "compiled_steps"])
@pytest.mark.parametrize("value", [False, True])
def test_a_plan_says_whether_its_steps_are_compiled(name, value):
    chunk = {"id": "c", "runs": [["a", 0]], "engine": "fused", "reason": "", name: value}
    plan = Plan.from_json({"device": "cpu", "precision": "float32", "chunks": [chunk]})
    assert plan.chunks[0].compiled_steps is value
    assert Plan.from_json(plan.to_json()) == plan
