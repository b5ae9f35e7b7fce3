"""What `result.model` returns is the network that was trained, or an error says why it is not."""

import pickle

import keras
import numpy as np
import pytest
from keras import layers, ops

import gengap as gg
from gengap.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 8)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


class Chooses(layers.Layer):
    """Draws in its constructor what no configuration holds, and starts with weights that it makes there."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.index = np.random.choice(8, 4)  # noqa: NPY002  what users write
        self.w = self.add_weight(shape=(4, units), name="w")

    def get_config(self):
        return {**super().get_config(), "units": self.units}

    def call(self, x):
        return ops.take(x, self.index, axis=1) @ self.w


class Unkeyed(Chooses):
    """Draws from a generator that nothing reaches."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.index = np.random.default_rng().permutation(8)[:4]


class Sampling(layers.Layer):
    """A variational layer whose noise stays on in inference."""

    def call(self, x):
        return x + 0.5 * keras.random.normal(ops.shape(x))


class Centred(layers.Layer):
    def call(self, x):
        return x - ops.mean(x, axis=0, keepdims=True)


class Signed(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(ops.sign(gradient), variable, learning_rate)


def net(*middle, optimizer="sgd"):
    model = keras.Sequential([keras.Input((8,)), *middle, layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer, "binary_crossentropy")
    return model


def run(model, engine="keras", storage=None, **given):
    study = gg.Study(model, seeds=2, engine=engine, storage=storage, **given)
    held_out = {"validation_data": (X[40:], Y[40:])}
    return study.run(X[:40], Y[:40], epochs=2, batch_size=16, progress=False, **held_out)


def stored(result, seed):
    return result.validation["prediction_last"].sel(variant="baseline", seed=seed).to_numpy()


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_what_a_constructor_draws_is_drawn_again(engine):
    result = run(net(Chooses(), layers.Dense(3)), engine)
    for _ in range(2):
        model = result.model("baseline", seed=1, epoch="last")
        np.testing.assert_allclose(model.predict(X[40:], verbose=0)[:, 0], stored(result, 1), atol=1e-5)
    again = run(net(Chooses(), layers.Dense(3)), engine)
    np.testing.assert_array_equal(stored(result, 1), stored(again, 1))


def test_several_of_one_class_choose_what_they_chose():
    x = keras.Input((8,))
    parts = [Chooses(units)(x) for units in (2, 3, 2)]
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.Concatenate()(parts)))
    model.compile("sgd", "binary_crossentropy")
    result = run(model, "fused")
    found = result.model("baseline", seed=0, epoch="last").predict(X[40:], verbose=0)[:, 0]
    np.testing.assert_allclose(found, stored(result, 0), atol=1e-5)


class OwnModel(keras.Model):
    """A subclassed model without a configuration, whose constructor takes nothing."""

    def __init__(self):
        super().__init__()
        self.chooses, self.head = Chooses(), layers.Dense(1, activation="sigmoid")

    def call(self, x):
        return self.head(self.chooses(x))


def test_a_subclassed_model_comes_back_in_its_process():
    model = OwnModel()
    model(X[:2])
    model.compile("sgd", "binary_crossentropy")
    result = run(model)
    found = result.model("baseline", seed=1, epoch="last")
    assert found.compiled
    np.testing.assert_allclose(found.predict(X[40:], verbose=0)[:, 0], stored(result, 1), atol=1e-5)


def test_another_network_is_an_error_that_says_why(tmp_path):
    result = run(net(Unkeyed()), storage=tmp_path / "study")
    with pytest.raises(ModelError, match=r"not the network that was trained.*where .* was stored.*\(Unkeyed\)"):
        result.model("baseline", seed=0)
    assert isinstance(result.model("baseline", seed=0, check=False), keras.Model)
    loaded = gg.load(tmp_path / "study", custom_objects={"Unkeyed": Unkeyed})
    with pytest.raises(ModelError, match="not the network that was trained"):
        loaded.model("baseline", seed=0)


def test_kept_weights_need_a_clone_that_computes_the_same():
    with pytest.raises(ModelError, match="its clone computes something else"):
        run(net(Unkeyed()), initial_weights="keep")


@pytest.mark.filterwarnings("ignore:.*draws random numbers in inference too")
@pytest.mark.parametrize("layer", [Sampling, Centred])
def test_forecasts_that_are_draws_or_mix_cases_are_no_error(layer):
    assert isinstance(run(net(layer())).model("baseline", seed=0), keras.Model)


def test_a_result_remembers_the_users_classes_in_its_process(tmp_path):
    result = run({"baseline": net(layers.Dense(4), Centred(), optimizer=Signed(0.01)), "other": net(layers.Dense(3))})
    assert isinstance(result.model("baseline"), keras.Model)
    result.save(tmp_path / "saved")
    loaded = gg.load(tmp_path / "saved")
    with pytest.raises(ModelError, match=r"custom_objects=.*--code") as unknown:
        loaded.model("baseline")
    assert "'Centred'" in str(unknown.value) or "Signed'" in str(unknown.value)
    assert len(str(unknown.value)) < 400  # Keras adds the whole configuration
    known = {"Centred": Centred, "Signed": Signed}
    assert isinstance(loaded.model("baseline", custom_objects=known), keras.Model)
    assert isinstance(gg.load(tmp_path / "saved", custom_objects=known).model("baseline"), keras.Model)
    assert not pickle.loads(pickle.dumps(result)).objects


def test_two_classes_of_one_name_are_told_apart():
    def scaled(factor):
        class Scaled(layers.Layer):
            def call(self, x):
                return factor * x

        return net(Scaled())

    result = run({"baseline": scaled(1.0), "other": scaled(-5.0)})
    for name in result.variants:
        assert isinstance(result.model(name, seed=0), keras.Model)


@pytest.mark.parametrize("form", ["list", "mapping", "csr"])
def test_cases_of_every_form_are_kept(form, tmp_path):
    from scipy import sparse

    if form == "csr":
        model, x = net(layers.Dense(3)), sparse.csr_matrix(X)
        parts = x[:40], x[40:]
    else:
        a, b = keras.Input((8,), name="a"), keras.Input((8,), name="b")
        model = keras.Model([a, b], layers.Dense(1, activation="sigmoid")(layers.Concatenate()([a, b])))
        model.compile("sgd", "binary_crossentropy")
        pack = {"list": lambda rows: [rows, -rows], "mapping": lambda rows: {"a": rows, "b": -rows}}[form]
        parts = pack(X[:40]), pack(X[40:])
    study = gg.Study(model, seeds=1, engine="fused", storage=tmp_path / "study")
    study.run(parts[0], Y[:40], validation_data=(parts[1], Y[40:]), epochs=1, progress=False)
    result = gg.load(tmp_path / "study")
    assert result.cases["validation"]
    assert isinstance(result.model("baseline"), keras.Model)
    wrong = {key: [weight + 1 for weight in weights] for key, weights in result.weights.items()}
    with pytest.raises(ModelError, match="not the network that was trained"):
        gg.Result(
            result.history, result.runs, result.validation, result.test, result.manifest, wrong, result.cases
        ).model("baseline")


class BuildsInside(layers.Layer):
    """Has layers inside, of which only a call makes the weights: Keras does not make them from a configuration."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inside = layers.Dense(units, "tanh")

    def call(self, x):
        return self.inside(x)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@pytest.mark.parametrize("engine", ["fused", "keras"])
@pytest.mark.parametrize("form", ["array", "mapping"])
def test_layers_inside_that_only_a_call_builds(engine, form, tmp_path):
    inputs = keras.Input((8,), name="x")
    outputs = layers.Dense(1, "sigmoid")(BuildsInside()(inputs))
    model = keras.Model(inputs if form == "array" else {"x": inputs}, outputs)
    model.compile("adam", "binary_crossentropy")
    x = X if form == "array" else {"x": X}
    result = gg.Study(model, seeds=2, engine=engine).run(x, Y, validation_split=0.3, epochs=2, progress=False)
    held_out = X[42:] if form == "array" else {"x": X[42:]}
    result.save(tmp_path)
    for one in (result, gg.Result.load(tmp_path, custom_objects={"BuildsInside": BuildsInside})):
        predicted = one.model("baseline", seed=1, epoch="last").predict(held_out, verbose=0)[:, 0]
        np.testing.assert_allclose(predicted, one.validation.prediction_last.sel(seed=1).values[0], atol=1e-6)
