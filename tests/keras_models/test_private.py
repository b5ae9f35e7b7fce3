"""Every private part of Keras that gengap opens, held by one test each: a new Keras fails here, at a named line."""

import inspect

import keras
import numpy as np
import pytest
import torch

from gengap.keras_models import private

L = keras.layers


@pytest.fixture
def sequential():
    model = keras.Sequential([keras.Input((3,)), L.Dense(4, name="first"), L.Dense(2, name="second")])
    model.compile(keras.optimizers.AdamW(), "mse", metrics=["mae"])
    return model


@pytest.fixture
def functional():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, [L.Add()([a, b]), L.Dense(1)(a)])
    model.compile("sgd", ["mse", "mae"], loss_weights=[1.0, 0.5])
    return model


class Own(keras.Model):
    def call(self, x):
        return x


class OwnFunctional(keras.Model):
    def __init__(self, inputs, outputs, extra):
        super().__init__(inputs, outputs)


def test_functional_models_are_recognised(sequential, functional):
    assert private.is_functional(functional)
    assert private.calls_its_graph(functional)
    assert not private.is_functional(sequential)
    assert not private.calls_its_graph(Own())


def test_functional_constructors_are_recognised(functional):
    assert private.is_made_like_functional(type(functional))
    assert not private.is_made_like_functional(OwnFunctional)


def test_a_sequential_holds_a_functional_once_it_knows_its_input(sequential):
    assert private.is_functional(private.functional_of(sequential))
    assert private.functional_of(keras.Sequential([L.Dense(1)])) is None


def test_the_input_layer_of_a_sequential(sequential):
    assert private.input_layer_of(sequential).batch_shape == (None, 3)


def test_nodes_come_in_the_order_of_execution(sequential):
    inner = private.functional_of(sequential)
    nodes = list(private.nodes_by_depth(inner))
    assert [node.operation.name for node in nodes] == ["first", "second"]
    assert nodes[0].input_tensors[0] is inner.inputs[0]
    assert [tensor.shape for tensor in nodes[1].outputs] == [(None, 2)]
    args, kwargs = nodes[1].arguments.fill_in({id(nodes[0].outputs[0]): "value"})
    assert (args, {k: v for k, v in kwargs.items() if v is not None}) == (("value",), {})


def test_the_walk_calls_every_operation_with_its_arguments(functional):
    seen = []

    def replaced(operation):
        def call(*args, **kwargs):
            seen.append((operation.name, args, set(kwargs) <= {"training", "mask"}))
            return [f"<{operation.name}>"]

        return call

    out = private.run_through_graph(functional, ["A", "B"], replaced)
    names = [name for name, _, _ in seen]
    assert len(names) == 2
    assert all(plain for *_, plain in seen)
    assert keras.tree.flatten(out) == [f"<{name}>" for name in (functional.output_names)]


def test_structures_of_inputs_and_outputs(functional):
    assert set(private.input_structure(functional)) == {"a", "b"}
    assert isinstance(private.output_structure(functional), list)


def test_the_operation_behind_a_tensor(sequential):
    assert private.operation_of(sequential.outputs[0]).name == "second"
    with pytest.raises(AttributeError):
        private.operation_of(torch.zeros(1))


def test_the_history_of_a_tensor_and_what_its_operation_was_called_with():
    shared = L.Dense(3)
    a, b = keras.Input((3,)), keras.Input((3,))
    first, second = shared(a), shared(b)
    assert private.history_of(second) == (shared, 1, 0)
    assert private.inputs_of_call(shared, 0)[0] is a
    assert private.inputs_of_call(shared, 1)[0] is b
    assert [id(one) for one in private.outputs_of_calls(shared)] == [id(first), id(second)]


def test_masks_travel_on_tensors():
    embedded = L.Embedding(5, 2, mask_zero=True)(np.array([[1, 0]]))
    assert private.mask_of(embedded).tolist() == [[True, False]]
    plain = torch.zeros(1, 2, 2)
    assert private.mask_of(plain) is None
    private.put_mask(plain, torch.tensor([[True, False]]))
    assert np.asarray(L.GlobalAveragePooling1D()(plain)).shape == (1, 2)
    assert private.mask_of(plain) is not None


def test_all_layers_reach_into_layers():
    model = keras.Sequential([keras.Input((4, 3)), L.Bidirectional(L.LSTM(2))])
    kinds = [type(layer).__name__ for layer in private.all_layers(model)]
    assert kinds.count("LSTMCell") >= 2
    assert private.all_layers(model, include_self=False)[0] is not model


def test_own_variables_leave_out_those_of_inner_layers():
    norm = L.BatchNormalization()
    norm.build((None, 3))
    assert [v.name for v in private.own_variables(norm)] == ["gamma", "beta", "moving_mean", "moving_variance"]
    wrapper = L.TimeDistributed(L.Dense(1))
    wrapper.build((None, 2, 3))
    assert private.own_variables(wrapper) == []


def test_what_a_layer_holds_itself():
    class Outer(L.Layer):
        def __init__(self):
            super().__init__()
            self.inner, self.seen = L.Bidirectional(L.LSTM(2)), keras.metrics.Mean()
            self.count = self.add_weight(shape=(), trainable=False, name="count")

    layer = Outer()
    assert private.layers_inside(layer) == [layer.inner]
    assert private.own_metrics(layer) == [layer.seen]
    assert private.own_state(layer) == [layer.count]


def test_compile_config_holds_objects():
    def loss(y_true, y_pred):
        return keras.ops.mean(y_pred)

    model = keras.Sequential([keras.Input((1,)), L.Dense(1)])
    model.compile("sgd", loss)
    config = private.compile_config(model)
    assert config["loss"] is loss
    assert set(config) >= {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"}


def test_containers_of_losses(functional):
    own = private.compile_loss(functional)
    losses, weights = private.user_loss(own)
    assert (losses, weights) == (["mse", "mae"], [1.0, 0.5])
    fresh = type(own)(losses, weights, output_names=own.output_names)
    y = [np.zeros((2, 3), "float32"), np.zeros((2, 1), "float32")]
    fresh.build(y, y)
    flat = private.flat_losses(fresh)
    assert [one.loss_weights for one in flat] == [1.0, 0.5]
    assert [tuple(one.path) for one in flat] == [(0,), (1,)]
    assert all(isinstance(one.loss, keras.losses.Loss) for one in flat)


def test_containers_of_metrics(sequential, functional):
    assert private.compile_metrics(functional) is None
    own = private.compile_metrics(sequential)
    y = np.zeros((2, 2), "float32")
    own.build(y, y)
    plain, weighted = private.flat_metrics(own)
    assert [metric.name for metric in plain[0].metrics] == ["mean_absolute_error"] or plain[0].metrics
    assert len(plain) == len(weighted) == 1


def test_metrics_know_their_outputs_by_name(functional):
    a = keras.Input((3,))
    model = keras.Model(a, {"one": L.Dense(1, name="first")(a), "two": L.Dense(1, name="second")(a)})
    model.compile("sgd", {"one": "mse", "two": "mae"}, metrics={"two": ["mae"]})
    y = {name: np.zeros((2, 1), "float32") for name in ("one", "two")}
    own = private.compile_metrics(model)
    own.build(y, y)
    assert set(private.names_of_outputs(own)) == {"one", "two"}


def test_functions_inside_losses_and_metrics():
    loss = keras.losses.BinaryCrossentropy(label_smoothing=0.1)
    function, options = private.function_and_options(loss)
    assert function is keras.losses.binary_crossentropy
    assert options["label_smoothing"] == 0.1
    function, options = private.function_and_options(keras.metrics.MeanSquaredError())
    assert callable(function)
    assert private.function_and_options(keras.metrics.AUC())[0] is None


def test_decay_leaves_out_what_was_excluded(sequential):
    optimizer, (kernel, bias, *_) = sequential.optimizer, sequential.trainable_variables
    optimizer.exclude_from_weight_decay(var_list=[bias])
    optimizer.build(sequential.trainable_variables)
    assert (private.decays(optimizer, kernel), private.decays(optimizer, bias)) == (True, False)


def test_the_learning_rate_as_it_was_given():
    def rate():
        return 0.01

    assert private.rate_of(keras.optimizers.SGD(rate)) is rate
    assert float(private.rate_of(keras.optimizers.SGD(0.5))) == 0.5


def test_averages_of_weights():
    optimizer = keras.optimizers.SGD(use_ema=True)
    variable = keras.Variable(np.ones(2, "float32"))
    optimizer.build([variable])
    assert [tuple(one.shape) for one in private.averages_of(optimizer)] == [(2,)]


def test_a_variable_over_a_tensor_reads_and_writes_its_memory():
    variable, memory = keras.Variable(np.zeros(2, "float32")), torch.ones(2)
    private.put_value(variable, memory)
    assert np.asarray(variable).tolist() == [1, 1]
    variable.assign(np.full(2, 3, "float32"))
    assert memory.tolist() == [3, 3]


def test_noise_follows_the_state_of_its_generator():
    layer = L.Dropout(0.5)
    private.obey_state(layer.seed_generator)
    state, x = np.asarray(layer.seed_generator.state).copy(), np.ones((1, 50), "float32")
    first = np.asarray(layer(x, training=True))
    layer.seed_generator.state.assign(state)
    torch.manual_seed(99)
    np.testing.assert_array_equal(np.asarray(layer(x, training=True)), first)


def test_keras_asks_for_shapes_in_a_scope_without_state():
    asked = []

    class Asking(L.Layer):
        def call(self, x):
            asked.append(private.asks_for_shapes())
            return x

    layer = Asking()
    layer(np.ones((1, 2), "float32"))
    layer.compute_output_spec(keras.KerasTensor((None, 2)))
    assert asked[0] is False
    assert asked[1:]
    assert all(asked[1:])


def test_draws_without_a_seed_come_from_one_generator_that_can_be_exchanged():
    keras.random.normal((1,))
    before = private.shared_generator()
    assert isinstance(before, keras.random.SeedGenerator)
    other = keras.random.SeedGenerator(7)
    try:
        private.share_generator(other)
        state = np.asarray(other.state).copy()
        keras.random.normal((1,))
        assert (np.asarray(other.state) != state).any()
    finally:
        private.share_generator(before)


def test_all_random_functions_stand_in_one_module():
    functions = private.random_functions()
    assert {"normal", "uniform", "dropout", "shuffle", "gamma"} <= set(dir(functions))


def test_plain_containers_become_tracked_ones():
    layer = L.Layer()
    layer.several, layer.named, layer.kept = [1], {"a": 1}, {2}
    assert tuple(type(vars(layer)[name]) for name in ("several", "named", "kept")) == private.CONTAINERS


def test_where_things_come_from():
    assert private.origin_of(np.zeros(1)) == "numpy"
    assert private.origin_of(torch.zeros) in {"torch", ""}
    assert private.origin_of(len) == "builtins"
    assert not private.is_of_applications(L.Dense)
    from keras.src.applications.convnext import StochasticDepth

    assert private.is_of_applications(StochasticDepth)


def test_what_is_keras_own():
    class Dense(L.Dense):
        pass

    assert private.is_keras_own(L.Dense)
    assert private.is_keras_own(L.Dense(1))
    assert private.is_keras_own(keras.losses.mean_squared_error)
    assert not private.is_keras_own(Dense(1))
    assert not private.is_keras_own(len)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW", "Nadam", "Lion"])
def test_the_public_class_of_an_optimizer(name):
    cls = getattr(keras.optimizers, name)
    assert private.optimizer_class(cls()) is cls

    class Mine(cls):
        pass

    assert private.optimizer_class(Mine()) is None


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Lion"])
def test_an_optimizer_with_factors_is_its_base_at_other_rates(name):
    base = getattr(keras.optimizers, name)
    made, half, plain = private.with_factors(base)(0.1), base(0.05), base(0.1)
    made.factors = (0.5, 1.0)
    made.weight_decay = half.weight_decay = plain.weight_decay = 0.2
    values = [[keras.Variable([1.0, -2.0]), keras.Variable([3.0])] for _ in range(3)]
    gradients = [torch.tensor([0.3, 0.1]), torch.tensor([-0.2])]
    with torch.no_grad():
        for optimizer, own in zip((made, half, plain), values, strict=True):
            for _ in range(2):
                optimizer.apply(gradients, own)
    rated, slower, faster = ([np.array(one) for one in own] for own in values)
    np.testing.assert_allclose(rated[0], slower[0], rtol=1e-6)
    np.testing.assert_allclose(rated[1], faster[1], rtol=1e-6)
    assert [private.place_of(made, one) for one in values[0]] == [0, 1]


def test_what_every_layer_holds_besides_what_it_computes(sequential):
    layer = sequential.layers[0]
    assert set(private.NODES) <= set(vars(layer))
    assert set(private.BOOKKEEPING) & set(vars(layer))


def test_metrics_are_changed_before_they_are_built(sequential):
    container = private.compile_metrics(sequential)
    private.change_given_metrics(container, lambda given: None if given is None else ["mse"])
    sequential.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    assert [metric.name for metric in private.flat_metrics(container)[0][0].metrics] == ["mse"]


def test_constructors_are_announced_and_the_class_is_given_back():
    before, told = vars(keras.Operation)["__new__"], []
    with private.operations_told(told.append):
        L.Dense(1)
    assert L.Dense in told
    assert vars(keras.Operation)["__new__"] is before


def test_a_call_is_replaced_and_given_back():
    layer = L.Activation("relu")
    assert private.call_in_place(layer) is None
    private.replace_call(layer, lambda x: x + 1)
    assert private.call_in_place(layer) is not None
    assert float(layer(torch.tensor([-3.0]))[0]) == -2
    private.replace_call(layer, None)
    assert float(layer(torch.tensor([-3.0]))[0]) == 0


def test_attributes_of_every_layer_are_none_of_the_users():
    class Mine(L.Layer):
        def __init__(self):
            super().__init__()
            self.count = 0

    assert set(vars(Mine())) - private.attributes_of_every_layer() <= {"count", "_buffers"}


def test_operations_are_known_by_the_name_of_their_class():
    x = keras.Input((3,))
    found = [private.operation_of(one) for one in (keras.ops.relu(x), x + x, keras.ops.concatenate([x, x]))]
    assert [private.kind_of_operation(one) for one in found] == ["Relu", "Add", "Concatenate"]


def test_what_keras_wraps_around_new_objects(sequential):
    assert all(isinstance(one, private.SAVEABLE) for one in (sequential, sequential.layers[0], sequential.optimizer))
    assert "build" in private.REWRAPPED
    assert "build" in vars(sequential.layers[0])


def test_every_function_has_a_test():
    own = {
        name
        for name, value in vars(private).items()
        if inspect.isfunction(value) and value.__module__ == private.__name__ and not name.startswith("_")
    }
    text = inspect.getsource(inspect.getmodule(test_every_function_has_a_test))
    assert not {name for name in own if f"private.{name}(" not in text}


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        (L.MultiHeadAttention(2, 3), True),
        (L.MultiHeadAttention(2, 3, use_gate=True), False),
        (L.GroupQueryAttention(3, 4, 2), True),
        (L.GroupQueryAttention(3, 4, 2, sliding_window=2), True),
    ],
)
def test_the_parts_of_attention(layer, found):
    layer.build((None, 5, 4), (None, 5, 4))
    parts = private.attention_parts(layer)
    assert (parts is not None) == found
    if parts is not None:
        assert parts.query.kernel.shape[-1] == parts.key.kernel.shape[-1] == parts.value.kernel.shape[-1] == 3
        assert parts.output.kernel.shape[-1] == 4
        assert parts.scale == pytest.approx(3**-0.5)
        assert isinstance(parts.dropout, L.Dropout)
        assert parts.heeds_masks == isinstance(layer, L.MultiHeadAttention)


def test_the_masks_of_attention():
    layer, x = L.MultiHeadAttention(1, 2), torch.zeros(2, 3, 4)
    layer.build((None, 3, 4), (None, 3, 4))
    lower = torch.ones(3, 3).tril() > 0
    assert (private.causal_mask(layer, x, x)[0] == lower).all()
    seen = private.attention_mask(layer, x, x, causal=True, value_mask=torch.tensor([[True, True, False]] * 2))
    assert (seen == (lower & torch.tensor([True, True, False]))).all()


def test_layers_take_their_mode_from_the_one_around():
    drop = L.Dropout(0.5)
    with private.called_in_mode(drop, training=True):
        assert (drop(np.ones((100,))) == 0).any()
    assert not (drop(np.ones((100,))) == 0).any()
