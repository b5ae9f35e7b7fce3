import keras
import numpy as np
import pytest

from gengap.sampling import predict_distribution
from gengap.study import Study

L = keras.layers


@pytest.fixture(scope="module")
def result(random):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), L.Dense(8, "relu"), L.Dropout(0.4), L.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    x = random.normal(size=(80, 5)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    return Study(model, seeds=3).run(x[:60], y[:60], validation_data=(x[60:], y[60:]), epochs=2, batch_size=20)


@pytest.fixture(scope="module")
def cases(random):
    return random.normal(size=(6, 5)).astype("float32")


def test_an_ensemble_has_one_member_per_seed(result, cases):
    forecast = predict_distribution(result, cases, method="ensemble")
    seeds = list(result.seeds)
    assert list(forecast.members["seed"].values) == seeds
    for member, seed in zip(forecast.members.values, seeds, strict=True):
        np.testing.assert_array_equal(member, result.model(result.baseline, seed=seed).predict(cases, verbose=0)[:, 0])
    split = forecast.variance()
    np.testing.assert_allclose(split["between"], forecast.members.values.astype(float).var(axis=0, ddof=1))
    assert float(split["within"].max()) == 0


def test_seeds_times_dropout_split_their_variance(result, cases):
    forecast = predict_distribution(result, cases, method="ensemble+dropout", num_members=300)
    assert forecast.num_members == 300
    split = forecast.variance()
    assert float(split["within"].min()) > 0
    assert float(split["between"].max()) > 0
    one = forecast.members.values[100:200]
    other = forecast.members.values[:100]
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.4  # networks see masks of their own


def test_dropout_of_a_result_takes_the_run_of_median_score(result, cases):
    forecast = predict_distribution(result, cases, num_members=20)
    assert list(np.unique(forecast.members["seed"])) == [result.median_seed(result.baseline)]


def test_a_method_that_does_not_exist_is_refused(result, cases):
    with pytest.raises(ValueError, match="`method`"):
        predict_distribution(result, cases, method="bagging")


def test_networks_of_a_functional_model_can_be_asked_again_and_again(random):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, L.Dense(1, "sigmoid")(L.Dropout(0.4)(L.Dense(8, "relu")(inputs))))
    model.compile("adam", "binary_crossentropy")
    x = random.normal(size=(40, 5)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    result = Study(model, seeds=2).run(x[:30], y[:30], validation_data=(x[30:], y[30:]), epochs=1, batch_size=10)
    first, again = (predict_distribution(result, x[30:], method="ensemble").members for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert predict_distribution(result, x[30:], method="ensemble+dropout", num_members=10).num_members == 10
