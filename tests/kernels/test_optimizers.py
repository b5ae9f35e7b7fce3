"""In-place rules against Keras' own optimizers, step by step."""

import keras
import numpy as np
import pytest
import torch

from gengap.kernels.optimizers import SGD, Adam, RMSprop, decay_weights, rule_from_keras
from gengap.kernels.penalties import add_penalty_gradient, penalty_values

OPTIMIZERS = {
    "sgd": keras.optimizers.SGD,
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "nesterov": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "rmsprop": keras.optimizers.RMSprop,
    "rmsprop-momentum": lambda rate: keras.optimizers.RMSprop(rate, momentum=0.5),
    "rmsprop-centered": lambda rate: keras.optimizers.RMSprop(rate, centered=True, epsilon=1e-3),
    "rmsprop-all": lambda rate: keras.optimizers.RMSprop(rate, rho=0.8, momentum=0.5, centered=True, epsilon=1e-3),
    "adam": keras.optimizers.Adam,
    "adam-amsgrad": lambda rate: keras.optimizers.Adam(rate, amsgrad=True),
    "adam-large-epsilon": lambda rate: keras.optimizers.Adam(rate, beta_1=0.8, beta_2=0.99, epsilon=1e-2),
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.1),
}
STEPS = 25


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("equal_rates", [True, False], ids=["one rate", "rate per run"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_follows_keras(name, equal_rates):
    rates = [0.01, 0.01, 0.01] if equal_rates else [0.01, 0.002, 0.05]
    optimizers = [OPTIMIZERS[name](rate) for rate in rates]
    start = random(3, 6, 5, seed=0)
    variables = [keras.Variable(part.numpy()) for part in start]
    weights = start.clone()
    rule = rule_from_keras(optimizers[0])
    slots = rule.slots(weights)
    # what Keras holds the rates to: float32
    common = float(optimizers[0].learning_rate)
    each = torch.tensor([float(one.learning_rate) for one in optimizers]).view(3, 1, 1)
    rate = common if equal_rates else each
    for step in range(1, STEPS + 1):
        gradient = random(3, 6, 5, seed=step) * 10.0 ** (step % 5 - 3)  # sizes from below to above every epsilon
        for optimizer, variable, part in zip(optimizers, variables, gradient, strict=True):
            optimizer.apply([part.clone()], [variable])
        if optimizers[0].weight_decay:
            decay_weights(weights, learning_rate=rate, weight_decay=optimizers[0].weight_decay)
        rule.update(weights, gradient.clone(), slots, step=step, learning_rate=rate)
    theirs = np.stack([keras.ops.convert_to_numpy(variable) for variable in variables])
    np.testing.assert_allclose(weights.numpy(), theirs, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("rule", [SGD(0.9, nesterov=True), RMSprop(), Adam()], ids=lambda rule: type(rule).__name__)
def test_a_slice_may_be_updated_by_itself(rule):
    gradient = random(40, 8, seed=1)
    whole, parts = random(40, 8, seed=2), random(40, 8, seed=2)
    slots_of_whole, slots_of_parts = rule.slots(whole), rule.slots(parts)
    for step in (1, 2, 3):
        rule.update(whole, gradient.clone(), slots_of_whole, step=step, learning_rate=0.01)
        for rows in (slice(0, 17), slice(17, 40)):
            own = tuple(slot[rows] for slot in slots_of_parts)
            rule.update(parts[rows], gradient[rows].clone(), own, step=step, learning_rate=0.01)
    torch.testing.assert_close(whole, parts, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("rule", [SGD(0.9), RMSprop(), Adam(), Adam(amsgrad=True)], ids=str)
@pytest.mark.parametrize("rate", [0.01, torch.full((2, 1), 0.01)], ids=["fused", "composed"])
def test_a_neighbour_that_diverges_changes_nothing(rule, rate):
    results = []
    for poison in (1.0, float("nan")):
        weights, gradient = random(2, 8, seed=1), random(2, 8, seed=2)
        gradient[1] *= poison
        slots = rule.slots(weights)
        for step in (1, 2):
            rule.update(weights, gradient.clone(), slots, step=step, learning_rate=rate)
        results.append(weights[0])
    assert torch.equal(*results)


def test_only_keras_own_classes_have_kernels():
    class Mine(keras.optimizers.Adam):
        pass

    assert rule_from_keras(Mine()) is None
    assert rule_from_keras(keras.optimizers.Lion()) is None
    assert rule_from_keras(keras.optimizers.AdamW(beta_1=0.7)) == Adam(beta_1=0.7)


def test_penalties_are_those_of_keras():
    weights = random(3, 4, 5, seed=1)
    weights[0, 0, 0] = 0.0
    l1, l2 = torch.tensor([0.1, 0.0, 0.2]), torch.tensor([0.0, 0.3, 0.4])
    gradient = torch.zeros_like(weights)
    add_penalty_gradient(gradient, weights, l1=l1.view(3, 1, 1), l2=l2.view(3, 1, 1))
    for k in range(3):
        leaf = weights[k].clone().requires_grad_()
        penalty = keras.regularizers.L1L2(float(l1[k]), float(l2[k]))(leaf)
        torch.testing.assert_close(penalty_values(weights, l1=l1, l2=l2)[k], penalty.detach())
        torch.testing.assert_close(gradient[k], torch.autograd.grad(penalty, leaf)[0])
        alone = torch.zeros(4, 5)
        add_penalty_gradient(alone, weights[k], l1=float(l1[k]), l2=float(l2[k]))
        torch.testing.assert_close(alone, gradient[k])


def test_no_penalty_is_zero_whatever_the_weights():
    weights = torch.tensor([[float("nan"), 1.0], [2.0, 3.0]])
    values = penalty_values(weights, l1=torch.tensor([0.0, 1.0]), l2=torch.tensor([0.0, 0.0]))
    assert values.tolist() == [0.0, 5.0]
