import keras
import numpy as np
import pytest
import scipy.sparse as sp

from gengap.engine.computation import Computation
from gengap.errors import DataError, ModelError, UnknownNameError
from gengap.sampling import predict_distribution
from gengap.sampling.footprint import CACHE
from gengap.sampling.graph_sampler import GraphSampler
from gengap.sampling.masks import Block
from gengap.sampling.members import _groups, _passes
from gengap.sampling.noise_layers import NoiseStrength
from gengap.sampling.sampler import WholeModelSampler
from gengap.sampling.switch import NoiseSource

L = keras.layers


def whole_model(model, x, *, num_members, seed=0, fixed_mask=False):
    """The oracle: Keras' own call, repeated inputs, only the noise layers' masks put in."""
    sampler = WholeModelSampler(model, NoiseSource(seed, fixed_mask=fixed_mask))
    sampler.load([x])
    raw = sampler.draw(Block(0, len(x), 0, num_members), NoiseStrength())
    return raw.reshape(len(x), num_members, -1).swapaxes(0, 1)[..., 0]


def compiled(*layers, shape, loss="mse"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), *layers])
    model.compile(loss=loss)
    return model


def test_a_linear_model_has_the_closed_form_variance(random):
    model = compiled(L.Dropout(0.3), L.Dense(1), shape=(8,))
    x = random.normal(size=(4, 8)).astype("float32")
    forecast = predict_distribution(model, x, num_members=20_000)
    weights, bias = (w.astype(float) for w in model.get_weights())
    assert forecast.mean.values == pytest.approx((x @ weights + bias)[:, 0], abs=0.05)
    exact = 0.3 / 0.7 * (x.astype(float) ** 2 @ weights**2)[:, 0]
    assert forecast.variance()["total"].values == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("fixed_mask", [False, True])
def test_the_fast_way_equals_keras_own_call_with_the_same_masks(storm_net, storms, fixed_mask):
    fast = predict_distribution(storm_net, storms, num_members=30, fixed_mask=fixed_mask)
    slow = whole_model(storm_net, storms, num_members=30, fixed_mask=fixed_mask)
    np.testing.assert_allclose(fast.members.values, slow, atol=2e-6)
    assert fast.members.values.std(axis=0).min() > 1e-3


def attention():
    x = inputs = keras.Input((6, 4))
    x = L.MultiHeadAttention(2, 3, dropout=0.3)(x, x)
    return keras.Model(inputs, L.Dense(1)(L.Dropout(0.2)(L.Flatten()(x))))


def nested():
    inner = keras.Sequential([keras.Input((6, 4)), L.Conv1D(5, 3, activation="relu"), L.SpatialDropout1D(0.3)])
    inputs = keras.Input((6, 4))
    x = L.Conv1D(6, 3, padding="same")(L.MaxPooling1D(2)(inner(inputs)))
    return keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(x)))


def branched():
    inputs = keras.Input((6, 4))
    drop = L.Dropout(0.3)
    one, two = drop(L.Dense(5, "tanh")(inputs)), drop(L.Dense(5)(inputs))
    skip = L.Dense(5)(inputs)
    return keras.Model(inputs, L.Dense(1)(L.Flatten()(L.Add()([one, two, skip]))))


@keras.saving.register_keras_serializable("gengap-tests")
class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.drop, self.last = L.Dense(8, "relu"), L.Dropout(0.4), L.Dense(1)

    def call(self, x, training=None):
        return self.last(self.drop(self.first(keras.ops.reshape(x, (-1, 24))), training=training))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 6, 4), "float32"))
    return model


@pytest.mark.parametrize("build", [attention, nested, branched, subclassed])
def test_any_model_equals_keras_own_call_with_the_same_masks(build, random):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(loss="mse")
    x = random.normal(size=(4, 6, 4)).astype("float32")
    fast = predict_distribution(model, x, num_members=12, task="regression")
    np.testing.assert_allclose(fast.members.values, whole_model(model, x, num_members=12), atol=2e-6)
    np.testing.assert_array_equal(fast.deterministic.values, model.predict(x, verbose=0)[:, 0])
    assert fast.members.values.std(axis=0).min() > 0


@pytest.mark.parametrize("memory_limit", [1 << 14, 1 << 20, 1 << 29])
def test_the_answer_does_not_depend_on_the_memory(storm_net, storms, memory_limit):
    reference = predict_distribution(storm_net, storms, num_members=25).members.values
    chunked = predict_distribution(
        storm_net, storms, num_members=25, computation=Computation(memory_limit=memory_limit)
    ).members.values
    np.testing.assert_allclose(chunked, reference, atol=2e-6)


def test_a_case_keeps_its_members_beside_other_cases_and_with_more_samples(storm_net, storms):
    many = predict_distribution(storm_net, storms, num_members=40).members.values
    few = predict_distribution(storm_net, storms[:2], num_members=10).members.values
    np.testing.assert_allclose(few, many[:10, :2], atol=2e-6)


def test_rate_zero_is_predict_exactly(storm_net, storms):
    forecast = predict_distribution(storm_net, storms, num_members=3, rate=0.0)
    exact = storm_net.predict(storms, verbose=0)[:, 0]
    np.testing.assert_array_equal(forecast.members.values, np.broadcast_to(exact, (3, 5)))
    np.testing.assert_array_equal(forecast.deterministic.values, exact)


def test_batch_normalization_stays_in_inference_mode(random):
    model = compiled(L.Dense(6), L.BatchNormalization(), L.Dropout(0.5), L.Dense(1), shape=(5,))
    x = random.normal(3, 2, size=(50, 5)).astype("float32")
    before = [w.copy() for w in model.get_weights()]
    forecast = predict_distribution(model, x, num_members=4_000)
    frozen = model.predict(x, verbose=0)[:, 0]
    scale = np.abs(frozen).max()
    assert (np.abs(forecast.mean.values - frozen) < 5 * forecast.spread.values / np.sqrt(4_000)).all()
    theirs = np.mean([keras.ops.convert_to_numpy(model(x, training=True))[:, 0] for _ in range(50)], axis=0)
    assert np.abs(theirs - frozen).max() > 0.2 * scale
    model.set_weights(before)  # `training=True` has moved the statistics; ours must not have
    predict_distribution(model, x, num_members=5)
    for ours, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, was)


def test_recurrent_dropout_is_switched_on_and_put_back(random):
    model = compiled(L.LSTM(4, dropout=0.4), L.Dense(1), shape=(5, 3))
    x = random.normal(size=(3, 5, 3)).astype("float32")
    first, again = (predict_distribution(model, x, num_members=20).members.values for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.std(axis=0).min() > 0
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ModelError, match="cannot be set"):
        predict_distribution(model, x, rate=0.5)
    same = np.repeat(x[:1], 3, axis=0)
    fixed = predict_distribution(model, same, num_members=20, fixed_mask=True).members.values
    np.testing.assert_allclose(fixed[:, 0], fixed[:, 2], atol=1e-6)


def test_sparse_rows_give_what_dense_rows_give(random):
    model = compiled(L.Dense(6, "relu"), L.Dropout(0.5), L.Dense(1, "sigmoid"), shape=(30,), loss="binary_crossentropy")
    x = sp.random(7, 30, density=0.2, random_state=0, format="csr", dtype="float32")
    sparse = predict_distribution(model, x, num_members=20)
    dense = predict_distribution(model, x.toarray(), num_members=20)
    np.testing.assert_allclose(sparse.members.values, dense.members.values, atol=1e-6)


def test_a_fixed_mask_is_one_network_for_all_cases(random):
    model = compiled(L.Dropout(0.5), L.Dense(1, use_bias=False), shape=(6,))
    x = np.repeat(random.normal(size=(1, 6)).astype("float32"), 3, axis=0)
    fixed = predict_distribution(model, x, num_members=15, fixed_mask=True).members.values
    np.testing.assert_allclose(fixed[:, 0], fixed[:, 2], atol=1e-6)
    free = predict_distribution(model, x, num_members=15).members.values
    assert np.abs(free[:, 0] - free[:, 2]).max() > 1e-3


def test_half_precision_is_off_by_less_than_a_tenth_of_the_spread(storm_net, storms):
    full = predict_distribution(storm_net, storms, num_members=50)
    half = predict_distribution(storm_net, storms, num_members=50, computation=Computation(precision="bfloat16"))
    error = np.abs(half.members.values - full.members.values).mean()
    assert 0 < error < 0.1 * float(full.spread.mean())


def test_rates_and_scales_by_layer(random):
    model = compiled(L.Dropout(0.2, name="a"), L.Dense(4), L.Dropout(0.2, name="b"), L.Dense(1), shape=(6,))
    x = random.normal(size=(2, 6)).astype("float32")
    forecast = predict_distribution(model, x, num_members=50, rate={"a": 0.0}, scale={"b": 2.0})
    assert forecast.settings["rates"] == {"a": 0.0, "b": 0.4}
    spread = [float(predict_distribution(model, x, num_members=400, rate=r).spread.mean()) for r in (0.1, 0.3, 0.6)]
    assert spread == sorted(spread)
    with pytest.raises(UnknownNameError, match="noise layers are"):
        predict_distribution(model, x, rate={"c": 0.5})


def test_what_cannot_be_sampled_is_refused(storms):
    plain = compiled(L.Dense(1), shape=(3,))
    x = np.ones((2, 3), "float32")
    with pytest.raises(ModelError, match="makes noise"):
        predict_distribution(plain, x)
    with pytest.raises(ValueError, match="at least 2"):
        predict_distribution(plain, x, num_members=1)
    with pytest.raises(ValueError, match="needs a Result"):
        predict_distribution(plain, x, method="ensemble")
    noisy = compiled(L.Dropout(0.5), L.Dense(1), shape=(3,))
    with pytest.raises(ValueError, match="`rate`"):
        predict_distribution(noisy, x, rate=1.0)
    with pytest.raises(DataError, match="at least one"):
        predict_distribution(noisy, x[:0])


def test_cases_that_do_not_fit_the_model_are_refused_in_a_sentence(random):
    model = compiled(L.Dropout(0.5), L.Dense(1), shape=(4,))
    x = random.normal(size=(3, 4)).astype("float32")
    with pytest.raises(DataError, match=r"shape \(n, 4\); received \(4,\). For a single case"):
        predict_distribution(model, x[0])
    with pytest.raises(DataError, match=r"received \(3, 2\)"):
        predict_distribution(model, x[:, :2])
    first, second = keras.Input((4,)), keras.Input((4,))
    two = keras.Model([first, second], L.Dense(1)(L.Dropout(0.5)(L.Add()([first, second]))))
    two.compile(loss="mse")
    with pytest.raises(DataError, match="takes 2 inputs; `x` holds 1"):
        predict_distribution(two, [x])
    with pytest.raises(DataError, match="same number of cases"):
        predict_distribution(two, [x, x[:2]])
    lists = predict_distribution(model, x.tolist(), num_members=10)
    np.testing.assert_array_equal(lists.members, predict_distribution(model, x, num_members=10).members)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"num_members": 20.5}, TypeError, "whole number"),
        ({"computation": Computation(compile=True)}, ValueError, "no use for `compile`"),
        ({"task": "ranking"}, ValueError, "`task`"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, error, match):
    model = compiled(L.Dropout(0.5), L.Dense(1), shape=(3,))
    with pytest.raises(error, match=match):
        predict_distribution(model, np.ones((2, 3), "float32"), **given)


def test_a_model_without_a_loss_is_read_by_its_last_activation(random):
    x = random.normal(size=(2, 4)).astype("float32")
    sigmoid = keras.Sequential([keras.Input((4,)), L.Dropout(0.5), L.Dense(1, "sigmoid")])
    assert predict_distribution(sigmoid, x, num_members=5).task == "binary"
    linear = keras.Sequential([keras.Input((4,)), L.Dropout(0.5), L.Dense(1)])
    with pytest.raises(ModelError, match="give `task`"):
        predict_distribution(linear, x)
    assert predict_distribution(linear, x, num_members=5, task="regression").task == "regression"
    with pytest.raises(ModelError, match="received function"):
        predict_distribution(lambda rows: rows, x)
    with pytest.raises(ModelError, match="not built"):
        predict_distribution(keras.Sequential([L.Dropout(0.5), L.Dense(1)]), x)


def test_any_output_of_several_may_be_asked(random):
    x = random.normal(size=(3, 4)).astype("float32")
    inputs = keras.Input((4,))
    hidden = L.Dropout(0.5)(inputs)
    outputs = [L.Dense(1, "sigmoid", name="rain")(hidden), L.Dense(1, name="degrees")(hidden)]
    model = keras.Model(inputs, outputs)
    model.compile(loss=["binary_crossentropy", "mse"])
    forecast = predict_distribution(model, x, num_members=5, output="degrees")
    assert forecast.task == "regression"
    np.testing.assert_array_equal(forecast.deterministic, model.predict(x, verbose=0)[1][:, 0])
    assert predict_distribution(model, x, num_members=5).task == "binary"
    with pytest.raises(UnknownNameError, match="no output"):
        predict_distribution(model, x, output="wind")


def test_a_case_of_nan_stays_nan_and_touches_no_other(storm_net, storms):
    broken = storms.copy()
    broken[2, 3, 4, 1] = np.nan
    forecast = predict_distribution(storm_net, broken, num_members=20)
    whole = predict_distribution(storm_net, storms, num_members=20)
    assert np.isnan(forecast.members.values[:, 2]).all()
    others = [0, 1, 3, 4]
    np.testing.assert_allclose(forecast.members.values[:, others], whole.members.values[:, others], atol=2e-6)
    table = forecast.table()
    assert table.index[-1] == 2
    assert table.iloc[-1].isna().all()
    assert not table.iloc[:-1].isna().any().any()


def test_a_skip_around_an_activation_is_not_overwritten(random):
    """Activations overwrite their input only where nobody else reads it."""
    inputs = keras.Input((8, 4))
    x = L.Conv1D(6, 3, padding="same")(L.SpatialDropout1D(0.4)(inputs))
    x = L.Add()([L.Activation("relu")(x), x])
    y = L.Conv1D(6, 3, padding="same")(x)
    x = L.Concatenate()([L.ReLU()(L.Dropout(0.0)(y)), L.Dropout(0.2)(y), y])
    model = keras.Model(inputs, L.Dense(1)(L.Flatten()(x)))
    model.compile(loss="mse")
    cases = random.normal(size=(3, 8, 4)).astype("float32")
    fast = predict_distribution(model, cases, num_members=12)
    np.testing.assert_allclose(fast.members.values, whole_model(model, cases, num_members=12), atol=2e-6)


def test_an_activation_of_ones_own_called_relu_is_not_taken_for_keras(random):
    def relu(values):
        return keras.ops.minimum(values, 0.1)

    model = compiled(L.SpatialDropout1D(0.3), L.Conv1D(4, 3), L.Activation(relu), L.Flatten(), L.Dense(1), shape=(6, 3))
    x = random.normal(size=(3, 6, 3)).astype("float32")
    fast = predict_distribution(model, x, num_members=12)
    np.testing.assert_allclose(fast.members.values, whole_model(model, x, num_members=12), atol=2e-6)


def test_many_cases_of_a_large_model_take_the_memory_of_one_pass(random):
    """Peak memory rises with the size of a pass, not with the number of members."""
    tracked = []
    model = compiled(
        L.Conv2D(16, 3, padding="same"),
        L.SpatialDropout2D(0.2),
        L.Conv2D(16, 3, padding="same"),
        L.Flatten(),
        L.Dense(1),
        shape=(32, 32, 1),
    )
    x = random.normal(size=(3, 32, 32, 1)).astype("float32")

    class Watched(GraphSampler):
        def draw(self, block, strength):
            tracked.append(block.rows)
            return super().draw(block, strength)

    sampler = Watched(model, NoiseSource(0, fixed_mask=False))
    sampler.load([x])
    for group in _groups(sampler, (0, 3), 500, 1 << 29, together=False):
        for block in _passes(sampler, group, 500, 1 << 29):
            sampler.draw(block, NoiseStrength())
    assert sum(tracked) == 3 * 500
    largest = 2 * 32 * 32 * 16 * 4  # input and output of a step
    assert max(tracked) * largest <= CACHE or max(tracked) <= 64
    assert sampler.rows(1 << 20) < sampler.rows(1 << 29)


def test_logits_become_probabilities_and_labels_get_a_dim(random):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = compiled(L.Dropout(0.5), L.Dense(3), shape=(4,), loss=loss)
    forecast = predict_distribution(model, random.normal(size=(2, 4)).astype("float32"), num_members=10)
    assert forecast.members.dims == ("member", "sample", "label")
    np.testing.assert_allclose(forecast.members.sum("label"), 1, atol=1e-5)
