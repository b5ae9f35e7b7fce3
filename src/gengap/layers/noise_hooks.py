"""Keras' own loop under keyed noise: the same masks and draws that the fused engine has."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

from gengap.keras_models.graph import read_graph
from gengap.keras_models.private import asks_for_shapes, call_in_place, replace_call
from gengap.keras_models.shared_generators import SharedGenerators
from gengap.layers.moment import Moment
from gengap.layers.noise_keys import NoiseKeys
from gengap.randomness import key


class HookedNoise:
    """The noise of a model that Keras' own loop trains, a function of (seed, layer, epoch, step).

    Every operation of the graph that may draw is called under keys of its own, so that another layer, or a loss that
    draws too, changes nothing. On backends that compile their steps the seed generators are set before each step.

    Args:
        model: A clone of the engine's; its operations are hooked, and its generators change state.
        seed: Seed of the run.
    """

    def __init__(self, model: keras.Model, seed: int) -> None:
        self._model, self._seed = model, seed
        self._keys, self._around = NoiseKeys(model), SharedGenerators()
        self._moment = Moment(seed, 1, 1)
        self._inside = False
        if keras.backend.backend() == "torch":
            operations = {id(step.operation): step.operation for step in read_graph(model).steps}
            for operation in filter(self._keys.may_draw, operations.values()):
                self._hook(operation)

    @contextmanager
    def at(self, epoch: int, step: int) -> Iterator[SharedGenerators]:
        """Compute one step, or a batch in inference under the epoch `INFERENCE`, in here."""
        for variable, state in self._keys.states(self._model, Moment(self._seed, epoch, step)):
            variable.assign(state)
        self._moment = Moment(self._seed, epoch, step)
        with self._around as shared:
            shared.key(key(self._seed, "noise", "step", epoch, step))
            yield shared

    def _hook(self, operation: keras.Operation) -> None:
        original = partial(type(operation).call, operation)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside or asks_for_shapes():  # part of another operation, whose keys it has
                return original(*args, **kwargs)
            self._inside = True
            try:
                with self._keys.keyed(operation, self._moment):
                    for variable, state in self._keys.states(operation, self._moment):
                        variable.assign(state)
                    ours = call_in_place(operation)  # a noise layer of Keras' is given our draws
                    return (original if ours is call or ours is None else ours)(*args, **kwargs)
            finally:
                self._inside = False

        replace_call(operation, call)
