"""What a loss is of: probabilities of labels, and in which form, or numbers; read off what it is, not its name."""

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import keras

from gengap.keras_models.private import function_and_options, is_keras_own

Family = Literal["binary", "one-hot", "codes", "numbers", "own"]
"""Cross-entropies of one probability, of labels as columns, as integers; Keras' other losses; losses of one's own."""

_FAMILIES: dict[str, Family] = {
    "binary_crossentropy": "binary",
    "binary_focal_crossentropy": "binary",
    "categorical_crossentropy": "one-hot",
    "categorical_focal_crossentropy": "one-hot",
    "categorical_generalized_cross_entropy": "codes",
    "sparse_categorical_crossentropy": "codes",
}
_CLASSES: dict[str, Family] = {
    "BinaryCrossentropy": "binary",
    "BinaryFocalCrossentropy": "binary",
    "CategoricalCrossentropy": "one-hot",
    "CategoricalFocalCrossentropy": "one-hot",
    "CategoricalGeneralizedCrossEntropy": "codes",
    "SparseCategoricalCrossentropy": "codes",
}


@dataclass(frozen=True)
class LossKind:
    """What a loss is of.

    Attributes:
        family: Which answers it wants.
        from_logits: Whether it applies the sigmoid or softmax itself.
        name: What to call it in messages.
    """

    family: Family
    from_logits: bool
    name: str

    @property
    def is_cross_entropy(self) -> bool:
        """Whether it is one of Keras' cross-entropies, or made of one."""
        return self.family in {"binary", "one-hot", "codes"}


def read_loss(loss: Any, width: int) -> LossKind:
    """Read what a loss is of.

    Subclasses of Keras' losses are what they inherit from, and so are functions with some arguments filled in
    (`functools.partial`). What is neither Keras' own nor made of it is the user's: `"own"`.

    Args:
        loss: A name, a function or a `keras.losses.Loss`, as given to `compile`.
        width: Size of the last axis of the output, which `"crossentropy"` chooses by.
    """
    options: dict[str, Any] = {}
    if isinstance(loss, str):
        if loss.lower() in {"crossentropy", "ce"}:  # Keras chooses by the shapes
            return LossKind("binary" if width == 1 else "one-hot", from_logits=False, name=loss)
        loss = keras.losses.get(loss)
    while isinstance(loss, partial):
        loss, options = loss.func, {**loss.keywords, **options}
    if isinstance(loss, keras.losses.Loss):
        options = {**function_and_options(loss)[1], **options}  # its class may keep no attribute of it
        name = type(loss).__name__
        family = _of_class(loss)
    else:
        name, family = getattr(loss, "__name__", type(loss).__name__), _of_function(loss)
    from_logits = bool(options.get("from_logits", getattr(loss, "from_logits", False)))
    return LossKind(family, from_logits, snake(name))


def snake(name: str) -> str:
    """Return a class's name as Keras writes names."""
    return "".join(f"_{c.lower()}" if c.isupper() and n else c.lower() for n, c in enumerate(name))


def _of_class(loss: Any) -> Family:
    for cls in type(loss).__mro__:
        if is_keras_own(cls) and cls.__name__ in _CLASSES:
            return _CLASSES[cls.__name__]
    computes = next(cls for cls in type(loss).__mro__ if "call" in vars(cls))
    if not is_keras_own(computes):
        return "own"
    return _of_function(loss.fn) if hasattr(loss, "fn") else "numbers"


def _of_function(function: Any) -> Family:
    if not inspect.isfunction(inspect.unwrap(function)) or not is_keras_own(inspect.unwrap(function)):
        return "own"
    return _FAMILIES.get(getattr(function, "__name__", ""), "numbers")
