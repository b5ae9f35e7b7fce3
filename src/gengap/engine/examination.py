"""What a model does that no key reaches, found out before it trains: its own layers are called twice on one batch."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import tree

from gengap.datasets.cases import count_cases, take
from gengap.datasets.training_data import TrainingData
from gengap.engine.batches import training_order
from gengap.engine.kinds import kind_of
from gengap.engine.runs import Run, TrainingSettings
from gengap.errors import ModelError
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.devices import computing_on, device_of
from gengap.keras_models.graph import Step, read_graph
from gengap.keras_models.outputs import targets
from gengap.keras_models.private import (
    all_layers,
    attributes_of_every_layer,
    compile_config,
    function_and_options,
    is_keras_own,
    origin_of,
)
from gengap.layers.moment import INFERENCE, Moment
from gengap.layers.noise_hooks import HookedNoise
from gengap.layers.noise_keys import NoiseKeys, is_foreign, say_noisy

_TOLERANCE = 1e-4
_LIBRARIES = {"keras", "gengap", "builtins"}


def why_not_together(
    model: keras.Model, inputs: Callable[[Any], Sequence[Any]], train: Callable[[Any], object], *, keep: bool = False
) -> str | None:
    """Return why the runs of a model have to train one after another; None where they need not.

    Code that is not Keras' own is called, on a clone of the model: its layers twice at one moment, in training and in
    inference (so is `SpectralNormalization`, which sets a weight that is trained); and where loss, metrics, optimizer
    or penalties are the user's, one step of training is taken.

    Args:
        model: A compiled, built model.
        inputs: Makes the flat inputs of a batch for a model.
        train: Takes one step of training with a model.
        keep: Whether training starts from the weights that the model has.

    Raises:
        ModelError: A layer draws random numbers that no seed reaches or is stateful, the graph holds numbers computed
            from weights, or the clone of a model whose weights are kept computes something else than the model.
    """
    parts = all_layers(model, include_self=not is_keras_own(model))
    _refuse_computed_constants(model)
    _refuse_stateful(parts)
    own_layers = any(map(is_foreign, parts))
    if own_layers and keep:
        _check_clone(model, inputs)
    # the one layer of Keras' own that sets a trainable weight while it is called (3.15)
    to_call = own_layers or any(isinstance(part, keras.layers.SpectralNormalization) for part in parts)
    reason = _Layers(clone_compiled(model)).examine(inputs) if to_call else None
    if reason is None and _compiled_with_own_code(model):
        reason = _draws_outside_layers(clone_compiled(model), train)
    return reason


def _refuse_computed_constants(model: keras.Model) -> None:
    """Refuse a graph with numbers that a layer made of its weights while the model was built.

    They are no function of the inputs, so Keras does not know the layer, and torch ends the second step of training.
    """
    for step in read_graph(model).steps:
        for leaf in tree.flatten((step.args, step.kwargs)):
            if getattr(leaf, "grad_fn", None) is not None:
                name = getattr(step.operation, "name", type(step.operation).__name__)
                raise ModelError(
                    f"The model {model.name!r} gives {name!r} numbers of shape {tuple(leaf.shape)} that a layer made "
                    "of its weights when the model was built, as an Embedding called on `ops.arange` does: that layer "
                    "is no part of the model and cannot be trained. Call it in the `call` of a layer of your own."
                )


def _refuse_stateful(layers: Sequence[Any]) -> None:
    """Refuse recurrent layers that go on from the batch before, whose cases are others in every epoch.

    Keras' own `fit` ends in an error of torch's at the second step, too (3.15).
    """
    for layer in layers:
        if isinstance(layer, keras.layers.RNN) and layer.stateful:
            raise ModelError(
                f"Layer {layer.name!r} has stateful=True: it goes on from where the batch before ended, but batches "
                "hold other cases in every epoch, and Keras cannot train it on torch. Make it with stateful=False."
            )


def examine_run(run: Run, data: TrainingData, settings: TrainingSettings) -> str | None:
    """Examine the model of a run on its first batch, where Keras runs on torch: see `why_not_together`."""
    if keras.backend.backend() != "torch" or not run.model.built:
        return None
    from gengap.engine.loader import read_cases  # torch is imported only where it is used

    kind = kind_of(run.model, settings)
    order = training_order(run, 1, count_cases(data.train.x), shuffle=settings.shuffle)
    cases = order[: settings.batch_size]
    x, y = take(data.train.x, cases), take(targets(data.train.y, kind), cases)
    weight = None if data.train.sample_weight is None else np.asarray(data.train.sample_weight)[cases]
    return why_not_together(
        run.model,
        lambda model: read_cases(model, x, device=device_of(model)).span(0, len(cases)),
        lambda model: model.train_on_batch(*(tree.map_structure(as_tensor, one) for one in (x, y, weight))),
        keep=settings.initial_weights == "keep" or bool(run.kept),
    )


def _check_clone(model: keras.Model, inputs: Callable[[Any], Sequence[Any]]) -> None:
    """Check that a clone computes what the model does, unless its output is another at each call."""

    def outputs(one: Any) -> Any:
        def call(step: Step, *args: Any, **kwargs: Any) -> Any:
            return step.operation(*args, **kwargs, **({"training": False} if step.takes_training else {}))

        with computing_on(device_of(one)), keras.StatelessScope():
            return read_graph(one).run(inputs(one), call)

    before = outputs(model)
    if same_numbers(before, outputs(model)) and not same_numbers(before, outputs(clone_compiled(model))):
        raise ModelError(
            f"The model {model.name!r} cannot be cloned with the weights that it has: its clone computes something "
            "else. Its classes hold something that is neither a weight nor in `get_config`, such as numbers drawn in a "
            'constructor: make it a weight (`add_weight(..., trainable=False)`), or take `initial_weights="fresh"`.'
        )


class _Layers:
    """A walk through a model's graph that calls every layer of a user's several times."""

    def __init__(self, model: keras.Model) -> None:
        self._model, self._keys = model, NoiseKeys(model)
        self._reason: str | None = None

    def examine(self, inputs: Callable[[Any], Sequence[Any]]) -> str | None:
        read_graph(self._model).run(inputs(self._model), self._call)
        return self._reason

    def _call(self, step: Step, *args: Any, **kwargs: Any) -> Any:
        def at(epoch: int, number: int) -> Any:
            mode = {"training": epoch != INFERENCE} if step.takes_training else {}
            moment = Moment(0, epoch, number)
            scope = keras.StatelessScope(self._keys.states(step.operation, moment))
            with self._keys.keyed(step.operation, moment), scope:
                result = step.operation(*args, **kwargs, **mode)
                self._reason = self._reason or _assigned(step.operation, scope)
            return result

        if not self._keys.is_foreign(step.operation):
            return at(1, 1)
        before = _attributes(step.operation)
        first, after = at(1, 1), _attributes(step.operation)
        second, later = at(1, 1), _attributes(step.operation)
        repeats = same_numbers(first, second)
        changed = _changed(after, later) or ([] if repeats else _changed(before, after))
        if changed:
            self._reason = self._reason or (
                f"calling layer {step.operation.name!r} changes its attribute `{changed[0]}`, "
                "which runs that train together would share"
            )
        elif not repeats:
            raise ModelError(_unreachable(step.operation))
        elif not same_numbers(at(INFERENCE, 1), at(INFERENCE, 2)):
            say_noisy(step.operation)
        return first


def _unreachable(operation: keras.Operation) -> str:
    return (
        f"Layer {operation.name!r} ({type(operation).__name__}) gives two results when it is called twice on one batch "
        "with the same seeds: it draws random numbers that no seed reaches, or keeps a state outside itself. Draw with "
        "`keras.random` (or from NumPy's, torch's or Python's shared generators), not from a `np.random.default_rng()` "
        "made anew in `call`; keep states as weights, `add_weight(..., trainable=False)`."
    )


def _compiled_with_own_code(model: keras.Model) -> bool:
    """Tell whether something of a user's takes part in a step outside the layers."""
    given = compile_config(model)
    parts = tree.flatten([given.get(name) for name in ("loss", "metrics", "weighted_metrics")])
    parts += [model.optimizer, *(w.regularizer for w in model.weights), *(w.constraint for w in model.weights)]
    functions = [function_and_options(part)[0] for part in parts]
    origins = {origin_of(one) for one in (*parts, *functions) if one is not None and not isinstance(one, str)}
    return not origins <= _LIBRARIES | {""}


def _is_users(kind: type) -> bool:
    return origin_of(kind) not in _LIBRARIES | {"torch", "numpy", "random"}


def _draws_outside_layers(model: keras.Model, train: Callable[[Any], object]) -> str | None:
    with HookedNoise(model, 0).at(1, 1) as shared:
        train(model)
        drawn = shared.drawn()
    if not drawn:
        return None
    return f"its loss, metrics, optimizer or penalties draw random numbers ({', '.join(drawn)})"


def _assigned(operation: keras.Operation, scope: keras.StatelessScope) -> str | None:
    """Say which trainable weight a call has set itself, as `SpectralNormalization` does: the optimizer owns those."""
    for weight in getattr(operation, "trainable_weights", ()):
        if scope.get_current_value(weight) is not None:
            return f"calling layer {operation.name!r} assigns to its trainable weight {weight.name!r}"
    return None


def _attributes(operation: keras.Operation) -> dict[tuple[int, str], Any]:
    """Return the plain values that the layers of an operation hold besides their variables, in comparable form."""
    layers = all_layers(operation) if isinstance(operation, keras.Layer) else [operation]
    ignored = attributes_of_every_layer() | {"call"}
    return {
        (place, name): _comparable(value)
        for place, layer in enumerate(layers)
        if not is_keras_own(layer)
        for name, value in vars(layer).items()
        if name not in ignored
    }


def _comparable(value: Any, depth: int = 3) -> Any:
    """Return a plain value, or a collection of such, in a form that `==` compares; of anything else its kind."""
    if isinstance(value, keras.Variable):
        return None
    if isinstance(value, np.ndarray) or keras.ops.is_tensor(value):
        symbolic = str(getattr(value, "device", "")) == "meta"
        return tuple(value.shape) if symbolic else keras.ops.convert_to_numpy(value).tobytes()
    if depth and isinstance(value, Mapping):
        return {repr(name): _comparable(one, depth - 1) for name, one in value.items()}
    if depth and isinstance(value, list | tuple | set | deque):
        return [_comparable(one, depth - 1) for one in value]
    if depth and hasattr(value, "__dict__") and _is_users(type(value)):
        return _comparable(vars(value), depth - 1)
    plain = isinstance(value, bool | int | float | complex | str | bytes | np.generic | type(None))
    return repr(value) if plain else type(value).__name__


def _changed(one: Mapping[tuple[int, str], Any], other: Mapping[tuple[int, str], Any]) -> list[str]:
    return sorted(name for place, name in other if other[place, name] != one.get((place, name), object()))


def same_numbers(one: Any, other: Any) -> bool:
    """Tell whether two results of one structure hold the same numbers, to rounding."""
    pairs = zip(tree.flatten(one), tree.flatten(other), strict=True)
    arrays = [(keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)) for a, b in pairs]
    return all(np.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True) for a, b in arrays)


def as_tensor(values: Any) -> Any:
    """Return an array as `fit` hands it to a step: a tensor, real numbers in Keras' own format."""
    if values is None:
        return None
    real = np.asarray(values).dtype.kind == "f" if isinstance(values, np.ndarray) else False
    return keras.ops.convert_to_tensor(values, dtype=keras.config.floatx() if real else None)
