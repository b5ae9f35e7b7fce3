"""Pooling of channels-last activations against Keras' layers."""

import keras
import pytest
import torch

from gengap.kernels.pooling import average_pool, max_pool

POOLS = {"Average": average_pool, "Max": max_pool}
CASES = [
    ((9,), (2,), (2,), "valid"),
    ((9,), (3,), (2,), "same"),
    ((8, 9), (2, 2), (2, 2), "valid"),
    ((8, 9), (2, 3), (1, 2), "same"),
    ((8, 9), (3, 3), (2, 2), "same"),
    ((5, 6, 7), (2, 2, 2), (2, 2, 2), "valid"),
    ((5, 6, 7), (2, 3, 2), (2, 2, 1), "same"),
]


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize(("space", "pool_size", "strides", "padding"), CASES)
def test_pools_as_keras_does(kind, space, pool_size, strides, padding):
    x = torch.randn(3, *space, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    layer = getattr(keras.layers, f"{kind}Pooling{len(space)}D")(pool_size, strides=strides, padding=padding)
    theirs = layer(x)
    ours = POOLS[kind](x, pool_size=pool_size, strides=strides, padding=padding)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    gradients = [torch.autograd.grad(result.square().sum(), x)[0] for result in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)
