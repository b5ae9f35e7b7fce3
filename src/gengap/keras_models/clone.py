"""A compiled model twice: the same architecture, weights, flags and compile state, sharing nothing that changes."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from gengap.errors import ModelError, RemedyError
from gengap.keras_models import private
from gengap.keras_models.layer_rates import factors_of, has_layer_rates, set_factors
from gengap.keras_models.object_copy import copy_object
from gengap.keras_models.private import all_layers, decays, function_and_options, rate_of
from gengap.keras_models.rebuild import Model, Operation, Rebuild, Rebuilt, copy_operation, is_graph
from gengap.keras_models.rebuilding import takes_nothing
from gengap.keras_models.shared_generators import constructors_keyed

OPAQUE = (
    "The subclassed model {name!r} cannot be cloned, and every run trains a clone: {reason}. Write get_config() and "
    "from_config() for its class, or build the model with keras.Sequential or keras.Model(inputs, outputs)."
)
TWO_HOLDERS = (
    "Weight {weight!r} is held by two layers, {one!r} and {other!r}, as of a layer that stands in the graph and inside "
    "a wrapper. Layers are copied by their configurations, which do not say so (Keras' clone_model and load_model "
    "lose it as well): call one of the two layers in both places."
)


def clone_compiled(model: Model) -> Model:
    """Clone a compiled model: architecture, weights, frozen layers, and what `compile` was told.

    The clone shares no variable with the original: training one leaves the other as it was. Its optimizer has the
    original's configuration and a fresh state; variables that the original's optimizer excludes from weight decay
    (which Keras keeps by `id()` and forgets in `get_config`) are excluded in the clone as well. Loss functions are
    stateless and passed on as they are, lambdas included; metrics are built anew.

    What constructors draw (columns that a layer chooses at random) is drawn anew, the same in every clone.

    Subclassed models are cloned through `from_config(get_config())` where their class supports it, else object by
    object; so are layers that their configuration cannot make anew.

    Args:
        model: A `keras.Model`. One that is not compiled gives a clone that is not compiled.

    Returns:
        A model of the same class.

    Raises:
        ModelError: The class of a subclassed model cannot be rebuilt from its configuration.

    Example:
        >>> from gengap import clone_compiled
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> clone = clone_compiled(model)
        >>> clone.optimizer is model.optimizer, float(clone.optimizer.learning_rate)
        (False, 0.001)
    """
    with constructors_keyed():
        rebuilt = Rebuild(copy_operation)(model) if is_graph(model) else Rebuilt(rebuild_subclassed(model), ())
    pairs = rebuilt.pairs or [(model, rebuilt.model)]
    carry_weights(pairs)
    compile_like(rebuilt.model, model, pairs)
    return rebuilt.model


def carry_weights(pairs: Sequence[tuple[Operation, Operation]]) -> list[tuple[str, str]]:
    """Copy the weights of original layers into their copies wherever shapes are equal.

    Args:
        pairs: Original and copy.

    Returns:
        Path and shapes (`"(16, 1) -> (4, 1)"`) of each weight that kept its fresh value, because its shape changed.

    Raises:
        ModelError: Two layers hold one weight, and their copies would not.
    """
    fresh: list[tuple[str, str]] = []
    carried: dict[int, tuple[Operation, Any]] = {}
    for original, copy in pairs:
        for before, after in _variable_pairs(original, copy):
            holder, known = carried.setdefault(id(before), (original, after))
            if known is not after:
                raise ModelError(TWO_HOLDERS.format(weight=before.path, one=holder.name, other=original.name))
            if tuple(before.shape) == tuple(after.shape):
                after.assign(before)
            else:
                fresh.append((before.path, f"{tuple(before.shape)} -> {tuple(after.shape)}"))
        for layer in _flatten(copy):
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()  # it computes with tensors that it derives from its weights once
    return fresh


def compile_like(
    copy: Model,
    original: Model,
    pairs: Sequence[tuple[Operation, Operation]],
    *,
    edit: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> None:
    """Compile `copy` as `original` was.

    Args:
        copy: The model to compile.
        original: The compiled model.
        pairs: Which layer of the copy stands for which of the original.
        edit: From the original's compile arguments to other ones, or None.

    Raises:
        ModelError: The class overrides `compile` without saying how to repeat it.
    """
    if not original.compiled:
        return
    if type(original).compile is not keras.Model.compile:
        if edit is not None:
            raise RemedyError(f"{type(original).__name__} overrides compile(): what it is told cannot be changed here.")
        _compile_custom(copy, original)
    else:
        arguments = compile_arguments(original)
        copy.compile(**(arguments if edit is None else edit(arguments)))
    _exclude_like(copy, original, pairs)
    _rate_like(copy, original, pairs)


def recompile(model: Model, edit: Callable[[dict[str, Any]], dict[str, Any]] | None) -> bool:
    """Compile a model otherwise in place; tell whether that could be done: its class must leave `compile` as it is.

    What its optimizer leaves out of weight decay is left out by the new one, too.
    """
    if edit is None:
        return True
    if type(model).compile is not keras.Model.compile:
        return False
    excluded = excluded_from_decay(model)
    model.compile(**edit(compile_arguments(model)))
    if excluded:
        innermost(model.optimizer).exclude_from_weight_decay(var_list=excluded)
    return True


def compile_arguments(model: Model) -> dict[str, Any]:
    """Return what a compiled model's `compile` was given, with an optimizer and metrics of its own."""
    # The public get_compile_config() turns a loss written as a function into bytes that Keras refuses to read back.
    given = dict(compile_config(model))
    if given["optimizer"] is not None:
        given["optimizer"] = copy_optimizer(given["optimizer"])
    given["metrics"] = keras.tree.map_structure(_copy_metric, given["metrics"])
    given["weighted_metrics"] = keras.tree.map_structure(_copy_metric, given["weighted_metrics"])
    return given


def compile_config(model: Model) -> dict[str, Any]:
    """Return what Keras keeps of `compile`'s arguments, with the optimizer, which saving as `.h5` takes out of it."""
    config = private.compile_config(model)
    config.setdefault("optimizer", model.optimizer)
    return config


def copy_optimizer(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return an optimizer of equal configuration and fresh state; a learning rate that is a function is passed on."""
    return type(optimizer).from_config(optimizer_config(optimizer))


def optimizer_config(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return an optimizer's configuration, with a learning rate that is a function as it is."""
    config: dict[str, Any] = optimizer.get_config()
    rate = rate_of(optimizer)
    if inspect.isfunction(rate):
        config["learning_rate"] = rate
    return config


def _copy_metric(metric: Any) -> Any:
    if not isinstance(metric, keras.metrics.Metric):
        return metric
    function, _ = function_and_options(metric)  # a user's, which Keras cannot look up by name
    known = {function.__name__: function} if inspect.isfunction(function) else {}
    with keras.saving.custom_object_scope(known):
        return type(metric).from_config(metric.get_config())


def excluded_from_decay(model: Model) -> list[Any]:
    """Return the trainable variables that a compiled model's optimizer leaves out of weight decay."""
    optimizer = innermost(model.optimizer)
    if optimizer is None:
        return []
    return [variable for variable in model.trainable_variables if not decays(optimizer, variable)]


def _exclude_like(copy: Model, original: Model, pairs: Sequence[tuple[Operation, Operation]]) -> None:
    """Exclude from the copy's weight decay what stands for an excluded variable of the original."""
    excluded = {id(variable) for variable in excluded_from_decay(original)}
    if not excluded:
        return
    known = {id(new): old for pair in pairs for old, new in _variable_pairs(*pair)}
    after = [
        variable
        for variable in copy.trainable_variables
        # what a surgery added has no original: its biases and scales do not decay either
        if (id(known[id(variable)]) in excluded if id(variable) in known else len(variable.shape) < 2)
    ]
    innermost(copy.optimizer).exclude_from_weight_decay(var_list=after)


def rate_factors(model: Model) -> dict[int, float]:
    """Return the factor of the learning rate of each trained weight of a compiled model, by `id`; {} without any."""
    return factors_of(model, innermost(model.optimizer))


def _rate_like(copy: Model, original: Model, pairs: Sequence[tuple[Operation, Operation]]) -> None:
    """Let each weight of the copy learn at the factor of what it stands for, at 1 what is new."""
    if not has_layer_rates(innermost(copy.optimizer)):
        return
    before = rate_factors(original)
    paired = [both for pair in pairs for both in _variable_pairs(*pair)]
    after = {id(new): before[id(old)] for old, new in paired if id(old) in before}
    set_factors(copy, innermost(copy.optimizer), after)


def innermost(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the optimizer inside the wrapper that scales losses, where there is one."""
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _variable_pairs(original: Operation, copy: Operation) -> list[tuple[Any, Any]]:
    """Pair the weights of two layers of one class; those of nested models are paired by their own layers."""
    if is_graph(original):
        return []
    return list(zip(original.weights, copy.weights, strict=True))


def _flatten(layer: Operation) -> Sequence[Any]:
    return [layer] if is_graph(layer) else all_layers(layer)


def rebuild_subclassed(model: Model) -> Model:
    """Build a subclassed model anew: from its configuration, its constructor if that takes no arguments, or by parts.

    Raises:
        ModelError: Its class cannot be rebuilt.
    """
    try:
        copy = type(model)() if takes_nothing(type(model)) else _through_own_config(model)
        if model.built and not copy.built:
            copy.build_from_config(model.get_build_config())
        if [tuple(w.shape) for w in copy.weights] == [tuple(w.shape) for w in model.weights]:
            return copy
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        pass
    try:
        return copy_object(model)
    except ModelError as error:
        raise ModelError(OPAQUE.format(name=model.name, reason=error)) from error


def _through_own_config(model: Model) -> Model:
    # The configuration that Keras writes by itself holds the default arguments of the constructor, not those given
    # (3.15: Model.__new__ drops them), so only one written by the author of the class can be trusted.
    if type(model).get_config is keras.Model.get_config:
        raise NotImplementedError
    return type(model).from_config(model.get_config())


def _compile_custom(copy: Model, original: Model) -> None:
    if type(original).compile_from_config is keras.Model.compile_from_config:
        raise ModelError(
            f"{type(original).__name__} overrides compile(): override get_compile_config() and compile_from_config() "
            "as well, so that its clones can be compiled as it was."
        )
    config: Mapping[str, Any] = original.get_compile_config()
    copy.compile_from_config(config)
