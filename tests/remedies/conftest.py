"""Small models of many shapes, and the little data that trains each of them."""

import keras
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def fresh_names():
    """Layer names restart at every test, so that failures read alike."""
    keras.backend.clear_session()


@pytest.fixture
def rng():
    return np.random.default_rng(20261122)
