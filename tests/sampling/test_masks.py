import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gengap.sampling.masks import Block, MaskStream, dropout_factor
from gengap.sampling.noise_layers import noise_layers
from gengap.sampling.switch import NoiseSource

WHOLE = Block(0, 3, 0, 40)


@given(case=st.integers(0, 2), member=st.integers(0, 39), size=st.integers(1, 40))
def test_a_mask_depends_on_case_and_member_only(case, member, size):
    whole = MaskStream(7, layer=1).uniform(WHOLE, size)
    alone = MaskStream(7, layer=1).uniform(Block(case, 1, member, 1), size)
    np.testing.assert_array_equal(alone[0, 0], whole[case, member])


def test_seeds_layers_calls_cases_and_members_see_unrelated_masks():
    base = MaskStream(0, 0).uniform(WHOLE, 64).reshape(-1, 64)
    assert len(np.unique(base, axis=0)) == len(base)
    for other in (MaskStream(1, 0), MaskStream(0, 1), MaskStream(0, 0, 1)):
        assert abs(np.corrcoef(base.ravel(), other.uniform(WHOLE, 64).ravel())[0, 1]) < 0.05


def test_shared_masks_are_the_same_for_all_cases():
    shared = MaskStream(0, 0, shared=True)
    assert shared.uniform(WHOLE, 8).shape == (1, 40, 8)
    np.testing.assert_array_equal(shared.uniform(Block(2, 1, 0, 40), 8), shared.uniform(Block(0, 1, 0, 40), 8))


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9])
def test_dropout_keeps_the_expectation(rate):
    factor = dropout_factor(MaskStream(0, 0), Block(0, 1, 0, 1000), 200, rate)
    assert (factor == 0).mean() == pytest.approx(rate, abs=0.005)
    kept = np.unique(factor[factor > 0])
    assert kept == pytest.approx(1 / (1 - rate), rel=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dropout(0.3),
        keras.layers.Dropout(0.3, noise_shape=(None, 1, 6)),
        keras.layers.SpatialDropout1D(0.3),
        keras.layers.GaussianDropout(0.3),
        keras.layers.GaussianNoise(0.7),
        keras.layers.AlphaDropout(0.3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_noise_has_the_distribution_of_keras_own_layer(layer):
    x = np.full((3000, 5, 6), 2.0, "float32")
    keras.utils.set_random_seed(1)
    theirs = keras.ops.convert_to_numpy(layer(x, training=True))
    (noise,) = noise_layers(layer)
    shape = noise.mask_shape(x.shape[1:])
    factor, summand = NoiseSource(0, fixed_mask=False).draw(
        noise, 0, Block(0, 1, 0, 3000), shape, noise.trained_strength
    )
    ours = x * (1 if factor is None else factor[0]) + (0 if summand is None else summand[0])
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.05)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
    # which values share a draw: variance of the mean over time tells channel masks from free ones
    assert ours.mean(axis=1).std() == pytest.approx(theirs.mean(axis=1).std(), rel=0.08)
    # rounded: our rates are multiples of 1 / 65,536, and 2.85716 is no tie of 2.85714; asymptotic: SciPy's exact
    # method gives up, with a warning, at some of the p-values that samples full of ties reach
    assert stats.ks_2samp(ours[:, 0, 0].round(3), theirs[:, 0, 0].round(3), method="asymp").pvalue > 1e-3
