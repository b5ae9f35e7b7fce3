"""Keras' random functions, answered by us: the same distributions, and every function that there is."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from gengap.sampling.draws import FUNCTIONS, draws_answered_by
from gengap.sampling.found_noise import AUGMENTATION

L = keras.layers
MANY = 4000
CALLS = {
    "normal": lambda seed: keras.random.normal((MANY,), 1.0, 2.0, seed=seed),
    "uniform": lambda seed: keras.random.uniform((MANY,), -1.0, 3.0, seed=seed),
    "randint": lambda seed: keras.random.randint((MANY,), 2, 7, seed=seed),
    "truncated_normal": lambda seed: keras.random.truncated_normal((MANY,), 1.0, 0.5, seed=seed),
    "categorical": lambda seed: keras.random.categorical(np.log([[0.2, 0.5, 0.3]]), MANY, seed=seed),
    "dropout": lambda seed: keras.random.dropout(ops.ones((MANY,)), 0.3, seed=seed),
    "gamma": lambda seed: keras.random.gamma((MANY,), 2.5, seed=seed),
    "beta": lambda seed: keras.random.beta((MANY,), 2.0, 0.5, seed=seed),
    "binomial": lambda seed: keras.random.binomial((MANY,), 6.0, 0.3, seed=seed),
    "shuffle": lambda seed: keras.random.shuffle(ops.reshape(ops.arange(MANY), (40, 100)), axis=1, seed=seed),
}


def answered(call):
    random = np.random.default_rng(0)
    with draws_answered_by(lambda draw: draw.of_uniform(random.uniform(size=draw.shape))):
        return ops.convert_to_numpy(call(None))


def test_every_random_function_is_answered():
    """Fails where Keras gains a function, or keeps its functions elsewhere."""
    public = [getattr(keras.random, name) for name in dir(keras.random)]
    takers = {one.__name__ for one in public if inspect.isfunction(one) and "seed" in inspect.signature(one).parameters}
    assert takers == set(FUNCTIONS) == set(CALLS)
    for name, call in CALLS.items():
        seen = []
        with draws_answered_by(lambda draw, seen=seen: seen.append(draw.kind) or draw.of_seed(1)):
            call(None)
            call(keras.random.SeedGenerator(3))
            call(5)
        assert seen == [name, name]


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"shuffle"}))
def test_answers_have_keras_distribution(name):
    ours, theirs = answered(CALLS[name]), ops.convert_to_numpy(CALLS[name](3))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).statistic < 1.95 * np.sqrt(2 / MANY)


def test_a_shuffle_within_rows_keeps_their_values():
    rows = answered(CALLS["shuffle"])
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.arange(MANY).reshape(40, 100))
    assert not (rows == np.arange(MANY).reshape(40, 100)).all()


def test_functions_are_put_back_after_an_error():
    before = keras.random.normal((3,), seed=1)
    with pytest.raises(ZeroDivisionError), draws_answered_by(lambda _: 1 / 0):
        keras.random.normal((3,))
    np.testing.assert_array_equal(keras.random.normal((3,), seed=1), before)
    assert keras.random.normal((3,)).shape == (3,)


def test_all_of_keras_augmentation_is_known():
    """Fails where Keras derives its augmentation from another class."""
    names = [name for name in dir(L) if name.startswith("Random")] + ["MixUp", "CutMix", "AugMix", "RandAugment"]
    assert len(names) > 10
    assert all(issubclass(getattr(L, name), AUGMENTATION) for name in names)
    assert not issubclass(L.Dropout, AUGMENTATION)
