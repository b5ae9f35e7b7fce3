"""Keras' private parts, a function each: the only file that names them, so that a new Keras fails at one line.

Every function says why the public face of Keras 3.15 does not do. `tests/keras_models/test_private.py` holds each.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras.src import backend
from keras.src.backend.common import global_state
from keras.src.backend.common.stateless_scope import in_stateless_scope
from keras.src.layers.layer import CallContext
from keras.src.models.functional import Functional, functional_like_constructor
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.utils.tracking import TrackedDict, TrackedList, TrackedSet

from gengap.keras_models.attention_parts import AttentionParts

_SHARED = "global_seed_generator"
CONTAINERS = (TrackedList, TrackedDict, TrackedSet)
"""What Keras makes of plain containers that are set as attributes of layers."""
NODES = ("_inbound_nodes", "_outbound_nodes")
"""Attributes of an operation by which it hangs in graphs."""
SAVEABLE = KerasSaveable
"""What all layers, models, losses and optimizers are; its way of copying goes through the file format."""
REWRAPPED = ("build", "quantize")
"""Attributes that Keras wraps around every new object; the wrapper knows the original and would build that."""
BOOKKEEPING = ("_auto_config", "_lock")
"""Attributes that Keras gives every operation and layer, and that say nothing of what it computes."""


def is_functional(operation: keras.Operation) -> bool:
    """Tell whether an operation is a functional model: `keras.Model(inputs, outputs)` makes one, no name shows it."""
    return isinstance(operation, Functional)


def calls_its_graph(operation: keras.Operation) -> bool:
    """Tell whether a functional model's call is the walk through its graph, and no code of the user's."""
    return isinstance(operation, Functional) and type(operation).call is Functional.call


def is_made_like_functional(cls: type) -> bool:
    """Tell whether a class is constructed as `cls(inputs, outputs)`."""
    return bool(functional_like_constructor(cls))


def functional_of(sequential: keras.Sequential) -> Any | None:
    """Return the functional model inside a Sequential, which has no public graph; None where it is not built."""
    return sequential._functional


def input_layer_of(sequential: keras.Sequential) -> Any:
    """Return the input layer of a Sequential, which `layers` leaves out."""
    return sequential._layers[0]


def nodes_by_depth(functional: Any) -> Iterator[Any]:
    """Yield the calls of operations in a functional model in the order in which Keras runs them, inputs left out."""
    for _, nodes in sorted(functional._nodes_by_depth.items(), reverse=True):
        yield from (node for node in nodes if not node.is_input)


def run_through_graph(functional: Any, inputs: Sequence[Any], operation_fn: Callable[[Any], Any]) -> Any:
    """Walk a functional model's graph, every operation replaced by what `operation_fn` makes of it."""
    return functional._run_through_graph(list(inputs), operation_fn=operation_fn)


def input_structure(functional: Any) -> Any:
    """Return the structure of a functional model's inputs; the public `input` loses lists of one."""
    return functional._inputs_struct


def output_structure(functional: Any) -> Any:
    """Return the structure of a functional model's outputs."""
    return functional._outputs_struct


def operation_of(tensor: Any) -> Any:
    """Return the operation that made a symbolic tensor.

    Raises:
        AttributeError: No operation made it.
    """
    return tensor._keras_history.operation


def history_of(tensor: Any) -> tuple[Any, int, int]:
    """Return the operation that made a symbolic tensor, which of its calls it was, and the place in its result."""
    operation, call, place = tensor._keras_history
    return operation, call, place


def inputs_of_call(operation: keras.Operation, call: int) -> list[Any]:
    """Return what an operation was called with, one of its calls; the public `input` fails for shared layers."""
    return list(operation._inbound_nodes[call].input_tensors)


def outputs_of_calls(layer: keras.Layer) -> list[Any]:
    """Return the symbolic tensors that a layer has made, of all its calls."""
    return [
        tensor for node in getattr(layer, "_inbound_nodes", ()) for tensor in keras.tree.flatten(node.output_tensors)
    ]


def mask_of(tensor: Any) -> Any | None:
    """Return the mask that travels on a tensor, None where there is none (`keras.src.backend.get_keras_mask`)."""
    return getattr(tensor, "_keras_mask", None)


def put_mask(tensor: Any, mask: Any) -> None:
    """Let a mask travel on a tensor, where layers look for it."""
    tensor._keras_mask = mask


def all_layers(layer: keras.Layer, *, include_self: bool = True) -> list[Any]:
    """Return a layer and all layers inside it; the public `layers` shows one level, and only of models."""
    return list(layer._flatten_layers(include_self=include_self, recursive=True))


def layers_inside(layer: keras.Layer) -> list[Any]:
    """Return the layers that a layer holds itself, not those inside them."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def own_metrics(layer: keras.Layer) -> list[Any]:
    """Return the metrics that a layer's own code keeps; the public `metrics` adds those that `compile` was given."""
    return list(layer._metrics)


def own_state(layer: keras.Layer) -> list[Any]:
    """Return the variables of a layer itself that training by gradients does not move: counters, moving averages."""
    return list(layer._non_trainable_variables)


def own_variables(layer: keras.Layer) -> list[Any]:
    """Return the variables of a layer itself, trainable ones first, without those of the layers inside it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def compile_config(model: keras.Model) -> dict[str, Any]:
    """Return what `compile` was given, as objects; `get_compile_config` turns a lambda loss into refused bytes."""
    return dict(model._compile_config.config)


def compile_loss(model: keras.Model) -> Any | None:
    """Return the container of a model's losses; nothing public says how Keras spreads them over outputs."""
    return model._compile_loss


def user_loss(container: Any) -> tuple[Any, Any]:
    """Return the losses and weights that a container of losses was made of."""
    return container._user_loss, container._user_loss_weights


def flat_losses(container: Any) -> Sequence[Any]:
    """Return the flat losses of a built container, each with `loss`, `loss_weights`, `path` and `name`."""
    return list(container._flat_losses)


def compile_metrics(model: keras.Model) -> Any | None:
    """Return the container of a model's metrics; the public `metrics` hides names and outputs."""
    return model._compile_metrics


def change_given_metrics(container: Any, change: Callable[[Any], Any]) -> None:
    """Change what a container of metrics was made of, before it is built: those without and with sample weights."""
    container._user_metrics = change(container._user_metrics)
    container._user_weighted_metrics = change(container._user_weighted_metrics)


def flat_metrics(container: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the metrics of a built container by output: those without and those with sample weights."""
    return container._flat_metrics, container._flat_weighted_metrics


def names_of_outputs(container: Any) -> Sequence[str] | None:
    """Return the names by which a container of metrics tells outputs apart, in its own order; None without."""
    names: Sequence[str] | None = container._resolved_output_names
    return names


def function_and_options(wrapper: Any) -> tuple[Any, dict[str, Any]]:
    """Return the function that a loss or a mean metric wraps, and its options; (None, {}) where it wraps none."""
    function = getattr(wrapper, "fn", None) or getattr(wrapper, "_fn", None)
    return function, dict(getattr(wrapper, "_fn_kwargs", {}))


def decays(optimizer: keras.optimizers.Optimizer, variable: Any) -> bool:
    """Tell whether an optimizer, built or not, takes weight decay off a variable.

    Keras up to 3.15 answers at any time; from 3.16 on `_use_weight_decay` wants a built optimizer, and what it then
    looks up is asked of a method that is new.
    """
    excluded = getattr(optimizer, "_is_excluded_from_weight_decay", None)
    return bool(optimizer._use_weight_decay(variable)) if excluded is None else not excluded(variable)


def rate_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the learning rate as it was given: a number's variable, a schedule, or a function that Keras calls."""
    return getattr(optimizer, "_learning_rate", None)


def averages_of(optimizer: keras.optimizers.Optimizer) -> Sequence[Any]:
    """Return the moving averages of the weights that an optimizer with `use_ema` keeps."""
    return list(optimizer._model_variables_moving_average)


def put_value(variable: keras.Variable, value: Any) -> None:
    """Let a variable read and write the memory of a tensor; `assign` would copy into its own (torch backend)."""
    variable._value = value


def obey_state(generator: keras.random.SeedGenerator) -> None:
    """Make a seed generator's noise a function of its state.

    Keras 3.15 on torch draws dropout from torch's global generator where the user gave no seed, whatever the state of
    the layer's own generator says.
    """
    if generator._initial_seed is None:  # what `keras.random.dropout` looks at
        generator._initial_seed = 0


@contextmanager
def operations_told(tell: Callable[[type], None]) -> Iterator[None]:
    """Be told of the class of every operation before its constructor runs; Keras has no hook there."""
    original = vars(keras.Operation)["__new__"]

    def told(cls: type, *args: Any, **kwargs: Any) -> Any:
        tell(cls)
        return original.__func__(cls, *args, **kwargs)

    keras.Operation.__new__ = staticmethod(told)
    try:
        yield
    finally:
        keras.Operation.__new__ = original


def call_in_place(operation: keras.Operation) -> Callable[..., Any] | None:
    """Return the function that stands in the place of an operation's `call`; None where it is the class's own."""
    found: Callable[..., Any] | None = vars(operation).get("call")
    return found


def replace_call(operation: keras.Operation, call: Callable[..., Any] | None) -> None:
    """Put a function, or with None nothing, in the place of an operation's `call`, past Keras' `__setattr__`."""
    vars(operation).pop("call", None)
    if call is not None:
        vars(operation)["call"] = call


def attributes_of_every_layer() -> set[str]:
    """Return the attributes that a layer has which computes nothing, but for what torch keeps of the user's."""
    return set(vars(keras.layers.Layer())) - {"_buffers"}


def asks_for_shapes() -> bool:
    """Tell whether Keras calls an operation for its shapes only, as it does once before a model's first step."""
    return bool(in_stateless_scope())


@contextmanager
def called_in_mode(layer: keras.Layer, *, training: bool) -> Iterator[None]:
    """Let layers that are called in here, and not told whether they train, take it from a layer around them.

    `Layer.__call__` does so, but hides from the graph what it calls.
    """
    name = "current_call_ctx"
    before = global_state.get_global_attribute(name)
    context = CallContext(entry_layer=layer)
    context.set_value("training", training)
    global_state.set_global_attribute(name, context)
    try:
        yield
    finally:
        global_state.set_global_attribute(name, before)


def shared_generator() -> Any:
    """Return Keras' generator for draws without a seed, which has no public name; None where nobody has drawn yet."""
    return global_state.get_global_attribute(_SHARED)


def share_generator(generator: Any) -> None:
    """Put a generator in the place of the one that Keras draws from without a seed."""
    global_state.set_global_attribute(_SHARED, generator)


def random_functions() -> Any:
    """Return the module whose functions `keras.random` and Keras' own layers call."""
    return backend.random


def is_keras_own(value: Any) -> bool:
    """Tell whether a class, function or the class of an object is Keras' own, and no user's subclass of the name."""
    return origin_of(value) == "keras"


def is_of_applications(value: Any) -> bool:
    """Tell whether something is one of the layers that only the networks of `keras.applications` have."""
    return _module_of(value).startswith("keras.src.applications")


def origin_of(value: Any) -> str:
    """Return the library that a class, function or the class of an object comes from; empty where nobody can say."""
    return _module_of(value).partition(".")[0]


def _module_of(value: Any) -> str:
    found = value if isinstance(value, type) or hasattr(value, "__qualname__") else type(value)
    return getattr(found, "__module__", None) or ""


def kind_of_operation(operation: keras.Operation) -> str:
    """Return the name of an operation's class: of those behind `keras.ops` nothing else is known, nor published."""
    return type(operation).__name__


def optimizer_class(optimizer: keras.optimizers.Optimizer) -> type | None:
    """Return the public class of one of Keras' own optimizers, None for a user's: on torch Keras subclasses each."""
    if not is_keras_own(optimizer):
        return None
    return next((cls for cls in type(optimizer).__mro__ if cls.__module__.startswith("keras.src.optimizers.")), None)


def with_factors(base: Any) -> Any:
    """Return a subclass of one of Keras' optimizers whose attribute `factors` scales the rate of each variable.

    Of an update only `update_step` is public, which Keras' own subclasses on torch go around and this one does not;
    decoupled decay and the place of a variable are not.
    """

    class WithFactors(base):  # type: ignore[misc]  # a class that only its caller knows
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient, variable, learning_rate * self._factor(variable))

        def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
            for variable in variables if self.weight_decay is not None else ():
                if self._use_weight_decay(variable):
                    rate = keras.ops.cast(self.learning_rate, variable.dtype) * self._factor(variable)
                    self.assign_sub(variable, variable * (rate * self.weight_decay))

        def _factor(self, variable: Any) -> float:
            return float(self.factors[self._get_variable_index(variable)])

    return WithFactors


def place_of(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """Return which of the variables a built optimizer has been built for is this one; nothing public says it.

    Raises:
        KeyError: It is none of them.
    """
    return int(optimizer._get_variable_index(variable))


def attention_parts(layer: keras.Layer) -> AttentionParts | None:
    """Return the parts of Keras' MultiHeadAttention or GroupQueryAttention over one axis; None for another form.

    Only those of the former have public names, and not all.
    """
    if not is_keras_own(layer) or getattr(layer, "_flash_attention", False):
        return None
    grouped = isinstance(layer, keras.layers.GroupQueryAttention)
    if grouped:
        plain, scale, window = not layer.use_gate, layer._inverse_sqrt_head_dim, layer.sliding_window
    else:
        one_axis = layer._attention_axes == (1,) and len(layer._output_dense.kernel.shape) == 3
        plain, scale, window = one_axis and not layer._use_gate, layer._inverse_sqrt_key_dim, layer._sliding_window
    if not plain:
        return None
    return AttentionParts(
        layer._query_dense, layer._key_dense, layer._value_dense, layer._output_dense, layer._dropout_layer, scale,
        window is not None, not grouped,
    )  # fmt: skip


def attention_mask(layer: keras.Layer, query: Any, value: Any, *, causal: bool, **masks: Any) -> Any:
    """Return which steps an attention layer lets see which, as it makes it of its masks."""
    return layer._compute_attention_mask(query, value, use_causal_mask=causal, **masks)


def causal_mask(layer: keras.Layer, query: Any, value: Any) -> Any:
    """Return that no step sees a later one, as an attention layer has it."""
    return layer._compute_causal_mask(query, value)
