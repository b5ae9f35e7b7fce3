"""The sparse first layer against dense products, autograd and whole updates."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import sparse

from gengap.errors import DataError
from gengap.kernels import compiled_code
from gengap.kernels.optimizers import SGD, Adam, RMSprop, decay_weights
from gengap.kernels.penalties import add_penalty_gradient
from gengap.kernels.sparse import (
    SparseFirstLayer,
    multiply,
    multiply_transposed,
    sparse_batches,
    sparse_matmul,
)
from gengap.kernels.vectors import VectorFirstLayer, vectors_fit

FEATURES = 37
LAYERS = {"torch": SparseFirstLayer, "vectors": partial(VectorFirstLayer, threads=2)}


@pytest.fixture(params=LAYERS)
def make(request):
    return LAYERS[request.param]


def cut(layer, x, order, batch_size):
    return layer.source(x).batches(order, batch_size=batch_size)


@pytest.fixture
def x():
    random = np.random.default_rng(1)
    dense = random.normal(size=(50, FEATURES)) * (random.random((50, FEATURES)) < 0.2)
    dense[7] = 0  # a row without any feature
    return sparse.csr_matrix(dense.astype(np.float32))


@pytest.fixture
def order():
    return np.random.default_rng(2).permutation(50)


def random(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_batches_are_the_rows_in_their_order(x, order):
    batches = sparse_batches(x, order, batch_size=16)
    assert [len(batch) for batch in batches] == [16, 16, 16, 2]
    identity = torch.eye(FEATURES)
    rows = torch.cat([multiply(batch, identity) for batch in batches])
    np.testing.assert_array_equal(rows.numpy(), x.toarray()[order])


def test_batches_of_wide_indices_and_double_values(x, order):
    wide = sparse.csr_array(x.astype(np.float64))
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for one, other in zip(
        sparse_batches(wide, order, batch_size=16), sparse_batches(x, order, batch_size=16), strict=True
    ):
        assert torch.equal(one.indices, other.indices)
        assert torch.equal(one.values, other.values)


@pytest.mark.parametrize("columns", [1, 3, 16, 70])
def test_products_in_both_directions(x, order, columns):
    batch = sparse_batches(x, order, batch_size=16)[0]
    dense = torch.from_numpy(x.toarray()[order[:16]])
    weights, gradient = random(FEATURES, columns), random(16, columns, seed=2)
    torch.testing.assert_close(multiply(batch, weights), dense @ weights, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(multiply_transposed(batch, gradient), dense.T @ gradient, rtol=1e-5, atol=1e-6)


def test_the_plain_door_is_differentiable(x, order):
    batches = [sparse_batches(x, order[::step], batch_size=20)[0] for step in (1, -1)]
    kernels = random(3, FEATURES, 4).requires_grad_()
    dense = [torch.from_numpy(x.toarray()[order[::step][:20]]) for step in (1, -1)]
    expected = torch.stack([dense[group] @ kernels[k] for k, group in enumerate((0, 1, 1))])
    got = sparse_matmul(batches, kernels, (0, 1, 1))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    direction = random(*got.shape, seed=3)
    gradients = [torch.autograd.grad(result, kernels, direction)[0] for result in (got, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("units", [3, 80], ids=["one panel", "several panels"])
@pytest.mark.parametrize("rule", [SGD(0.9), RMSprop(), Adam()], ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("equal_rates", [True, False], ids=["one rate", "rate per run"])
def test_training_equals_dense_training_of_each_run(make, x, order, rule, units, equal_rates):
    """Three seeds, not side by side in the stack, penalties and decay per run, then one run leaves."""
    groups, steps = (0, 2, 1, 0), 8
    orders = [np.random.default_rng(seed).permutation(50) for seed in range(3)]
    kernels = random(4, FEATURES, units) * 0.1
    rate = torch.tensor([0.01] * 4 if equal_rates else [0.01, 0.02, 0.005, 0.01])
    l1, l2 = torch.tensor([0.0, 0.01, 0.0, 0.02]), torch.tensor([0.0, 0.0, 0.03, 0.01])
    decay = torch.tensor([0.0, 0.1, 0.0, 0.2])
    layer = make(kernels, groups, rule=rule, l1=l1, l2=l2)
    batches = [cut(layer, x, one, 16) for one in orders]
    each = [kernel.clone() for kernel in kernels]
    slots = [rule.slots(kernel) for kernel in each]
    alive = [0, 1, 2, 3]
    for step in range(1, steps + 1):
        if step == 5:
            alive = [0, 2, 3]
            layer.keep(alive)
        b = (step - 1) % 4
        out = layer.forward([one[b] for one in batches])
        direction = random(*out.shape, seed=step)
        common = 0.01 if equal_rates else rate[alive]
        # on even steps the next batches are named: rightly, and once wrongly
        ahead = [one[0 if step == 6 else step % 4] for one in batches] if step % 2 == 0 else None
        layer.backward_update(
            [one[b] for one in batches],
            direction,
            step=step,
            learning_rate=common,
            weight_decay=decay[alive],
            ahead=ahead,
        )
        for position, k in enumerate(alive):
            dense = torch.from_numpy(x.toarray()[orders[groups[k]][16 * b : 16 * (b + 1)]])
            torch.testing.assert_close(out[position].detach(), dense @ each[k], rtol=1e-4, atol=1e-5)
            gradient = dense.T @ direction[position]
            add_penalty_gradient(gradient, each[k], l1=float(l1[k]), l2=float(l2[k]))
            decay_weights(each[k], learning_rate=float(rate[k]), weight_decay=float(decay[k]))
            rule.update(each[k], gradient, slots[k], step=step, learning_rate=float(rate[k]))
    torch.testing.assert_close(layer.kernels(), torch.stack([each[k] for k in alive]), rtol=1e-4, atol=1e-5)
    expected = [l1[k] * each[k].abs().sum() + l2[k] * each[k].square().sum() for k in alive]
    torch.testing.assert_close(layer.penalties(), torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_a_neighbour_that_is_not_finite_changes_nothing(make, x, order):
    none = torch.zeros(2)
    results = []
    for neighbour in (1.0, float("nan")):
        kernels = random(2, FEATURES, 4)
        kernels[1] *= neighbour
        layer = make(kernels, (0, 0), rule=RMSprop(), l1=none, l2=none)
        batches = [cut(layer, x, order, 16)[0]]
        out = layer.forward(batches)
        layer.backward_update(batches, out.detach(), step=1, learning_rate=0.01)
        results.append(layer.kernels()[0])
    assert torch.equal(*results)


def test_prediction_is_the_product_for_all_runs(make, x, order):
    kernels = random(5, FEATURES, 30)
    none = torch.zeros(5)
    layer = make(kernels, (1, 0, 1, 0, 2), rule=SGD(), l1=none, l2=none)
    dense = torch.from_numpy(x.toarray()[order])
    predicted = torch.cat(list(layer.predict(cut(layer, x, order, 20))), dim=1)
    torch.testing.assert_close(predicted, dense @ kernels, rtol=1e-5, atol=1e-5)
    assert torch.equal(layer.kernels(), kernels)


@pytest.mark.parametrize("rule", [SGD(), SGD(0.9), RMSprop(), Adam()], ids=str)
def test_what_a_layer_hands_out_goes_on_to_the_same_bits_in_another(make, x, order, rule):
    none = torch.zeros(2)
    first = make(random(2, FEATURES, 5), (0, 1), rule=rule, l1=none, l2=none)
    other = make(random(2, FEATURES, 5, seed=9), (0, 1), rule=rule, l1=none, l2=none)
    for step, layer in enumerate((first, first, other), start=1):
        if layer is other:
            other.load(first.kernels(), first.slots())
        batches = [cut(layer, x, own, 16)[0] for own in (order, order[::-1])]
        layer.backward_update(batches, random(2, 16, 5, seed=step), step=step, learning_rate=0.01)
    batches = [cut(first, x, own, 16)[0] for own in (order, order[::-1])]
    first.backward_update(batches, random(2, 16, 5, seed=3), step=3, learning_rate=0.01)
    assert torch.equal(first.kernels(), other.kernels())
    assert all(torch.equal(one, two) for one, two in zip(first.slots(), other.slots(), strict=True))


def test_bags_of_words_need_no_values(x, order):
    ones = x.copy()
    ones.data[:] = 1
    kernels, none = random(3, FEATURES, 20), torch.zeros(3)
    layer = VectorFirstLayer(kernels, (0, 0, 0), rule=RMSprop(), l1=none, l2=none)
    source = layer.source(ones)
    assert source.values is None
    assert layer.source(x).values is not None
    batch = source.batches(order, batch_size=20)[0]
    dense = torch.from_numpy(ones.toarray()[order[:20]])
    torch.testing.assert_close(layer.forward([batch]).detach(), dense @ kernels, rtol=1e-5, atol=1e-5)


def test_the_number_of_cores_changes_no_bit(x, order):
    none = torch.zeros(5)
    results = []
    for threads in (1, 2, 3):
        layer = VectorFirstLayer(random(5, FEATURES, 40), (0,) * 5, rule=Adam(), l1=none, l2=none, threads=threads)
        batches = [cut(layer, x, order, 16)[0]]
        out = layer.forward(batches)
        layer.backward_update(batches, out.detach(), step=1, learning_rate=0.01, ahead=batches)
        results.append((layer.kernels(), layer.forward(batches).detach()))
    assert all(torch.equal(one, two) for other in results[1:] for one, two in zip(results[0], other, strict=True))


@pytest.mark.parametrize("rule", [SGD(0.9, True), RMSprop(momentum=0.5), RMSprop(centered=True), Adam(amsgrad=True)])
def test_rules_without_compiled_code_are_left_to_torch(rule):
    assert not vectors_fit(rule, torch.device("cpu"))
    assert vectors_fit(Adam(), torch.device("cpu"))
    assert not vectors_fit(Adam(), torch.device("meta"))


def test_without_numba_torch_multiplies(monkeypatch):
    monkeypatch.setattr(compiled_code, "import_module", lambda _: (_ for _ in ()).throw(ImportError("no numba")))
    compiled_code.compiled_code.cache_clear()
    try:
        assert not vectors_fit(Adam(), torch.device("cpu"))
    finally:
        compiled_code.compiled_code.cache_clear()


def test_rows_of_other_width_or_with_foreign_columns_are_refused(x, order):
    none = torch.zeros(1)
    layer = VectorFirstLayer(random(1, FEATURES - 5, 4), (0,), rule=SGD(), l1=none, l2=none)
    with pytest.raises(DataError, match=f"takes {FEATURES - 5} features, but these sparse rows have {FEATURES}"):
        layer.forward([cut(layer, x, order, 16)[0]])
    broken = x.copy()
    broken.indices[3] = FEATURES
    with pytest.raises(DataError, match=f"of {FEATURES} columns names column {FEATURES}"):
        layer.source(broken)
