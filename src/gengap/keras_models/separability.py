"""What is known to treat the samples of a batch independently because Keras wrote it, without a trial on numbers.

A trial on a batch proves nothing about the next one: a layer with a capacity mixes samples only once it is full, and a
loss of pairs only where there are pairs. So code that is not Keras' own is never computed on samples of several runs as
one batch, and never evaluated in larger batches than it is trained in.
"""

import inspect
from typing import Any

import keras

from gengap.keras_models.graph import read_graph
from gengap.keras_models.private import all_layers, is_keras_own, kind_of_operation, origin_of

_SEPARATE = frozenset(
    {
        # losses
        "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
        "categorical_focal_crossentropy", "categorical_hinge", "cosine_similarity", "hinge", "huber", "kl_divergence",
        "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
        "mean_squared_logarithmic_error", "poisson",
        "sparse_categorical_crossentropy", "squared_hinge",
        # metrics
        "accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
        "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
    }
)  # fmt: skip
"""Functions of Keras that give one number per sample, or per sample and place, of that sample alone."""


_PER_WEIGHT = ("_initializer", "_regularizer", "_constraint")
"""What attributes of layers end in that are called on weights, never on a batch."""


def is_separate(function: Any, options: dict[str, Any]) -> bool:
    """Tell whether a loss or metric function of Keras treats samples independently, as it is configured.

    Args:
        function: The function behind a loss or metric, called on values of at least two axes.
        options: Its keyword arguments. A class to be ignored makes a mask that the mean over the batch heeds.
    """
    return (
        is_keras_function(function)
        and function.__name__ in _SEPARATE
        and options.get("axis", -1) == -1
        and options.get("ignore_class") is None
    )


def is_keras_function(function: Any) -> bool:
    """Tell whether something is a plain function that Keras defines."""
    return inspect.isfunction(function) and is_keras_own(function)


def is_keras_made(operation: keras.Operation) -> bool:
    """Tell whether a layer or operation, and all that it holds, is code of Keras alone."""
    is_layer = isinstance(operation, keras.layers.Layer)
    parts = all_layers(operation) if is_layer else [operation]
    return all(_is_keras_class(part) and _holds_nothing_foreign(part) for part in parts)


def _is_keras_class(part: Any) -> bool:
    return is_keras_own(part) and not isinstance(part, keras.layers.Lambda)


def _holds_nothing_foreign(part: Any) -> bool:
    return all(name.endswith(_PER_WEIGHT) or _is_harmless(value) for name, value in vars(part).items())


def _is_harmless(value: Any) -> bool:
    """Tell whether an attribute is not a function of somebody else's, which might be called on the batch."""
    if inspect.isroutine(value):
        return origin_of(value) in {"keras", "torch", ""}
    return not callable(value) or origin_of(type(value)) in {"keras", "torch"}


_ELEMENTWISE = frozenset(
    {"Absolute", "Add", "Cast", "Divide", "Exp", "Gelu", "Log", "Maximum", "Minimum", "Multiply", "Negative",
     "NotEqual", "Power", "Relu", "Sigmoid", "Sqrt", "Square", "Subtract", "Tanh", "TrueDivide"}
)  # fmt: skip


def may_mix_samples(model: keras.Model) -> bool:
    """Tell whether a model holds anything that may look at several samples at once in inference.

    Args:
        model: A built model.
    """
    return not all(is_known_separate(step.operation) for step in read_graph(model).steps)


def is_known_separate(operation: keras.Operation) -> bool:
    """Tell whether an operation is known to treat the samples of a batch independently in inference."""
    if not isinstance(operation, keras.layers.Layer):
        return is_keras_own(operation) and kind_of_operation(operation) in _ELEMENTWISE
    if isinstance(operation, keras.Model) or not is_keras_made(operation):
        return False
    axes = getattr(operation, "axis", -1)
    axes = axes if isinstance(axes, list | tuple) else [axes]
    rank = len(keras.tree.flatten(operation.output)[0].shape)
    return {0, -rank}.isdisjoint(axes)
