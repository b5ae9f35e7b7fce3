"""Audits of studies with planted faults."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import sparse

from gengap.analysis import audit
from gengap.analysis.diagnosis.configurations import differences
from gengap.datasets import Split
from gengap.datasets.data_audit import audit_data, row_digests
from gengap.errors import DataError
from gengap.results import Result

RNG = np.random.default_rng(0)


def config(filters, *, penalty=None, dropout=0.0, rate=1e-3):
    stack = [keras.Input((8, 8, 1))]
    for count in filters:
        stack += [layers.Conv2D(count, 3, kernel_regularizer=penalty and keras.regularizers.L2(penalty))]
        stack += [layers.SpatialDropout2D(dropout)] if dropout else []
    model = keras.Sequential([*stack, layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return keras.saving.serialize_keras_object(model)


def test_what_differs_between_two_models_is_named():
    plain = config((4, 8))
    assert differences(plain, config((4, 8))) == {}
    assert set(differences(plain, config((4, 8), penalty=0.01))) == {"penalty"}
    assert set(differences(plain, config((4, 8), dropout=0.2))) == {"noise"}
    assert differences(plain, config((8, 16)))["width"] == ("4/8/1", "8/16/1")
    assert set(differences(plain, config((4, 8), rate=1e-2))) == {"optimizer"}
    assert set(differences(config((8, 16, 32), penalty=1e-3), config((16, 32, 64), dropout=0.2))) == {
        "width", "penalty", "noise",
    }  # fmt: skip


def test_the_confounds_of_the_storm_course_are_flagged():
    """Different width, penalty and noise at once, and 5 epochs against 10 in the histories."""
    curve = {"loss": np.linspace(1, 0.5, 10), "val_loss": np.linspace(1, 0.6, 10)}
    stopped = {name: values[:5] for name, values in curve.items()}
    made = Result.from_histories({"l2": [stopped], "spatial dropout": [curve]}, task="binary")
    models = {"l2": config((8, 16), penalty=1e-3), "spatial dropout": config((16, 32), dropout=0.2)}
    manifest = {**made.manifest, "variants": {name: {"model": model} for name, model in models.items()}}
    found = audit(Result(made.history, made.runs, made.validation, made.test, manifest))
    assert {"GG301", "GG302", "GG330"} <= set(found.codes)
    assert "8/16/1 versus 16/32/1" in str(found)
    assert "l2 5, spatial dropout 10" in str(found)


def test_a_run_that_diverged_is_no_shorter_training():
    curve = {"loss": np.linspace(1, 0.5, 10), "val_loss": np.linspace(1, 0.6, 10)}
    lost = {name: values[:2] for name, values in curve.items()}
    made = Result.from_histories({"a": [curve, curve], "b": [lost, lost]}, task="binary")
    assert "GG302" in audit(made).codes
    made.runs["status"] = made.runs["epochs"].astype(str)
    made.runs["status"][0], made.runs["status"][1] = "completed", "diverged at epoch 3"
    assert "GG302" not in audit(made).codes


def storm_net(filters, *, penalty=None, dropout=0.0):
    keep = keras.regularizers.L2(penalty) if penalty else None
    stack = [keras.Input((32, 32, 3))]
    for count in filters:
        stack += [layers.Conv2D(count, 5, padding="same", kernel_regularizer=keep), layers.Activation("relu")]
        stack += [layers.SpatialDropout2D(dropout)] if dropout else []
        stack += [layers.AveragePooling2D(2)]
    model = keras.Sequential([*stack, layers.Flatten(), layers.Dense(1, "sigmoid", kernel_regularizer=keep)])
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return model


def test_the_storm_course_is_flagged_from_its_histories_and_models_alone():
    """As a user has them: two Keras histories, of 5 and 10 epochs, and the two models."""
    histories = {
        "l2": [{"loss": np.linspace(1, 0.5, 5), "val_loss": np.linspace(1, 0.6, 5)}],
        "spatial dropout": [{"loss": np.linspace(1, 0.5, 10), "val_loss": np.linspace(1, 0.6, 10)}],
    }
    models = {
        "l2": storm_net((8, 16, 32), penalty=1e-3), "spatial dropout": storm_net((16, 32, 64), dropout=0.2),
    }  # fmt: skip
    result = Result.from_histories(histories, task="binary", models=models)
    assert result.runs["parameters"].to_numpy().ravel().tolist() == [17_169, 66_337]
    said = {one.code: one.sentence for one in audit(result).findings}
    assert "width: 8/16/32/1 versus 16/32/64/1" in said["GG301"]
    assert "noise: none versus" in said["GG301"]
    assert said["GG302"] == "runs without a stopping rule trained for l2 5, spatial dropout 10 epochs"
    with pytest.raises(DataError, match="names l3, of which there are no histories"):
        Result.from_histories(histories, task="binary", models={"l3": models["l2"]})


def test_preprocessing_and_initial_weights_count_as_differences():
    def net(*first, initializer="glorot_uniform"):
        model = keras.Sequential(
            [keras.Input((4,)), *first, layers.Dense(3, "relu", kernel_initializer=initializer), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        return keras.saving.serialize_keras_object(model)

    assert differences(net(), net(layers.Rescaling(0.5)))["preprocessing"][0] == "none"
    assert set(differences(net(), net(initializer="he_normal"))) == {"initializer"}
    seeded = keras.initializers.GlorotUniform(seed=3)
    assert differences(net(), net(initializer=seeded)) == {}


def test_a_penalty_inside_the_printed_loss_is_named():
    made = Result.from_histories({"plain": [{"loss": [0.3], "val_loss": [0.3]}]}, task="binary")
    history = made.history.assign(penalty=made.history["val_score"] * 0 + 0.05)
    found = audit(Result(history, made.runs, made.validation, made.test, made.manifest))
    (said,) = [one.sentence for one in found.findings if one.code == "GG305"]
    assert said.startswith("its printed validation loss at the best epoch, 0.3500, includes a penalty of 0.0500")
    assert "GG305" not in audit(made).codes


def test_a_remedy_is_no_confound():
    made = Result.from_histories({"a": [{"loss": [1.0]}], "b": [{"loss": [1.0]}]}, task="binary")
    models = {"a": config((8, 16)), "b": config((16, 32), dropout=0.2)}
    manifest = {
        **made.manifest,
        "variants": {n: {"model": m, "remedy": "x" if n == "b" else ""} for n, m in models.items()},
    }
    assert "GG301" not in audit(Result(made.history, made.runs, made.validation, made.test, manifest)).codes


X = RNG.normal(size=(300, 6)).astype(np.float32)
Y = RNG.integers(0, 2, 300)


def manifest_with(found):
    made = Result.from_histories({"a": [{"loss": [1.0]}]}, task="binary")
    return Result(made.history, made.runs, made.validation, made.test, {**made.manifest, "data": {"audit": found}})


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_planted_duplicates_are_counted(form):
    held_out = np.concatenate([X[:7], X[10:15] + 1e-3, RNG.normal(size=(40, 6))]).astype(np.float32)
    found = audit_data(Split(form(X), Y), Split(form(held_out), Y[:52]))
    assert found["duplicates"] == {"validation": 7}
    assert (
        3 <= found["near_duplicates"]["validation"] <= 7
    )  # a lower bound for 5, by hashing; a chance twin is possible
    assert set(audit(manifest_with(found)).codes) == {"GG320", "GG321"}


@pytest.mark.parametrize(
    ("x", "first", "said"),
    [
        (X * [1, 1, 1000, 1, 1, 1], {"class_name": "Dense", "config": {"kernel_initializer": {}}}, "pressure has"),
        (X * 5, {"class_name": "Dense", "config": {"kernel_initializer": {}}}, None),
        (X * 1000, {"class_name": "Normalization", "config": {}}, None),
        ((X * 1000).astype(int), {"class_name": "Dense", "config": {"kernel_initializer": {}}}, None),
    ],
    ids=["large", "of about 1", "normalized inside", "codes"],
)
def test_unscaled_inputs_are_said_with_their_name(x, first, said):
    made = manifest_with(audit_data(Split(x, Y)))
    data = {**made.manifest["data"], "feature_names": ["a", "b", "pressure", "d", "e", "f"]}
    variants = {"a": {"model": {"config": {"layers": [{"class_name": "InputLayer", "config": {}}, first]}}}}
    manifest = {**made.manifest, "data": data, "variants": variants}
    found = audit(Result(made.history, made.runs, made.validation, made.test, manifest))
    sentences = [one.sentence for one in found.findings if one.code == "GG325"]
    assert [said in one for one in sentences] == ([True] if said else [])


def test_digests_of_equal_rows_are_equal_in_every_form():
    rows = np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 0.0]], np.float32)
    for form in (rows, sparse.csr_matrix(rows), {"a": rows, "b": rows}):
        a, b, c = row_digests(form)
        assert a == b != c


def test_groups_times_and_classes_across_splits():
    days = np.arange(300).astype("datetime64[D]")
    train = Split(X[:200], np.repeat([0, 1], [180, 20]), groups=np.arange(200) // 4, times=days[:200])
    leaking = Split(X[200:], np.repeat([0, 1], [50, 50]), groups=np.arange(198, 298) // 4, times=days[150:250])
    clean = Split(X[200:], np.repeat([0, 1], [90, 10]), groups=np.arange(400, 500), times=days[200:])
    assert {"GG322", "GG323", "GG324"} <= set(audit(manifest_with(audit_data(train, leaking))).codes)
    assert not {"GG322", "GG323", "GG324"} & set(audit(manifest_with(audit_data(train, clean))).codes)


def test_codes_can_be_ignored():
    found = audit_data(Split(X, Y), Split(X[:30], Y[:30]))
    assert "GG320" not in audit(manifest_with(found), ignore=["GG320"]).codes
