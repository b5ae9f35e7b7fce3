"""The layers of a model hooked for a while: who is being called, in which mode, and nothing of them changed after."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from gengap.keras_models.private import own_state

Call = Callable[..., Any]
Around = Callable[[Any, Call], Call]
"""Takes a layer and its `call`, and returns what is to be called in its place."""


@contextmanager
def hooked(layers: Sequence[Any], around: Around) -> Iterator[None]:
    """Replace the `call` of every layer by what `around` makes of it, wherever in a model's code it is called."""
    before = [(layer, layer.__dict__.get("call")) for layer in layers]
    try:
        for layer in layers:
            # past Keras' and torch's own __setattr__, which track what they are given
            layer.__dict__["call"] = around(layer, layer.call)
        yield
    finally:
        for layer, own in before:
            if own is None:
                layer.__dict__.pop("call", None)
            else:
                layer.__dict__["call"] = own


class Mode:
    """How a `call` is told to train or not; a layer that takes no `training` is never told.

    Args:
        call: The `call` of a layer.
    """

    def __init__(self, call: Call) -> None:
        names = list(inspect.signature(call).parameters)
        self._place = names.index("training") if "training" in names else None

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the `training` that a call is given, None where it is given none."""
        if self._place is not None and len(args) > self._place:
            return args[self._place]
        return kwargs.get("training")

    def write(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], training: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with another `training`."""
        if self._place is None and "training" not in kwargs:
            return args, kwargs
        if self._place is not None and len(args) > self._place:
            return (*args[: self._place], training, *args[self._place + 1 :]), kwargs
        return args, {**kwargs, "training": training}


@contextmanager
def unchanged(layers: Sequence[Any]) -> Iterator[keras.StatelessScope]:
    """Let nothing that is called leave a trace: Keras' variables, what layers of one's own note, global random numbers.

    Args:
        layers: Layers whose attributes are put back; variables need not be named, since none is written to.
    """
    noted = [(layer, _attributes(layer)) for layer in layers]
    values = [(variable, np.array(keras.ops.convert_to_numpy(variable.value))) for variable in _small_state(layers)]
    with keras.StatelessScope() as scope:
        try:
            yield scope
        finally:
            for layer, attributes in noted:
                _put_back(layer, attributes)
    for variable, value in values:
        # A layer may write past Keras, into the tensor itself.
        if not np.array_equal(keras.ops.convert_to_numpy(variable.value), value, equal_nan=value.dtype.kind == "f"):
            variable.assign(value)


def _small_state(layers: Sequence[Any]) -> list[Any]:
    """Return the variables of layers themselves that training by gradients does not move: counters, moving averages."""
    return [variable for layer in layers for variable in own_state(layer)]


def _attributes(layer: keras.Layer) -> dict[str, tuple[Any, Any]]:
    return {name: (value, _content(value)) for name, value in vars(layer).items()}


def _content(value: Any) -> Any:
    if isinstance(value, list):
        return list(value)
    return dict(value) if isinstance(value, dict) else set(value) if isinstance(value, set) else None


def _put_back(layer: keras.Layer, attributes: dict[str, tuple[Any, Any]]) -> None:
    for name in set(vars(layer)) - set(attributes):
        del layer.__dict__[name]
    for name, (value, content) in attributes.items():
        layer.__dict__[name] = value
        if isinstance(value, list) and not _same(value, content):
            list.__setitem__(value, slice(None), content)  # past Keras' lists, which track what they are given
        elif isinstance(value, dict) and not (_same(value, content) and _same(value.values(), content.values())):
            dict.clear(value)
            dict.update(value, content)
        elif isinstance(value, set) and not _same(value, content):
            set.clear(value)
            set.update(value, content)


def _same(values: Iterable[Any], content: Iterable[Any]) -> bool:
    """Tell whether two collections hold the same objects; tensors have no plain `==`."""
    return [id(one) for one in values] == [id(one) for one in content]
