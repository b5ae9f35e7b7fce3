"""The ladder climbs while the held-out score falls, says where it stopped, and continues where it was cut off."""

import keras
import numpy as np
import pytest

from gengap.analysis.inference.resampled import over_passes
from gengap.datasets import Split
from gengap.errors import DataError, RemedyError
from gengap.experiments.capacity_ladder import capacity_ladder
from gengap.plots.capacity import CapacityDisplay


@pytest.fixture(scope="module")
def linear():
    """Answers that one unit can tell: more of them gain nothing."""
    random = np.random.default_rng(1)
    x = random.normal(size=(400, 6)).astype(np.float32)
    y = (x @ np.arange(1, 7) + random.normal(size=400) > 0).astype(np.float32)
    return Split(x[:200], y[:200]), Split(x[200:], y[200:])


def test_a_ring_is_climbed_and_every_rung_is_there(small_net, ring):
    train, validation = ring
    found = capacity_ladder(small_net, train, validation_data=validation, epochs=12, seeds=4, most_rungs=5,
                            smallest_width=0.125, progress=False)  # fmt: skip
    assert found.rungs[0].shape == "1"
    assert len(found.path) > 1  # one unit draws a line, and the answer is a ring
    assert found.result.variants == tuple(rung.name for rung in found.rungs)
    assert found[found.choice.name].mean < found.rungs[0].mean
    assert found.sentence.startswith("Stopped at ")
    assert "Keep " in found.sentence
    table = found.table.to_dataframe()
    assert list(table["parameters"]) == sorted(table["parameters"])
    assert (table["state"] == "kept").sum() == 1
    for rung in found.rungs:  # scores by hand, from the stored predictions
        held = found.result.validation
        p = held["prediction_best"].sel(variant=rung.name).to_numpy().astype(float).clip(1e-7, 1 - 1e-7)
        y = held["y_true"].to_numpy()
        assert rung.mean == pytest.approx(-np.mean(np.where(y == 1, np.log(p), np.log(1 - p))), rel=1e-5)
    assert "<table" in found._repr_html_()
    display = CapacityDisplay.from_ladder(found)
    assert display.shapes[display.path[0]] == "1"
    assert display.plot().get_xscale() == "log"
    assert found.model().count_params() == found[found.choice.name].parameters


def test_where_nothing_is_to_be_gained_the_smallest_is_kept_and_the_reason_named(small_net, linear):
    train, validation = linear
    found = capacity_ladder(small_net, train, validation_data=validation, epochs=15, batch_size=16, seeds=3, margin=0.5,
                            smallest_width=0.25, progress=False)  # fmt: skip
    assert [rung.shape for rung in found.rungs] == ["2", "4", "2-2"]
    assert found[found.choice.name].shape == "2"
    assert "shown to be less than the 0.5 that is worth a step" in found.sentence


def test_rungs_are_paired_as_in_one_study(small_net, ring):
    from gengap.remedies import Depth, Width
    from gengap.study import Study

    train, validation = ring
    fit = {"epochs": 2, "batch_size": 32, "progress": False}
    found = capacity_ladder(
        small_net, train, validation_data=validation, seeds=2, most_rungs=3, smallest_width=0.5, **fit
    )
    together = Study(
        {str(one): one(small_net) for one in (Depth(-1) + Width(0.5), Depth(-1), Width(0.5))}, seeds=2
    ).run(train, validation_data=validation, **fit)
    for name in found.result.variants:
        np.testing.assert_allclose(
            found.result.history["val_score"].sel(variant=name),
            together.history["val_score"].sel(variant=name),
            rtol=1e-4,
        )


def test_a_stored_climb_continues(small_net, ring, tmp_path):
    train, validation = ring
    fit = {"validation_data": validation, "epochs": 2, "seeds": 2, "progress": False, "storage": tmp_path}
    short = capacity_ladder(small_net, train, most_rungs=1, **fit)
    long = capacity_ladder(small_net, train, most_rungs=3, **fit)
    np.testing.assert_array_equal(short.rungs[0].values, long.rungs[0].values)
    assert len(long.rungs) == 3


def test_what_cannot_be_climbed_is_said(small_net, ring):
    train, validation = ring
    with pytest.raises(DataError, match="chosen on validation data"):
        capacity_ladder(small_net, train, epochs=1)
    with pytest.raises(DataError, match="at least two"):
        capacity_ladder(small_net, train, validation_data=validation, epochs=1, seeds=1)
    flat = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, activation="sigmoid")])
    flat.compile("sgd", "binary_crossentropy")
    with pytest.raises(RemedyError, match="hidden layer"):
        capacity_ladder(flat, train, validation_data=validation, epochs=1)


def test_with_folds_gains_speak_for_new_training_sets(small_net, ring):
    pool = Split(ring[0].x[:120], ring[0].y[:120])
    fit = {"epochs": 2, "batch_size": 32, "most_rungs": 2, "progress": False}
    found = capacity_ladder(small_net, pool, cv=3, seeds=3, **fit)
    small, large = found.rungs
    assert small.values.shape == (3, 120)
    step = found.steps[0]
    rho = max(small.rho, large.rho)
    assert step.se == pytest.approx(float(over_passes(small.values - large.values, rho).se))
    assert "for new training sets of 40 cases" in found.table.title
    assert "inner validations" in found.table.to_text()
    with pytest.raises(DataError, match="at least 3 seeds"):
        capacity_ladder(small_net, pool, cv=3, seeds=2, **fit)
    with pytest.raises(DataError, match="from 3 on"):
        capacity_ladder(small_net, pool, cv=2, seeds=3, **fit)
    with pytest.raises(DataError, match="one `Split`"):
        capacity_ladder(small_net, pool, cv=3, seeds=3, validation_data=ring[1], **fit)
