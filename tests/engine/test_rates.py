"""Rates that callbacks change between epochs: Keras' own callbacks are the oracle, run by run; resume is to the bit."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import sparse

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.fused import train_fused
from gengap.engine.planner import Chunk, Plan
from gengap.engine.rates import EpochSchedule, ReduceOnPlateau, RunRates, describe_rates
from gengap.engine.reference import train_reference
from gengap.engine.runs import Collector, Run

FALLING = EpochSchedule(lambda epoch, rate: rate * 0.5 if epoch else rate)
PLATEAU = ReduceOnPlateau("val_loss", 0.3, patience=1, min_delta=0.3, cooldown=0, min_lr=1e-4)  # it falls soon
OPTIMIZERS = {"in place": keras.optimizers.Adam, "stacked": keras.optimizers.Nadam, "apart": keras.optimizers.Lamb}


def net(optimizer=keras.optimizers.Adam, *, width=6, rate=0.02):
    model = keras.Sequential([keras.Input((width,)), layers.Dense(4, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(optimizer(rate), "binary_crossentropy")
    return model


@pytest.mark.parametrize("case", range(6))
def test_a_rate_falls_in_the_epochs_in_which_keras_lets_it_fall(case):
    draw = np.random.default_rng(case)
    given = {"factor": 0.37, "patience": int(draw.integers(1, 4)), "cooldown": int(draw.integers(0, 3)),
             "min_delta": float(draw.choice([0.0, 0.05])), "min_lr": float(draw.choice([0.0, 2e-3]))}  # fmt: skip
    model, own = net(), RunRates([ReduceOnPlateau("val_loss", **given), FALLING], float(np.float32(0.02)))
    oracle = [keras.callbacks.ReduceLROnPlateau(**given), keras.callbacks.LearningRateScheduler(FALLING.function)]
    for one in oracle:
        one.set_model(model)
        one.on_train_begin()
    rates = []
    for epoch, value in enumerate(np.round(draw.normal(1, 0.1, 14), 2)):
        for one in oracle:
            one.on_epoch_begin(epoch)
        assert own.begin(epoch + 1) == float(model.optimizer.learning_rate)
        oracle[0].on_epoch_end(epoch, {"val_loss": float(value)})
        own.end({"val_loss": float(value)})
        rates.append(own.rate)
        assert own.rate == float(model.optimizer.learning_rate)
    assert len(set(rates)) > 2


def make(kind, make_data, rules, settings):
    data = make_data()
    if kind == "sparse":
        data = TrainingData(*(Split(sparse.csr_matrix(np.maximum(one.x, 0)), one.y) for one in
                              (data.train, data.validation, data.test)))  # fmt: skip
    optimizer = OPTIMIZERS.get(kind, keras.optimizers.Adam)
    models = {"a": net(optimizer)} if kind == "stacked" else {"a": net(optimizer), "b": net(optimizer, rate=0.05)}
    runs = [Run(name, seed, model) for name, model in models.items() for seed in (0, 1)]
    return runs, data, settings(epochs=4, rates=rules)


def together(runs):
    return Plan("cpu", "float32", (Chunk("chunk-000", tuple((r.variant, r.seed) for r in runs), "fused", "test"),))


@pytest.mark.parametrize(
    ("kind", "rules"),
    [("in place", (PLATEAU, FALLING)), ("sparse", (PLATEAU,)), ("apart", (PLATEAU,)),
     ("stacked", (FALLING,)), ("stacked", (PLATEAU,))],
)  # fmt: skip
def test_runs_together_have_the_rates_of_keras_loop_and_go_on_with_them(
    kind, rules, make_data, settings, collect, make_keeper
):
    runs, data, wanted = make(kind, make_data, rules, settings)
    keeper = make_keeper()
    train_fused(runs, data, wanted, keeper, plan=together(runs), checkpoint_seconds=0.0)
    whole = {(record.variant, record.seed): record for record in keeper.records}
    for key, alone in collect(train_reference, runs, data, wanted).items():
        np.testing.assert_array_equal(whole[key].history["learning_rate"], alone.history["learning_rate"])
        np.testing.assert_allclose(whole[key].history["loss"], alone.history["loss"], atol=2e-5)
        assert len(set(alone.history["learning_rate"])) > 1
    for chunk_id, state, _ in keeper.states[4::7]:
        rest = Collector()
        train_fused(runs, data, wanted, rest, plan=together(runs), states={chunk_id: state})
        for record in rest.records:
            undisturbed = whole[record.variant, record.seed]
            for name, values in record.history.items():
                np.testing.assert_array_equal(values, undisturbed.history[name], err_msg=name)
            for own, its in zip(record.weights_last, undisturbed.weights_last, strict=True):
                np.testing.assert_array_equal(own, its)


def test_functions_are_known_by_the_rates_that_they_give():
    assert describe_rates([FALLING], 0.5, 3) == [{"schedule": [0.5, 0.25, 0.125]}]
    assert describe_rates([EpochSchedule(lambda epoch: 0.5**epoch)], 9.0, 3) == [{"schedule": [1.0, 0.5, 0.25]}]
    counted = iter(range(99))
    with pytest.raises(ValueError, match="asked twice"):
        describe_rates([EpochSchedule(lambda epoch, rate: 0.1 + next(counted))], 0.1, 2)
    for wrong in (None, "0.1", np.nan, -0.1, 1):
        with pytest.raises(ValueError, match="must return a rate, a float"):
            describe_rates([EpochSchedule(lambda epoch, rate, wrong=wrong: wrong)], 0.1, 2)
