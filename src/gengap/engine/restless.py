"""Noise that never rests: which layers draw in inference too, found by calling them at two moments."""

from typing import Any

import keras

from gengap.datasets.cases import count_cases, few_cases, take
from gengap.engine.examination import same_numbers
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.devices import device_of
from gengap.keras_models.graph import Step, read_graph
from gengap.keras_models.heads import as_taken
from gengap.keras_models.private import all_layers, is_keras_own
from gengap.layers.moment import INFERENCE, Moment
from gengap.layers.noise_hooks import HookedNoise
from gengap.layers.noise_keys import NoiseKeys, is_foreign


def restless_layers(model: keras.Model, x: Any) -> list[str]:
    """Return the names of the layers that give another answer at another moment of inference.

    Such a layer forces its noise on: a `Dropout` that calls itself with `training=True`, a sampling layer that does not
    look at `training`. Every score and stored forecast of its model holds one draw. A subclassed model is one layer
    here, and so is every model where Keras does not run on torch. Nothing of the model changes.

    Args:
        model: A compiled, built model.
        x: Cases of the training split, of which a few are used.
    """
    if not any(map(is_foreign, all_layers(model, include_self=not is_keras_own(model)))):
        return []  # Keras tells every layer of its own to rest, whatever `training` it was called with in the graph
    clone = clone_compiled(model)
    clone.set_weights(model.get_weights())
    taken = as_taken(clone, few_cases(x))
    some = take(taken, slice(count_cases(taken)))
    if keras.backend.backend() != "torch":
        noise = HookedNoise(clone, 0)
        first, second = (_predicted(clone, some, noise, moment) for moment in (1, 2))
        return [] if same_numbers(first, second) else [type(model).__name__]
    from gengap.engine.loader import read_cases  # torch is imported only where it is used

    return _Walk(clone).restless(read_cases(clone, some, device=device_of(clone)).span(0, count_cases(some)))


def _predicted(model: keras.Model, x: Any, noise: HookedNoise, moment: int) -> Any:
    with noise.at(INFERENCE, moment):
        return model.predict_on_batch(x)


class _Walk:
    """One pass through a model's graph that calls what may draw twice."""

    def __init__(self, model: keras.Model) -> None:
        self._graph, self._keys = read_graph(model), NoiseKeys(model)
        self._found: list[str] = []

    def restless(self, inputs: list[Any]) -> list[str]:
        self._graph.run(inputs, self._call)
        return list(dict.fromkeys(self._found))

    def _call(self, step: Step, *args: Any, **kwargs: Any) -> Any:
        mode = {"training": False} if step.takes_training else {}

        def at(number: int) -> Any:
            moment = Moment(0, INFERENCE, number)
            scope = keras.StatelessScope(self._keys.states(step.operation, moment))
            with self._keys.keyed(step.operation, moment), scope:
                return step.operation(*args, **kwargs, **mode)

        result = at(1)
        if self._keys.may_draw(step.operation) and not same_numbers(result, at(2)):
            kind = type(step.operation).__name__
            whole = step.operation is self._graph.model  # its name is one that Keras counted for this clone
            self._found.append(kind if whole else getattr(step.operation, "name", kind))
        return result
