"""What a chunk guarantees beyond parity: resume to the bit, noise by key, sparse rows, weights, interruption."""

import signal
from dataclasses import replace

import keras
import numpy as np
import pytest
import torch
from keras import layers
from scipy import sparse

from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.fused import plan_fused, prepare_runs, train_fused
from gengap.engine.parity import certify_runs
from gengap.engine.planner import Chunk, Plan
from gengap.engine.reference import train_reference
from gengap.engine.runs import Collector, Run
from gengap.engine.trainer import Trainer
from gengap.errors import SlowPathWarning
from gengap.layers.doors import PassContext, StackedTensor
from gengap.remedies.stopping import StoppingRule


def net(*noise, l2=0.0, optimizer=None, width=6, loss="binary_crossentropy", metrics=("accuracy",)):
    regularizer = keras.regularizers.L2(l2) if l2 else None
    model = keras.Sequential(
        [keras.Input((width,)), layers.Dense(5, activation="relu", kernel_regularizer=regularizer), *noise,
         layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip
    model.compile(optimizer or keras.optimizers.Adam(1e-2), loss, metrics=list(metrics))
    return model


def together(runs):
    return Plan("cpu", "float32", (Chunk("chunk-000", tuple((r.variant, r.seed) for r in runs), "fused", "test"),))


def apart(runs):
    chunks = (Chunk(f"chunk-{n:03d}", ((r.variant, r.seed),), "fused", "test") for n, r in enumerate(runs))
    return Plan("cpu", "float32", tuple(chunks))


def assert_equal(record, other, *, tolerance=0.0):
    assert set(record.history) == set(other.history)
    assert (record.best_epoch, record.status) == (other.best_epoch, other.status)
    for name in set(record.history) - {"accuracy", "val_accuracy"}:
        np.testing.assert_allclose(record.history[name], other.history[name], atol=tolerance, rtol=0, err_msg=name)
    for own, its in zip(
        [*record.weights_last, *record.weights_best], [*other.weights_last, *other.weights_best], strict=True
    ):
        np.testing.assert_allclose(own, its, atol=tolerance, rtol=0)
    for split in record.predictions:
        np.testing.assert_allclose(
            record.predictions[split].best, other.predictions[split].best, atol=tolerance, rtol=0
        )


def sparse_data(make_data):
    dense = make_data((30,))
    splits = []
    for split in (dense.train, dense.validation, dense.test):
        x = np.where(split.x > 0.8, split.x, 0.0).astype(np.float32)
        splits.append((Split(x, split.y), Split(sparse.csr_matrix(x), split.y)))
    return (TrainingData(*part) for part in zip(*splits, strict=True))


def make_runs(kind, make_data):
    noise = [layers.Dropout(0.4), layers.GaussianNoise(0.2)]
    if kind == "sparse":
        _, data = sparse_data(make_data)
        models = {
            "a": net(*noise, width=30, l2=1e-3),
            "b": net(layers.Dropout(0.2), layers.GaussianNoise(0.1), width=30),
        }
    elif kind == "apart":
        data, models = make_data(), {"a": net(*noise, optimizer=keras.optimizers.Lamb(1e-2))}
    elif kind == "stacked":
        data, models = make_data(), {"a": net(*noise, optimizer=keras.optimizers.Nadam(1e-2))}
    else:
        data = make_data()
        models = {"a": net(*noise, l2=1e-3), "b": net(layers.Dropout(0.2), layers.GaussianNoise(0.0))}
    stopping = {0: StoppingRule(1), 1: None, 2: None}
    return [Run(n, s, m, stopping=stopping[s]) for n, m in models.items() for s in (0, 1, 2)], data


@pytest.mark.parametrize("kind", ["in place", "stacked", "apart", "sparse"])
def test_from_every_checkpoint_training_goes_on_to_the_same_bits(kind, make_data, settings, make_keeper):
    runs, data = make_runs(kind, make_data)
    wanted = settings(epochs=3)
    keeper = make_keeper()
    train_fused(runs, data, wanted, keeper, plan=together(runs), checkpoint_seconds=0.0)
    undisturbed = {(record.variant, record.seed): record for record in keeper.records}
    assert len(keeper.states) >= 3 * 4 - 1  # one after every step
    for chunk_id, state, done in keeper.states[::3]:
        rest = Collector()
        train_fused(runs, data, wanted, rest, plan=together(runs), states={chunk_id: state})
        assert len(rest.records) == len(runs) - done
        for record in rest.records:
            assert_equal(record, undisturbed[record.variant, record.seed])


def test_sparse_rows_are_dense_rows(make_data, settings, collect):
    dense, rows = sparse_data(make_data)
    models = {"l2": net(width=30, l2=1e-2), "slow": net(width=30, optimizer=keras.optimizers.Adam(1e-3))}
    models["decayed"] = net(width=30, optimizer=keras.optimizers.AdamW(1e-2, weight_decay=0.1))
    for group in (["l2", "slow"], ["decayed"]):
        runs = [Run(name, seed, models[name]) for name in group for seed in (0, 1)]
        by_keras = collect(train_reference, runs, dense, settings())
        for name, record in collect(train_fused, runs, rows, settings(), plan=together(runs)).items():
            assert_equal(record, by_keras[name], tolerance=2e-5)


@pytest.mark.parametrize("x", ["list", "memmap", "torch", "pandas", "float64", "sparse without kernel"])
def test_data_come_in_every_form(x, make_data, settings, collect, tmp_path):
    import pandas as pd

    data = make_data()
    plain = data.train.x
    if x == "memmap":
        given = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=plain.shape)
        given[:] = plain
    else:
        given = {
            "list": [plain], "torch": torch.from_numpy(plain), "pandas": pd.DataFrame(plain),
            "float64": plain.astype(np.float64), "sparse without kernel": sparse.csr_matrix(plain),
        }[x]  # fmt: skip
    optimizer = keras.optimizers.Lion(1e-3) if x.startswith("sparse") else None
    runs = [Run("a", seed, net(optimizer=optimizer)) for seed in (0, 1)]
    wanted = settings()
    expected = collect(train_fused, runs, data, wanted, plan=together(runs))
    actual = collect(train_fused, runs, replace(data, train=replace(data.train, x=given)), wanted, plan=together(runs))
    for name, record in actual.items():
        assert_equal(record, expected[name], tolerance=1e-6)


NOISE = {
    "dropout": lambda: [layers.Dropout(0.5)],
    "noise shape": lambda: [layers.Dropout(0.5, noise_shape=(None, 1))],
    "spatial": lambda: [layers.Reshape((5, 1)), layers.Conv1D(3, 2), layers.SpatialDropout1D(0.3), layers.Flatten()],
    "gaussian": lambda: [layers.GaussianDropout(0.3), layers.GaussianNoise(0.3)],
}


@pytest.mark.parametrize("name", [*NOISE])
def test_given_the_same_masks_noise_is_keras(name, make_data, settings):
    runs = [Run("a", seed, net(*NOISE[name]())) for seed in (0, 1)]
    for one in certify_runs(runs, make_data(), settings(), steps=4, tolerance=1e-5):
        assert one.steps == 4
        assert one.holds, one


def test_noise_depends_on_neither_neighbours_nor_chunks(make_data, settings, collect):
    runs = [Run(n, s, net(layers.Dropout(rate))) for n, rate in (("a", 0.5), ("b", 0.1), ("c", 0.0)) for s in (0, 1)]
    data = make_data()
    as_one = collect(train_fused, runs, data, settings(), plan=together(runs))
    for name, record in collect(train_fused, runs, data, settings(), plan=apart(runs)).items():
        assert_equal(record, as_one[name], tolerance=1e-6)


def test_a_neighbour_a_million_times_larger_changes_nothing(make_data, settings, collect):
    model, large = net(layers.Dropout(0.5)), net(layers.Dropout(0.5))
    large.set_weights([1e6 * weight for weight in large.get_weights()])
    runs = [Run("large", 0, large), Run("a", 0, model)]
    data, keep = make_data(), settings(initial_weights="keep")
    beside = collect(train_fused, runs, data, keep, plan=together(runs))
    alone = collect(train_fused, runs[1:], data, keep, plan=together(runs[1:]))
    assert_equal(beside["a", 0], alone["a", 0], tolerance=1e-6)


def test_dropout_drops_at_its_rate_and_keeps_the_mean(make_data, settings):
    data = make_data((400,), n=(64, 0, 0))
    model = keras.Sequential([keras.Input((400,)), layers.Dropout(0.3), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    trainer = Trainer("x", prepare_runs([Run("a", 0, model)], data, settings()), data, settings())
    ones = torch.ones(1, 500, 400)
    trainer._program([ones], PassContext(training=True))
    door = trainer._program.choices[0]
    dropped = door(PassContext(training=True), StackedTensor(ones)).value
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.005)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert torch.equal(door(PassContext(training=False), StackedTensor(ones)).value, ones)


LOSSES = {
    "smoothing": lambda: keras.losses.BinaryCrossentropy(label_smoothing=0.1),
    "logits": keras.losses.BinaryFocalCrossentropy,
    "sum": lambda: keras.losses.BinaryCrossentropy(reduction="sum"),
    "weighted mean": lambda: keras.losses.BinaryCrossentropy(reduction="mean_with_sample_weight"),
    "dice mixes samples": keras.losses.Dice,
    "function": lambda: keras.losses.mean_absolute_error,
}


@pytest.mark.parametrize("name", [*LOSSES])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_are_keras_with_weights_of_cases_and_labels(name, weighted, make_data, settings, collect):
    data = make_data()
    if weighted:
        weight = np.random.default_rng(0).uniform(0.5, 2, len(data.train)).astype(np.float32)
        data = replace(data, train=replace(data.train, sample_weight=weight))
        if name.startswith("dice"):
            pytest.skip("Keras cannot weight cases in a loss that has no value per case")
    wanted = settings(class_weight={0: 1.0, 1: 3.0} if weighted else None, task="binary")
    runs = [Run("a", seed, net(loss=LOSSES[name](), optimizer=keras.optimizers.SGD(0.1))) for seed in (0, 1)]
    by_keras = collect(train_reference, runs, data, wanted)
    for run, record in collect(train_fused, runs, data, wanted, plan=together(runs)).items():
        assert_equal(record, by_keras[run], tolerance=2e-5)


def test_several_outputs_with_weights_and_metrics(make_data, settings, collect):
    x = keras.Input((6,))
    h = layers.Dense(5, activation="relu")(x)
    outputs = {"event": layers.Dense(1, activation="sigmoid", name="event")(h), "size": layers.Dense(2, name="size")(h)}
    model = keras.Model(x, outputs)
    losses = {"event": "binary_crossentropy", "size": "mse"}
    model.compile("sgd", losses, loss_weights={"event": 1.0, "size": 0.3}, metrics={"event": ["auc"], "size": ["mae"]})
    data = make_data(n=(53, 20, 0))

    def both(split):
        return replace(split, y={"event": split.y.reshape(-1, 1), "size": split.x[:, :2]})

    data = TrainingData(both(data.train), both(data.validation))
    wanted = settings(output="event", keep_every_epoch=False)
    runs = [Run("a", seed, model) for seed in (0, 1)]
    by_keras = collect(train_reference, runs, data, wanted)
    for run, record in collect(train_fused, runs, data, wanted, plan=together(runs)).items():
        for name in ("loss", "event_auc", "size_mae", "val_event_auc", "val_loss", "event_loss", "val_score"):
            np.testing.assert_allclose(record.history[name], by_keras[run].history[name], atol=1e-5, err_msg=name)


def test_shares_see_their_own_subset(make_data, settings, collect):
    data = make_data()
    runs = [Run("half", seed, net(), share=0.5) for seed in (0, 1)] + [Run("all", 0, net())]
    plan = plan_fused(runs, data, settings())
    assert sorted(len(chunk.runs) for chunk in plan.chunks) == [1, 2]
    by_keras = collect(train_reference, runs, data, settings())
    for name, record in collect(train_fused, runs, data, settings(), plan=plan).items():
        assert_equal(record, by_keras[name], tolerance=2e-5)


def test_an_interrupted_training_hands_out_its_state(make_data, settings, make_keeper):
    runs, data = make_runs("in place", make_data)

    class Interrupter(make_keeper):
        def on_epoch(self, run, epoch, logs):
            if epoch == 2 and run is runs[0]:  # once: whoever asks twice does not get the state
                signal.raise_signal(signal.SIGINT)

    keeper = Interrupter()
    with pytest.raises(KeyboardInterrupt):
        train_fused(runs, data, settings(epochs=5), keeper, plan=together(runs))
    ((_, state, _),) = keeper.states
    assert (state.scalars["epoch"], state.scalars["step"]) == (3, 1)


@pytest.mark.filterwarnings("ignore:Predictions are made in batches")
def test_the_slow_door_is_said_once_with_layer_and_reason(make_data, settings):
    @keras.saving.register_keras_serializable("tests")
    class Unheard(layers.Layer):
        def call(self, x):
            return x - float(keras.ops.max(keras.ops.stop_gradient(x)))

    runs = [Run("a", seed, net(Unheard(name="unheard"))) for seed in (0, 1)]
    with pytest.warns(SlowPathWarning, match=r"'unheard' \(Unheard\).*mixes the samples") as caught:
        train_fused(runs, make_data(), settings(), Collector(), plan=together(runs))
    said = [str(one.message) for one in caught if issubclass(one.category, SlowPathWarning)]
    assert len(said) == 2
    assert "in batches of 16" in said[1]


def test_a_plan_is_printed_stored_and_followed(make_data, settings):
    runs = [Run(n, s, net(l2=l2)) for n, l2 in (("a", 0.0), ("b", 0.1)) for s in (0, 1)]
    runs += [Run("wide", 0, net(layers.Dense(7)))]
    data = make_data()
    plan = plan_fused(runs, data, settings())
    assert Plan.from_json(plan.to_json()) == plan
    assert "5 runs in" in str(plan)
    names = [name for chunk in plan.chunks for name in chunk.runs]
    assert sorted(names) == sorted((run.variant, run.seed) for run in runs)
    collector = Collector()
    assert train_fused(runs, data, settings(), collector, plan=plan) == plan
    assert len(collector.records) == 5


def test_what_cannot_be_fused_takes_keras_own_loop(make_data, settings):
    @keras.saving.register_keras_serializable("tests")
    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    model = Own([keras.Input((6,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    plan = plan_fused([Run("a", 0, model)], make_data(), settings())
    assert plan.chunks[0].engine == "keras"
    assert "train_step" in plan.chunks[0].reason


def test_bfloat16_keeps_the_head_and_weights_in_float32(make_data, settings, collect):
    runs = [Run("a", seed, net(layers.Dropout(0.2), layers.Dense(4))) for seed in (0, 1)]
    data, half = make_data(), settings(precision="bfloat16")
    model = prepare_runs(runs, data, half)[0].model
    assert [layer.compute_dtype for layer in model.layers] == ["bfloat16", "bfloat16", "bfloat16", "float32"]
    exact = collect(train_fused, runs, data, settings(), plan=together(runs))
    for name, record in collect(train_fused, runs, data, half, plan=together(runs)).items():
        assert record.weights_last[0].dtype == np.float32
        np.testing.assert_allclose(record.predictions["test"].last, exact[name].predictions["test"].last, atol=0.03)
        assert len(np.unique(record.predictions["test"].last)) > 8


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_on_cuda_the_numbers_are_those_of_the_cpu(make_data, settings, collect):
    runs = [Run("a", seed, net(layers.Dropout(0.5))) for seed in (0, 1)]
    data = make_data()
    on_cpu = collect(train_fused, runs, data, settings(), device="cpu")
    for name, record in collect(train_fused, runs, data, settings(), device="cuda").items():
        assert_equal(record, on_cpu[name], tolerance=1e-4)
