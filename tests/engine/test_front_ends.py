"""The two front ends are one interface: what a trainer asks of either, either answers."""

import keras
import numpy as np
import pytest
import torch
from keras import layers
from scipy import sparse

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.front_ends import DenseFrontEnd, SparseFrontEnd
from gengap.engine.fused import prepare_runs, train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.reference import train_reference
from gengap.engine.runs import Collector, Run
from gengap.engine.trainer import Trainer


def net(optimizer="adam", second="float32"):
    model = keras.Sequential([
        keras.Input((30,)), layers.Dense(4, activation="relu", kernel_regularizer="l2"),
        layers.Dense(3, activation="relu", dtype=second), layers.Dense(1, activation="sigmoid", dtype="float32"),
    ])  # fmt: skip
    model.compile(optimizer, "binary_crossentropy")
    return model


def rows(data, *, dense=False):
    def thin(split):
        x = np.where(split.x > 0.8, split.x, 0.0).astype(np.float32)
        return Split(x if dense else sparse.csr_matrix(x), split.y)

    return TrainingData(*map(thin, (data.train, data.validation, data.test)))


def trainer_of(data, settings, model):
    runs = [Run("a", seed, model) for seed in (0, 1)]
    return Trainer("c", prepare_runs(runs, data, settings), data, settings)


@pytest.mark.parametrize(
    ("optimizer", "thin", "wanted"),
    [
        ("adam", True, SparseFrontEnd),
        ("adam", False, DenseFrontEnd),
        ("nadam", True, DenseFrontEnd),
    ],
)
def test_sparse_rows_stay_sparse_where_a_kernel_can_take_them(optimizer, thin, wanted, make_data, settings):
    trainer = trainer_of(rows(make_data((30,)), dense=not thin), settings(), net(optimizer))
    assert type(trainer._front_end) is wanted
    assert bool(trainer.stack.outside) is (wanted is SparseFrontEnd)


def test_both_predict_the_same_of_every_split(make_data, settings):
    data, model = make_data((30,)), net()
    thin, full = (trainer_of(rows(data, dense=dense), settings(), model) for dense in (False, True))
    own = np.stack([np.arange(5), np.arange(20, 25)])
    with torch.no_grad():
        for split, cases in [("train", None), ("train", own), ("validation", None), ("test", None)]:
            found = [one._front_end.predict(one._program, split, cases) for one in (thin, full)]
            torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


def test_what_stands_outside_the_stack_comes_back(make_data, settings):
    trainer = trainer_of(rows(make_data((30,))), settings(), net())
    trainer.advance()
    front_end = trainer._front_end
    before = front_end.state()
    trainer.advance()
    assert not np.array_equal(before["kernels"], front_end.state()["kernels"])
    front_end.restore(before)
    after = front_end.state()
    assert set(after) == set(before)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_kernel_that_nobody_would_update_stays_in_the_stack(make_data, settings):
    """Weights of several number formats take Keras' optimizer, which knows nothing of a kernel outside."""
    data, model = make_data((30,)), net(second="float64")
    runs = [Run("a", seed, model) for seed in (0, 1)]
    plan = Plan("cpu", "float32", (Chunk("c", (("a", 0), ("a", 1)), "fused", ""),))
    together, alone = Collector(), Collector()
    train_fused(runs, rows(data), settings(), together, plan=plan)
    train_reference(runs, rows(data, dense=True), settings(), alone)
    for one, other in zip(together.records, alone.records, strict=True):
        for own, its in zip(one.weights_last, other.weights_last, strict=True):
            np.testing.assert_allclose(own, its, atol=2e-5)
