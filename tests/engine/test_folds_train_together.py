"""Folds that train as one program, against Keras' own loop and against ordinary studies of the folds' cases."""

import keras
import numpy as np
import pytest
from scipy import sparse

import gengap as gg
from gengap.datasets.divider import Divider
from gengap.datasets.folds import fold_seed
from gengap.datasets.training_data import TrainingData
from gengap.engine.fused import train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.reference import train_reference
from gengap.engine.runs import Collector, Run, TrainingSettings


def network(rate, *, mixes=False):
    layers = keras.layers
    parts = [keras.Input((6,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(rate)]
    if mixes:
        parts.append(Centred())
    model = keras.Sequential([*parts, layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", "AUC"])
    return model


class Centred(keras.layers.Layer):
    """Looks at a whole batch, in inference too, so that it matters which cases are predicted together."""

    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


@pytest.fixture
def cases(rng):
    x = rng.normal(size=(83, 6)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=83) > 0).astype(int)
    return gg.Split(x, y, sample_weight=rng.uniform(0.5, 2, 83), groups=rng.integers(0, 30, 83))


def runs_of(cases, models, seeds=(0,), folds=4):
    divider = Divider(gg.CrossValidation(folds), y=cases.y, task="binary", units=cases.groups)
    return [
        Run(name, fold_seed(seed, place), model, share=share, fold=fold)
        for seed in seeds
        for place, fold in enumerate(divider.division(seed).folds)
        for name, (model, share) in models.items()
    ]


def trained(train, runs, data):
    settings = TrainingSettings(epochs=2, batch_size=16, task="binary", score="log_loss")
    collector = Collector()
    train(runs, data, settings, collector)
    return {(one.variant, one.seed): one for one in collector.records}


def assert_alike(one, other, *, weights=True, tolerance=1e-5):
    assert one.keys() == other.keys()
    for key, record in one.items():
        partner = other[key]
        assert record.history.keys() == partner.history.keys()
        for name, values in record.history.items():
            np.testing.assert_allclose(values, partner.history[name], atol=tolerance, err_msg=f"{key} {name}")
        for split in ("validation", "test"):
            for kind in ("last", "best", "epochs"):
                values = getattr(record.predictions[split], kind)
                np.testing.assert_allclose(values, getattr(partner.predictions[split], kind), atol=tolerance)
        for a, b in zip(record.weights_last, partner.weights_last, strict=True) if weights else ():
            np.testing.assert_allclose(a, b, atol=tolerance)


def test_fold_by_fold_they_train_as_keras_own_loop_and_as_a_study_of_their_cases(cases):
    data = TrainingData(cases, cases, cases)
    runs = runs_of(cases, {"plain": (network(0.0), 1.0), "half": (network(0.4), 0.5)}, folds=3)
    sizes = {name: {len(run.fold.rows(name)) for run in runs} for name in ("validation", "test")}
    assert all(len(found) > 1 for found in sizes.values())  # folds of different sizes are among them
    together = trained(train_fused, runs, data)
    assert_alike(together, trained(train_reference, runs, data))
    for run in runs[:2]:
        ordinary = Run(run.variant, run.seed, run.model, run.share)
        assert_alike(
            {(run.variant, run.seed): together[run.variant, run.seed]},
            trained(train_fused, [ordinary], data.of(run.fold)),
        )


def test_one_program_holds_folds_seeds_and_variants_of_one_size(cases):
    runs = runs_of(cases, {"a": (network(0.0), 1.0), "b": (network(0.3), 1.0)}, seeds=(0, 1, 2))
    settings = TrainingSettings(epochs=1, batch_size=16, task="binary", score="log_loss")
    plan = train_fused(runs, TrainingData(cases, cases, cases), settings, Collector())
    of_size = {}
    for run in runs:
        of_size.setdefault(len(run.fold.train), []).append((run.variant, run.seed))
    assert len(of_size) < len({run.seed for run in runs})  # folds of one size are no chunk each
    for chunk in plan.chunks:
        assert any(set(chunk.runs) <= set(same) for same in of_size.values())


@pytest.mark.filterwarnings("ignore:Predictions are made in batches")
def test_where_it_matters_which_cases_are_predicted_together_folds_of_other_sizes_are_not(cases):
    data = TrainingData(cases, cases, cases)
    runs = runs_of(cases, {"mixing": (network(0.0, mixes=True), 1.0)})
    # what is centred has no gradient in its mean, and Adam makes steps of its rounding
    assert_alike(trained(train_fused, runs, data), trained(train_reference, runs, data), weights=False)


def test_sparse_rows_stay_sparse_in_folds(cases):
    x = sparse.csr_matrix(np.where(np.abs(cases.x) > 0.8, cases.x, 0))
    rows = gg.Split(x, cases.y, groups=cases.groups)
    data = TrainingData(rows, rows, rows)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    runs = runs_of(rows, {"sparse": (model, 1.0)})
    assert_alike(trained(train_fused, runs, data), trained(train_reference, runs, data))


def test_a_chunk_of_folds_goes_on_from_its_state_to_the_same_bits(cases):
    data = TrainingData(cases, cases, cases)
    runs = runs_of(cases, {"a": (network(0.3), 1.0)})
    size = max((len(r.fold.train) for r in runs), key=[len(r.fold.train) for r in runs].count)
    runs = [run for run in runs if len(run.fold.train) == size]
    plan = Plan("cpu", "float32", (Chunk("c", tuple((r.variant, r.seed) for r in runs), "fused", ""),))
    settings = TrainingSettings(epochs=3, batch_size=16, task="binary", score="log_loss")

    class Keeping(Collector):
        def __init__(self):
            super().__init__()
            self.states = {}

        def on_checkpoint(self, chunk_id, state):
            self.states.setdefault(len(self.states), state)

    whole, again = Keeping(), Collector()
    train_fused(runs, data, settings, whole, plan=plan, checkpoint_seconds=0)
    state = whole.states[len(whole.states) // 2]
    train_fused(runs, data, settings, again, plan=plan, states={"c": state})
    for one, other in zip(whole.records, again.records, strict=True):
        assert np.array_equal(one.predictions["test"].last, other.predictions["test"].last)
        assert np.array_equal(one.history["val_score"], other.history["val_score"])
