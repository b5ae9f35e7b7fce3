"""What users of `Model.fit` bring: taken where it is cheap, else one sentence whose advice works."""

import keras
import numpy as np
import pytest
import torch
from keras import layers
from scipy import sparse
from sklearn.utils.class_weight import compute_class_weight

import gengap as gg
from gengap.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("float32") * (RNG.random((40, 3)) > 0.4)
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def study():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    return gg.Study(model, seeds=1)


def scores(study, x, y, **splits):
    splits = splits or {"validation_data": (X[30:], Y[30:])}
    return study.run(x, y, **splits, epochs=2, progress=False).history["train_score"].values


FORMS = {
    "rows of lists": lambda x: x.tolist(),
    **{kind: getattr(sparse, f"{kind}_matrix") for kind in ("coo", "csc", "dok", "lil", "bsr")},
    **{f"{kind}_array": getattr(sparse, f"{kind}_array") for kind in ("coo", "csr", "csc")},
}


@pytest.mark.parametrize("name", FORMS)
def test_the_form_of_the_inputs_changes_no_number(study, name):
    form = FORMS[name]
    expected = scores(study, X[:30], Y[:30])
    got = scores(study, form(X[:30]), Y[:30].tolist(), validation_data=(form(X[30:]), Y[30:].tolist()))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    both = scores(study, form(X), Y, validation_split=0.25, test_data=(form(X[5:15]), Y[5:15]))
    np.testing.assert_allclose(both, expected, rtol=1e-5)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[10 * index : 10 * index + 10], Y[10 * index : 10 * index + 10]


def loader(rows=slice(30)):
    dataset = torch.utils.data.TensorDataset(torch.tensor(X[rows]), torch.tensor(Y[rows]))
    return torch.utils.data.DataLoader(dataset, batch_size=10)


LOADERS = {"Batches": Batches, "DataLoader": loader, "generator": lambda: (batch for batch in loader())}


@pytest.mark.parametrize("name", LOADERS)
def test_what_yields_batches_trains_as_its_cases_do(study, name):
    plain = study.run(X[:30], Y[:30], validation_data=(X[30:], Y[30:]), epochs=1, progress=False)
    read = study.run(LOADERS[name](), validation_data=loader(slice(30, None)), epochs=1, progress=False)
    assert read.history.equals(plain.history)
    assert read.manifest["data"]["fingerprint"] == plain.manifest["data"]["fingerprint"]


def test_what_yields_batches_brings_its_answers(study):
    with pytest.raises(DataError, match="pass it without `y` and `sample_weight`"):
        study.run(loader(), Y[:30], epochs=1, progress=False)
    with pytest.raises(DataError, match="inside a `Split` or among inputs"):
        study.run(gg.Split(loader(), Y[:30]), epochs=1, progress=False)


def test_fit_many_takes_what_yields_batches(study):
    def trained(*data):
        models = [gg.clone_compiled(study.variants[0].model) for _ in range(2)]
        return [one.history["loss"] for one in gg.fit_many(models, *data, seeds=[0, 1])]

    assert trained(loader()) == trained(X[:30], Y[:30])


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("callbacks", r"gg.Study\(\.\.\., callbacks="),
        ("verbose", "progress=True"),
        ("initial_epoch", "`storage=`"),
        ("steps_per_epoch", "the same data in every epoch"),
        ("validation_freq", "the same data in every epoch"),
        ("validation_batch_size", "the engine chooses"),
        ("workers", "the data are arrays"),
        ("epoch", "has no argument `epoch`"),
    ],
)
def test_arguments_of_fit_that_a_study_does_not_take_are_said(study, argument, said):
    with pytest.raises(TypeError, match=said) as caught:
        study.run(X, Y, epochs=1, **{argument: 1})
    assert f"`{argument}`" in str(caught.value)


def test_a_ragged_list_is_said(study):
    with pytest.raises(DataError, match="same length in every case; received a ragged list"):
        study.run([[1.0, 2.0, 3.0], [1.0]], [0, 1], epochs=1)


def test_balanced_class_weights_of_scikit_learn_are_kept_as_plain_numbers(study):
    weights = compute_class_weight("balanced", classes=np.unique(Y), y=Y)
    given = dict(zip(np.unique(Y), weights, strict=True))  # NumPy's numbers, as labels too
    made = study.run(X, Y, validation_split=0.25, epochs=1, class_weight=given, progress=False)
    assert made.manifest["settings"]["class_weight"] == {"0": weights[0], "1": weights[1]}
    plain = {label: float(weight) for label, weight in enumerate(weights)}
    expected = study.run(X, Y, validation_split=0.25, epochs=1, class_weight=plain, progress=False)
    assert made.history.equals(expected.history)
