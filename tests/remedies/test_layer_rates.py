"""A learning rate for each layer: worked by hand, by Keras' own `fit`, and by the fused engine."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import sparse

import gengap as gg
from gengap.analysis.diagnosis.configurations import differences
from gengap.engine.cohorts import cohorts
from gengap.engine.fit_inputs import as_runs
from gengap.errors import ModelError, RemedyError
from gengap.keras_models.clone import rate_factors

RNG = np.random.default_rng(1)
X = RNG.normal(size=(8, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]]).astype("float32")
HALVED = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.1, 0.05, 0.025])


def linear(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    """Two linear layers without biases, whose gradients a hand can work out."""
    keras.utils.set_random_seed(4)
    own = [layers.Dense(2, use_bias=False, name="below"), layers.Dense(1, use_bias=False, name="above")]
    model = keras.Sequential([keras.Input((3,)), *own])
    model.compile(optimizer, "mse")
    return model


def by_hand(weights: list[np.ndarray], rates: list[float], factors: tuple, *, adam: bool, decay: float) -> list:
    """Full-batch gradient descent on the squared error; decay is taken off before the step, as Keras has it."""
    now = [w.astype("float64") for w in weights]
    mean, square = [0.0, 0.0], [0.0, 0.0]
    for step, rate in enumerate(rates, start=1):
        error = 2 * (X @ now[0] @ now[1] - Y) / len(X)
        gradients = X.T @ error @ now[1].T, (X @ now[0]).T @ error
        for n, (g, factor) in enumerate(zip(gradients, factors, strict=True)):
            change = g
            if adam:
                mean[n] = 0.9 * mean[n] + 0.1 * g
                square[n] = 0.999 * square[n] + 0.001 * g**2
                corrected = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                change = corrected * mean[n] / (np.sqrt(square[n]) + 1e-7)
            now[n] = now[n] * (1 - rate * factor * decay) - rate * factor * change
    return now


@pytest.mark.parametrize(
    ("optimizer", "rates", "adam", "decay"),
    [
        (keras.optimizers.SGD(0.1), [0.1] * 3, False, 0.0),
        (keras.optimizers.SGD(HALVED, weight_decay=0.3), [0.1, 0.05, 0.025], False, 0.3),
        (keras.optimizers.Adam(HALVED), [0.1, 0.05, 0.025], True, 0.0),
        (keras.optimizers.AdamW(0.1, weight_decay=0.3), [0.1] * 3, True, 0.3),
    ],
    ids=["sgd", "sgd by schedule with decay", "adam by schedule", "adamw"],
)
def test_keras_and_we_take_the_steps_that_a_hand_works_out(optimizer, rates, adam, decay):
    model = gg.LearningRate(0.1, on="below")(linear(optimizer))
    expected = by_hand(model.get_weights(), rates, (0.1, 1.0), adam=adam, decay=decay)
    whole = by_hand(model.get_weights(), rates, (1.0, 1.0), adam=adam, decay=decay)
    ours = gg.clone_compiled(model)
    model.fit(X, Y, epochs=3, batch_size=8, verbose=0)
    gg.fit_many([ours], X, Y, seeds=[0], epochs=3, batch_size=8, initial_weights="keep")
    for theirs, own, by_a_hand, plain in zip(model.get_weights(), ours.get_weights(), expected, whole, strict=True):
        np.testing.assert_allclose(theirs, by_a_hand, atol=2e-5)
        np.testing.assert_allclose(own, by_a_hand, atol=2e-5)
        assert not np.allclose(plain, by_a_hand, atol=1e-3)


def deep(optimizer: object) -> keras.Model:
    keras.utils.set_random_seed(2)
    # a bias before a normalization has no gradient but rounding, which Adam makes large
    body = [layers.Dense(5, use_bias=False, name="a"), layers.BatchNormalization(name="n"), layers.ReLU()]
    body += [layers.Dense(4, name="b"), layers.Dense(1, name="c")]
    model = keras.Sequential([keras.Input((3,)), *body])
    model.compile(optimizer, "mse")
    return model


DOORS = {
    "kernels": (keras.optimizers.AdamW(0.05, weight_decay=0.1, global_clipnorm=0.5), 1),
    "momentum": (keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), 1),
    "mean squares": (keras.optimizers.RMSprop(0.02, centered=True), 1),
    "Keras' own on the stack": (keras.optimizers.Nadam(0.05), 3),
    "an average": (keras.optimizers.Adam(0.05, use_ema=True), 1),
    "one after the other": (keras.optimizers.Lamb(0.05), 3),
}


REPEATS = {"mean squares", "an average"}


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.slow) if one in REPEATS else one for one in DOORS]
)
def test_runs_whose_factors_differ_train_as_kerass_own(name):
    optimizer, groups = DOORS[name]
    base = gg.WeightDecay(0.1)(deep(optimizer)) if name == "kernels" else deep(optimizer)
    slower = gg.LearningRate(0.2, on="a")
    models = [base, slower(base), (slower + gg.LearningRate(0.5, on="hidden"))(base)]
    assert len(cohorts(as_runs(models, [0, 1, 2]))) == groups
    certificates = gg.certify(models, X, Y, batch_size=4, steps=2)
    assert all(one.difference < 5e-6 for one in certificates), certificates
    moved = [gg.clone_compiled(model) for model in models]
    gg.fit_many(moved, X, Y, seeds=[0] * 3, epochs=2, batch_size=4, initial_weights="keep")
    far = [np.abs(model.get_weights()[0] - base.get_weights()[0]).mean() for model in moved]
    assert far[0] > far[1] > far[2]


def test_sparse_rows_whose_kernel_lies_apart_learn_at_its_rate():
    rows = sparse.random(20, 30, 0.2, "csr", dtype="float32", random_state=0)
    y = np.asarray(rows.sum(1)).ravel()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((30,)), layers.Dense(4, name="words"), layers.Dense(1)])
    model.compile(keras.optimizers.AdamW(0.05, weight_decay=0.1), "mse")
    models = [gg.LearningRate(0.1, on="words")(model), model, gg.LearningRate(3, on="words")(model)]
    on_rows, dense = ([gg.clone_compiled(one) for one in models] for _ in range(2))
    given = {"seeds": [0, 1, 2], "epochs": 2, "batch_size": 5, "initial_weights": "keep"}
    gg.fit_many(on_rows, rows, y, **given)
    gg.fit_many(dense, rows.toarray(), y, **given)
    for ours, theirs in zip(on_rows, dense, strict=True):
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True))
    assert not np.allclose(on_rows[0].get_weights()[0], on_rows[1].get_weights()[0], atol=1e-3)


def test_runs_that_stop_leave_the_others_their_rates():
    base = deep(keras.optimizers.AdamW(0.3, weight_decay=0.1))
    given = {"epochs": 4, "batch_size": 4, "validation_data": (-X, Y[:, 0]), "progress": False}
    remedies = [gg.LearningRate(f, on="hidden") for f in (0.01, 1.5)] + [gg.EarlyStopping(patience=1)]
    studies = [gg.Study(base, remedies=remedies, seeds=2, engine=engine) for engine in ("fused", "keras")]
    ours, theirs = (study.run(X, Y[:, 0], **given) for study in studies)
    assert len(ours.manifest["plan"]["chunks"]) == 1
    assert "stopped" in str(ours.runs["status"].values)
    for name in ("loss", "val_score"):
        np.testing.assert_allclose(ours.history[name], theirs.history[name], atol=1e-4)


def factors(model: keras.Model) -> list[float]:
    own = rate_factors(model)
    return [round(own[id(weight)], 6) for weight in model.trainable_weights]


def test_other_remedies_leave_every_layer_its_rate():
    model = gg.LearningRate(0.1, on="b")(deep("adam"))
    assert factors(model) == [1, 1, 1, 0.1, 0.1, 1, 1]
    assert factors(gg.Freeze("n")(model)) == [0.1, 0.1, 1, 1]
    assert factors(gg.BatchNorm(on="b")(model)) == [1, 1, 1, 0.1, 0.1, 1, 1, 1, 1]
    assert factors((gg.Width(0.5) + gg.L2(0.1) + gg.WeightDecay(0.1) + gg.EMA())(model)) == factors(model)
    assert factors((gg.LearningRate(0.5, on=("a", "b")) + gg.LearningRate(0.5))(model))[::3] == [0.5, 0.05, 1]
    thawed = gg.Freeze("a")(deep("adam"))
    assert factors((gg.Thaw("a") + gg.LearningRate(0.1, on="a"))(thawed)) == [0.1, 1, 1, 1, 1, 1, 1]
    assert factors(gg.LearningRate(0.1, on="hidden")(deep("adam"))) == [0.1] * 5 + [1, 1]


def test_a_rate_of_a_schedule_is_multiplied_by_a_factor_of_all_layers():
    slow = gg.LearningRate(0.1)(linear(keras.optimizers.SGD(HALVED)))
    fast = linear(keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.01, 5e-3, 2.5e-3])))
    for model in (slow, fast):
        model.fit(X, Y, epochs=3, batch_size=8, verbose=0)
    assert all(np.allclose(a, b, atol=1e-7) for a, b in zip(slow.get_weights(), fast.get_weights(), strict=True))


def halving() -> float:
    return 0.5


def test_a_rate_that_is_a_function_of_the_users_is_multiplied_as_well():
    slow, plain = gg.LearningRate(0.02, on="below")(linear(keras.optimizers.SGD(halving))), linear("sgd")
    assert gg.WeightDecay(0.1)(slow).optimizer.factors == (0.02, 1.0)
    start = plain.get_weights()
    plain.fit(X, Y, batch_size=8, verbose=0)
    slow.fit(X, Y, batch_size=8, verbose=0)
    np.testing.assert_allclose(slow.get_weights()[0], plain.get_weights()[0], atol=1e-6)  # .5 * .02 is SGD's own .01
    moved = [model.get_weights()[1] - start[1] for model in (slow, plain)]
    np.testing.assert_allclose(moved[0], 50 * moved[1], rtol=1e-3)


def test_the_model_goes_on_after_it_was_saved_and_read(tmp_path):
    model = gg.LearningRate(0.1, on="a")(deep(keras.optimizers.AdamW(0.05, weight_decay=0.1)))
    model.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for one in (model, loaded):
        one.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    assert factors(loaded) == factors(model)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True))
    assert factors(gg.clone_compiled(loaded)) == factors(model)


def test_a_stored_result_gives_the_model_back_and_says_what_differs(tmp_path):
    for _ in range(2):  # trained, then read
        study = gg.Study(deep("adam"), remedies=[gg.LearningRate(0.1, on="a")], seeds=2, storage=tmp_path / "s")
        result = study.run(X, Y[:, 0], epochs=2, validation_data=(-X, Y[:, 0]), progress=False)
    again = result.model("learning_rate(0.1, on=a)", seed=1)
    assert factors(again) == [0.1, 1, 1, 1, 1, 1, 1]
    configurations = [one["model"] for one in result.manifest["variants"].values()]
    assert "rates 0.1 of 1, 1 of 6" in differences(*configurations)["optimizer"][1]


def test_what_cannot_have_a_rate_of_its_own_is_said():
    class Own(keras.optimizers.SGD):
        pass

    with pytest.raises(RemedyError, match=r"Keras' optimizers SGD, RMSprop.* compiled with Own"):
        gg.LearningRate(0.1, on="a")(deep(Own(0.1)))
    frozen = gg.Freeze("a")(deep("adam"))
    with pytest.raises(RemedyError, match=r"What is frozen is thawed first: gg\.Thaw"):
        gg.LearningRate(0.1, on="a")(frozen)
    with pytest.raises(ModelError, match=r"keep it with model\.save"):
        gg.to_code(gg.LearningRate(0.1, on="a")(deep("adam")))
    model = gg.LearningRate(0.1, on="a")(deep("adam"))
    model.get_layer("b").trainable = False
    with pytest.raises(ModelError, match="trains 5 weights, and its optimizer has learning rates for 7 others"):
        gg.clone_compiled(model)
    with pytest.raises(ValueError, match="freeze and thaw before"):
        model.fit(X, Y, verbose=0)
