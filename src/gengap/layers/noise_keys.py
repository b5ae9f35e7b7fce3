"""All noise inside a model as a function of (seed, layer, epoch, step), whatever the layer draws it from."""

import inspect
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapWarning
from gengap.keras_models.initial_weights import identified_layers
from gengap.keras_models.private import (
    all_layers,
    call_in_place,
    is_keras_own,
    is_of_applications,
    origin_of,
    replace_call,
)
from gengap.keras_models.seed_generators import obey_their_state, seed_generators
from gengap.keras_models.shared_generators import SharedGenerators
from gengap.layers.moment import Moment

_said: set[str] = set()

State = tuple[Any, NDArray[np.uint32]]
"""The state variable of a seed generator, and a value for it."""


@cache
def shared_generators() -> SharedGenerators:
    """Return what takes the place of the generators that all code shares, while operations are called."""
    return SharedGenerators()


class NoiseKeys:
    """The noise of one model, keyed while its operations are called.

    Args:
        model: The model; the clone of an engine, since its generators change state.
    """

    def __init__(self, model: keras.Model) -> None:
        obey_their_state(model)
        self._names = {id(one.state): name for name, one in seed_generators(model)}
        self._identities = {id(layer): identity for identity, layer in identified_layers(model)}
        self._inside: dict[int, _Inside] = {}

    def knows(self, operation: keras.Operation) -> bool:
        """Tell whether an operation is a layer of the model."""
        return id(operation) in self._identities

    def identity(self, layer: keras.Operation) -> str:
        """Return what a layer of the model is called in keys."""
        return self._identities.get(id(layer), type(layer).__name__)

    def states(self, operation: keras.Operation, moment: Moment) -> list[State]:
        """Return the state that each seed generator of an operation has at a moment, as a `StatelessScope` takes it."""
        return [
            (variable, _state(moment.word(self._names[id(variable)])))
            for variable in getattr(operation, "variables", ())
            if id(variable) in self._names
        ]

    @contextmanager
    def keyed(self, operation: keras.Operation, moment: Moment) -> Iterator[None]:
        """Call an operation in here, and whatever it draws is a function of the moment.

        Its seed generators are keyed by `states`. Keras' own noise layers inside it draw what the fused engine draws
        for them wherever they stand, so that a run's masks do not depend on the door that a layer takes.
        """
        inside = self._of(operation)
        with shared_generators() if inside.is_foreign else nullcontext():
            inside.key(moment)
            before = {layer: call_in_place(layer) for layer in inside.noise_layers}
            for layer, identity in inside.noise_layers.items():
                replace_call(layer, _our_noise(layer, identity, moment))
            try:
                yield
            finally:
                for layer, call in before.items():
                    replace_call(layer, call)

    def may_draw(self, operation: keras.Operation) -> bool:
        """Tell whether an operation may draw anything."""
        inside = self._of(operation)
        states = any(id(variable) in self._names for variable in getattr(operation, "variables", ()))
        return states or inside.is_foreign or bool(inside.noise_layers)

    def is_foreign(self, operation: keras.Operation) -> bool:
        """Tell whether code that may draw from anywhere is part of an operation: see `is_foreign`."""
        return self._of(operation).is_foreign

    def has_drawn(
        self, operation: keras.Operation, moment: Moment, states: Sequence[State], scope: keras.StatelessScope
    ) -> bool:
        """Tell whether an operation has drawn anything since it was keyed; asked inside `keyed`, which it unkeys.

        Args:
            operation: The operation.
            moment: The moment of its call.
            states: What `states` gave for that moment.
            scope: The scope that it was called in.
        """
        inside = self._of(operation)
        moved = any((keras.ops.convert_to_numpy(scope.get_current_value(v)) != state).any() for v, state in states)
        masked = any(moment.calls[identity] for identity in inside.noise_layers.values())
        return moved or masked or inside.has_drawn()

    def has_drawn_freely(self, operation: keras.Operation) -> bool:
        """Tell whether code inside an operation has drawn from generators that no layer owns; asked inside `keyed`.

        Such draws are keyed by the operation as a whole, in both engines: its parts would draw others.
        """
        return self._of(operation).has_drawn()

    def _of(self, operation: keras.Operation) -> "_Inside":
        if id(operation) not in self._inside:
            identity = self._identities.get(id(operation), type(operation).__name__)
            self._inside[id(operation)] = _Inside(operation, identity, self._identities)
        return self._inside[id(operation)]


class _Inside:
    """What an operation holds that draws: Keras' own noise layers, generators of NumPy's, torch's and Python's."""

    def __init__(self, operation: keras.Operation, identity: str, identities: Mapping[int, str]) -> None:
        layers = all_layers(operation) if isinstance(operation, keras.Layer) else [operation]
        self.operation, self.identity = operation, identity
        self.noise_layers = {
            layer: identities[id(layer)] for layer in layers if id(layer) in identities and _has_our_noise(layer)
        }
        self.is_foreign = any(map(is_foreign, layers))
        self._words: list[int] = []
        self._generators = [
            (f"{identities.get(id(layer), identity)}/{name}", value)
            for layer in layers
            for name, value in sorted(vars(layer).items())
            if self.is_foreign and _restart(value) is not None
        ]

    def key(self, moment: Moment) -> None:
        if self.is_foreign:
            shared_generators().key(moment.word(f"{self.identity}/shared"))
        self._words = [moment.word(name) for name, _ in self._generators]
        self._restart_own()

    def has_drawn(self) -> bool:
        """Tell whether anything was drawn since `key`, and key anew."""
        after = [_position(generator) for _, generator in self._generators]
        self._restart_own()
        moved = after != [_position(generator) for _, generator in self._generators]
        return moved or (self.is_foreign and bool(shared_generators().drawn()))

    def _restart_own(self) -> None:
        for (_, generator), word in zip(self._generators, self._words, strict=True):
            restart = _restart(generator)
            if restart is not None:
                restart(word)


def say_noisy(operation: keras.Operation) -> None:
    """Warn, once for every class, that an operation draws random numbers in inference too."""
    kind = type(operation).__name__
    if kind in _said:
        return
    _said.add(kind)
    name = getattr(operation, "name", kind)
    warnings.warn(
        f"Layer {name!r} ({kind}) draws random numbers in inference too, so every score and forecast of its model "
        "holds one draw, the same after every epoch. If that is not meant, let its noise depend "
        "on the argument `training` of `call`.",
        GengapWarning,
        stacklevel=2,
    )


def is_foreign(operation: keras.Operation) -> bool:
    """Tell whether code that may draw from anywhere is part of an operation: a user's class or function.

    Keras' own layers draw from seed generators, but for those that only its `applications` have.
    """
    if _is_foreign(type(operation)) or isinstance(operation, keras.layers.Lambda):
        return True
    values = [value for value in vars(operation).values() if callable(value) and not isinstance(value, keras.Operation)]
    named = [value if inspect.isroutine(value) or inspect.isclass(value) else type(value) for value in values]
    return any(map(_is_foreign, named))


def _is_foreign(thing: Any) -> bool:
    return origin_of(thing) not in {"keras", "gengap", "builtins"} or is_of_applications(thing)


def _restart(value: Any) -> Callable[[int], Any] | None:
    """Return what keys a generator of random numbers; None for anything else."""
    if isinstance(value, np.random.Generator):
        return lambda word: _restart_bits(value.bit_generator, word)
    if isinstance(value, np.random.RandomState):
        return lambda word: value.seed(word % 2**32)
    if isinstance(value, random.Random):
        return value.seed
    if origin_of(type(value)) == "torch" and type(value).__name__ == "Generator":
        return value.manual_seed  # type: ignore[no-any-return]
    return None


def _position(value: Any) -> str:
    """Return what changes with every number that is drawn from a generator of NumPy's, Python's or torch's."""
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, np.random.RandomState):
        return repr(value.get_state())
    return repr(value.getstate() if isinstance(value, random.Random) else value.get_state().tolist())


def _restart_bits(bits: Any, word: int) -> None:
    bits.state = type(bits)(word).state


def _state(word: int) -> NDArray[np.uint32]:
    return np.array([word & 0x7FFFFFFF, word >> 32], dtype=np.uint32)


def _has_our_noise(layer: keras.Layer) -> bool:
    if keras.backend.backend() != "torch":
        return False
    from gengap.layers.noise import FUSED_NOISE  # torch is imported only where it is used

    return type(layer).__name__ in FUSED_NOISE and is_keras_own(layer)


def _our_noise(layer: keras.Layer, identity: str, moment: Moment) -> Callable[..., Any]:
    from gengap.layers.noise import disturbed

    def call(inputs: Any, training: bool = False) -> Any:
        return disturbed(layer, inputs, moment.occurrence(identity)) if training else inputs

    return call
