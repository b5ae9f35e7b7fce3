"""The tutorials' variants, as remedies on one net, equal those that their authors wrote by hand."""

import keras
import numpy as np
import pytest

from gengap.remedies import L1, L1L2, L2, Dropout, SpatialDropout, Width


def architecture(model):
    """Class and settings of every layer, names left out."""
    kept = []
    for layer in model.layers:
        config = {k: v for k, v in layer.get_config().items() if k not in {"name", "batch_shape", "seed"}}
        kept.append((type(layer).__name__, config, layer.output.shape))
    return kept


def train_alike(a, b, x, y):
    """Train two models from the same weights on the same batches; return their weights."""
    b.set_weights(a.get_weights())
    losses = [m.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0).history["loss"] for m in (a, b)]
    np.testing.assert_array_equal(*losses)
    return zip(a.get_weights(), b.get_weights(), strict=True)


@pytest.mark.parametrize(("factor", "count"), [(1, 160_305), (0.25, 40_029), (32, 5_383_681)])
def test_parameters_of_the_review_nets(review_net, factor, count):
    assert Width(factor)(review_net(words=10_000)).count_params() == count


def test_parameters_of_the_storm_nets(storm_net):
    assert storm_net().count_params() == 17_169
    assert L2(1e-3, on="kernels")(storm_net()).count_params() == 17_169
    wide = (Width(2) + SpatialDropout(0.2))(storm_net())
    assert wide.count_params() == 66_337
    assert architecture(wide) == architecture(storm_net(filters=(16, 32, 64), rate=0.2))


@pytest.mark.parametrize(
    ("remedy", "penalty"),
    [
        (L2(1e-3), keras.regularizers.L2(1e-3)),
        (L1(1e-3), keras.regularizers.L1(1e-3)),
        (L1L2(1e-3, 1e-3), keras.regularizers.L1L2(1e-3, 1e-3)),
    ],
    ids=["l2", "l1", "l1l2"],
)
def test_a_penalty_on_hidden_kernels_trains_as_the_handwritten_net(review_net, rng, remedy, penalty):
    by_remedy, by_hand = remedy(review_net()), review_net(penalty=penalty)
    assert architecture(by_remedy) == architecture(by_hand)
    x, y = rng.normal(size=(64, 40)), rng.integers(0, 2, (64, 1))
    for one, other in train_alike(by_hand, by_remedy, x, y):
        np.testing.assert_array_equal(one, other)


def test_a_penalty_on_all_kernels_trains_as_the_handwritten_net(storm_net, rng):
    by_remedy = L2(1e-3, on="kernels")(storm_net(size=8))
    by_hand = storm_net(size=8, penalty=keras.regularizers.L2(1e-3))
    assert architecture(by_remedy) == architecture(by_hand)
    x, y = rng.normal(size=(32, 8, 8, 3)), rng.integers(0, 2, (32, 1))
    for one, other in train_alike(by_hand, by_remedy, x, y):
        np.testing.assert_array_equal(one, other)


def test_the_two_choices_of_layers_differ_by_the_output(storm_net):
    hidden, every = L2(1e-3)(storm_net()), L2(1e-3, on="kernels")(storm_net())
    assert [layer.kernel_regularizer is None for layer in hidden.layers if hasattr(layer, "kernel")] == [False] * 3 + [
        True
    ]
    assert all(layer.kernel_regularizer for layer in every.layers if hasattr(layer, "kernel"))


def test_dropout_stands_where_the_tutorial_put_it(review_net):
    assert architecture(Dropout(0.5)(review_net())) == architecture(review_net(rate=0.5))


def test_smaller_and_bigger_nets(review_net):
    assert architecture(Width(0.25)(review_net())) == architecture(review_net(units=(4, 4)))
    assert architecture(Width(32)(review_net())) == architecture(review_net(units=(512, 512)))
    assert architecture(Width(units=7)(review_net())) == architecture(review_net(units=(7, 7)))
