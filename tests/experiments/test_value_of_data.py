"""Shares of the data get as many steps, other cases for other seeds, and an answer with its reason."""

import numpy as np
import pytest

from gengap.datasets import CrossValidation, Split
from gengap.errors import DataError
from gengap.experiments.value_of_data import value_of_data
from gengap.plots.data_value import DataValueDisplay


@pytest.fixture
def found(small_net, ring):
    train, validation = ring
    return value_of_data(
        small_net, train, validation_data=validation, epochs=3, batch_size=32, seeds=5,
        shares=(0.0625, 0.125, 0.25, 0.5, 1.0), progress=False,
    )  # fmt: skip


def test_every_share_gets_as_many_steps_and_the_table_tells_all(found, ring):
    cases = found.verdict.cases
    assert cases.tolist() == [20, 40, 80, 160, 320]
    steps = [epochs * -(-n // 32) for epochs, n in zip(found.epochs, cases, strict=True)]
    assert all(steps[-1] * 0.7 <= one <= steps[-1] * 1.4 for one in steps)
    table = found.table.to_dataframe()
    assert table["cases"].tolist() == [20, 40, 80, 160, 320, 640]
    held, y = found.result.validation, ring[1].y
    p = held["prediction_best"].isel(variant=2).to_numpy().astype(float).clip(1e-7, 1 - 1e-7)
    by_hand = -np.where(y == 1, np.log(p), np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(found.verdict.scores[2], by_hand, rtol=1e-5)
    assert found.sentence.split()[0].strip(":") in {"Yes", "Hardly", "Cannot"}
    assert found.sentence in found.table.to_text()
    assert "<table" in found._repr_html_()


def test_the_figure_draws_what_was_computed_and_nothing_beyond_twice_the_data(found):
    display = DataValueDisplay.from_value(found.verdict, score=found.score)
    ax = display.plot()
    assert max(float(np.max(line.get_xdata())) for line in ax.lines if len(line.get_xdata()) > 1) <= 640 + 1e-6
    assert display.predicted.value == pytest.approx(found.verdict.law(2), abs=1e-9)


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.25, 1.0), (0.25, 0.5), (0.0, 1.0)])
def test_shares_must_ascend_to_all(small_net, ring, shares):
    with pytest.raises(DataError, match="must ascend"):
        value_of_data(small_net, ring[0], validation_data=ring[1], epochs=1, shares=shares)


def test_without_validation_data_there_is_no_best_epoch(small_net, ring):
    with pytest.raises(DataError, match="best epoch is chosen on validation"):
        value_of_data(small_net, ring[0], epochs=1)


def test_stored_shares_are_not_trained_again_and_epochs_may_be_equal(small_net, ring, tmp_path):
    fit = {"validation_data": ring[1], "epochs": 2, "seeds": 2, "shares": (0.5, 1.0), "progress": False}
    first = value_of_data(small_net, ring[0], steps="same epochs", storage=tmp_path, **fit)
    again = value_of_data(small_net, ring[0], steps="same epochs", storage=tmp_path, **fit)
    assert first.epochs == (2, 2)
    np.testing.assert_array_equal(first.verdict.scores, again.verdict.scores)
    np.testing.assert_array_equal(first.result.runs["seconds"], again.result.runs["seconds"])
    assert first.sentence.startswith("Cannot know")


def test_with_folds_shares_are_of_what_a_fold_learns_from(small_net, ring):
    pool = Split(ring[0].x[:150], ring[0].y[:150])
    fit = {"epochs": 2, "batch_size": 32, "shares": (0.25, 0.5, 1.0), "progress": False}
    found = value_of_data(small_net, pool, cv=3, seeds=3, **fit)
    assert found.verdict.cases.tolist() == [12, 25, 50]
    assert found.part == "test"
    p, y = found.result.test["prediction_best"].isel(variant=0).to_numpy().astype(float), pool.y
    by_hand = -np.log(np.where(y == 1, p, 1 - p)).mean(axis=1)
    np.testing.assert_allclose(found.verdict.scores[0], by_hand, rtol=1e-5)
    assert "3 folds anew" in found.table.to_text()
    with pytest.raises(DataError, match="one division"):
        value_of_data(small_net, pool, cv=CrossValidation(3, redraw=False), seeds=3, **fit)
    with pytest.raises(DataError, match="one `Split`"):
        value_of_data(small_net, pool, cv=3, validation_data=ring[1], **fit)
