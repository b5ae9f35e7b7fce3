"""What makes noise in a model, found by watching it: a layer is known by what it draws, not by its name."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gengap.errors import ModelError
from gengap.keras_models.private import own_variables
from gengap.randomness import generator
from gengap.sampling.calls import Call, Mode, hooked, unchanged
from gengap.sampling.draws import Draw, draws_answered_by
from gengap.sampling.found_noise import AUGMENTATION, ForeignNoise, ModelNoise, is_ones_own
from gengap.sampling.noise_layers import all_layers, noise_layers
from gengap.sampling.own_numbers import generators_put_back, read_generators, seed_generators

Run = Callable[[int, bool], Any]
"""Calls the model on a number of real rows, with `training`, and returns its raw output."""

_FEW = 2
"""Rows that a model is watched on, and one more: what grows with them is drawn for every row."""

_ATTEMPTS = 4
_AUGMENTED = "it augments its input in training, and a forecast is not augmented"
_TORCH = "a torch module's noise cannot be separated from what else it does in training mode"
_WRITES = "it changes {} in training mode, so that more than its noise would be on"
_HIDDEN = "it draws random numbers that cannot be seeded: draw them by `keras.random` with a `SeedGenerator`"
_UNREACHED = "it is called in training mode only, by code that does more than make noise"
_CALL_FAILS = "it cannot be called in training mode, so that nobody knows what its own code would draw ({})"


def find_noise(model: keras.Model, run: Run) -> ModelNoise:
    """Return what makes noise in a model, by calling it on a few real rows in inference and in training mode.

    Nothing of the model changes. What draws in training mode is then switched on alone, and must draw again; what does
    not, or does more than make noise, is left off by name.

    Args:
        model: A built model.
        run: Calls it.

    Raises:
        ModelError: A layer draws from a generator that nobody can seed.
    """
    return _Search(model, run).result()


@dataclass
class _Seen:
    """What one call of the model showed, by id of the layer whose code was running."""

    called: set[int] = field(default_factory=set)
    shapes: dict[int, list[tuple[int, ...]]] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    written: dict[int, set[str]] = field(default_factory=dict)
    modes: dict[int, Any] = field(default_factory=dict)
    outputs: list[tuple[Any, list[Any]]] = field(default_factory=list)
    torch_modules: list[Any] = field(default_factory=list)
    result: Any = None

    def draws(self, layer: keras.Layer) -> bool:
        return id(layer) in self.shapes or id(layer) in self.unknown

    def written_beyond(self, layer: keras.Layer, other: "_Seen") -> set[str]:
        """Return names of the variables that a layer wrote here and not in the other call."""
        return self.written.get(id(layer), set()) - other.written.get(id(layer), set())


class _Search:
    def __init__(self, model: keras.Model, run: Run) -> None:
        self._model, self._run = model, run
        self._layers = all_layers(model)
        self._own = {id(noise.layer): noise for noise in noise_layers(model)}
        self._ones_own = tuple(layer for layer in self._layers if is_ones_own(layer))
        self._off: dict[str, str] = {}
        self._held: set[int] = set()

    def result(self) -> ModelNoise:
        quiet = self._watch(_FEW)
        self._check_repeats(quiet, (), None)
        natural = self._natural(quiet)
        on, seen = self._settle(natural, quiet)
        drawing = [layer for layer in self._layers if id(layer) not in self._own and seen.draws(layer)]
        foreign: list[ForeignNoise] = []
        if drawing:
            self._check_repeats(seen, on, quiet.modes)
            more = self._watch(_FEW + 1, on, quiet.modes)
            always = self._always(quiet)
            foreign = [_foreign(layer, index, seen, more, id(layer) in always) for index, layer in enumerate(drawing)]
        own = tuple(self._own.values())
        return ModelNoise(own, tuple(foreign), tuple(on), self._off, quiet.modes, self._ones_own)

    def _natural(self, quiet: _Seen) -> _Seen:
        """Watch the model in training mode, as Keras calls it, and name what is to stay off whatever it does."""
        try:
            natural = self._watch(_FEW, training=True)
        except Exception as error:  # noqa: BLE001  whatever a user's code may raise
            self._off[self._model.name] = _CALL_FAILS.format(f"{type(error).__name__}: {error}")
            return quiet
        for layer in self._layers:
            if isinstance(layer, AUGMENTATION) and natural.draws(layer) and not quiet.draws(layer):
                self._off[layer.name] = _AUGMENTED
        self._off |= {layer.name: _TORCH for layer in natural.torch_modules}
        hidden = self._restless(natural, training=True)
        if hidden is not None and not natural.draws(hidden) and hidden.name not in self._off:
            self._off[hidden.name] = _HIDDEN
        return natural

    def _settle(self, natural: _Seen, quiet: _Seen) -> tuple[list[Any], _Seen]:
        """Find the layers that must be told to train for all noise to be on; what cannot be had is left off."""
        wanted = [layer for layer in self._layers if self._is_wanted(layer, natural)]
        on = _with_cells([layer for layer in wanted if id(layer) not in self._own])
        seen = self._watch(_FEW, on, quiet.modes) if on else quiet
        for _ in range(_ATTEMPTS):
            writers = [layer for layer in on if seen.written_beyond(layer, quiet)]
            missing = [layer for layer in wanted if not self._is_there(layer, seen)]
            holders = [one for one in self._ones_own if one not in on and _holds_any(one, missing)]
            holders = [one for one in holders if one.name not in self._off and id(one) not in self._held]
            if not writers and not holders:
                self._off |= {layer.name: _UNREACHED for layer in missing}
                break
            for layer in writers:
                self._off[layer.name] = _WRITES.format(", ".join(sorted(seen.written_beyond(layer, quiet))))
            wanted = [layer for layer in wanted if layer not in writers]
            on = [layer for layer in on if layer not in writers]
            on, seen = self._also(holders, on, quiet)
        return on, seen

    def _also(self, holders: Sequence[Any], on: list[Any], quiet: _Seen) -> tuple[list[Any], _Seen]:
        """Tell layers that hold missing ones to train too, unless the model then returns something else."""
        seen = self._watch(_FEW, [*on, *holders], quiet.modes)
        if seen.result == quiet.result or not holders:
            return [*on, *holders], seen
        self._held |= {id(one) for one in holders}
        return on, self._watch(_FEW, on, quiet.modes)

    def _is_wanted(self, layer: keras.Layer, natural: _Seen) -> bool:
        if layer.name in self._off:
            return False
        if id(layer) in self._own:
            return id(layer) in natural.called and self._own[id(layer)].trained_strength > 0
        return natural.draws(layer)

    def _is_there(self, layer: keras.Layer, seen: _Seen) -> bool:
        return id(layer) in seen.called if id(layer) in self._own else seen.draws(layer)

    def _always(self, quiet: _Seen) -> set[int]:
        """Return ids of the layers that draw in inference and give another answer for other numbers."""
        if not any(quiet.draws(layer) for layer in self._layers):
            return set()
        other = self._watch(_FEW, numbers=1)
        pairs = zip(quiet.outputs, other.outputs, strict=False)
        return {id(a) for (a, values), (_, others) in pairs if quiet.draws(a) and not all(map(_close, values, others))}

    def _restless(
        self, seen: _Seen, on: Sequence[Any] = (), modes: Mapping[int, Any] | None = None, **how: bool
    ) -> Any:
        """Return the first layer that gives another answer for the same numbers: it draws from where nobody sees it."""
        if not self._ones_own:
            return None
        again = self._watch(_FEW, on, modes, **how)
        for (layer, values), (_, others) in zip(seen.outputs, again.outputs, strict=False):
            if not all(map(_close, values, others)):
                return layer
        return None

    def _check_repeats(self, seen: _Seen, on: Sequence[Any], modes: Mapping[int, Any] | None) -> None:
        layer = self._restless(seen, on, modes)
        if layer is not None:
            raise ModelError(
                f"Layer {layer.name!r} gives another answer each time it is called, from random numbers that cannot be "
                "seeded: draw them by `keras.random` with a `keras.random.SeedGenerator`."
            )

    def _watch(
        self,
        rows: int,
        on: Sequence[Any] = (),
        modes: Mapping[int, Any] | None = None,
        *,
        training: bool = False,
        numbers: int = 0,
    ) -> _Seen:
        watcher = _Watcher(self._layers, on, modes, training=training, numbers=numbers)
        with unchanged(self._ones_own) as scope, generators_put_back():
            watcher.scope = scope
            seed_generators(numbers)
            with draws_answered_by(watcher.answer), hooked(self._layers, watcher.around):
                watcher.look()
                result = self._run(rows, training)
        watcher.seen.result = keras.tree.map_structure(lambda value: tuple(value.shape), result)
        return watcher.seen


class _Watcher:
    """Notes who is called, draws and writes in one call of a model."""

    def __init__(
        self,
        layers: Sequence[Any],
        on: Sequence[Any],
        modes: Mapping[int, Any] | None,
        *,
        training: bool,
        numbers: int,
    ) -> None:
        self.seen = _Seen()
        self.scope = keras.StatelessScope()
        self._on, self._modes, self._training, self._seed = {id(layer) for layer in on}, modes, training, numbers
        self._position = {id(layer): position for position, layer in enumerate(layers)}
        self._variables = {id(variable): variable for layer in layers for variable in own_variables(layer)}
        self._stack: list[Any] = []
        self._written: dict[int, Any] = {}
        self._numbers = read_generators()

    def around(self, layer: keras.Layer, original: Call) -> Call:
        mode = Mode(original)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.look()
            self._stack.append(layer)
            self.seen.called.add(id(layer))
            self.seen.modes[id(layer)] = mode.read(args, kwargs)
            if self._modes is not None:
                wanted = True if id(layer) in self._on else self._modes.get(id(layer), False)
                args, kwargs = mode.write(args, kwargs, wanted)
            try:
                run = self._copied(layer) if self._training and _is_torch_module(layer) else original
                result = run(*args, **kwargs)
                self.seen.outputs.append((layer, [_plain(value) for value in keras.tree.flatten(result)]))
                return result
            finally:
                self.look()
                self._stack.pop()

        return call

    def answer(self, draw: Draw) -> Any:
        layer = self._stack[-1] if self._stack else None
        shapes = self.seen.shapes.setdefault(id(layer), [])
        shapes.append(() if draw.mixes_rows else draw.shape)
        if draw.mixes_rows:
            return draw.of_seed(self._seed + len(shapes))
        random = generator(self._seed, "watched", self._position.get(id(layer), -1), len(shapes))
        return draw.of_uniform(np.clip(random.random(draw.shape), 1e-6, 1 - 1e-6))

    def look(self) -> None:
        """Note what the layer that is running has drawn and written since the last look."""
        numbers, running = read_generators(), id(self._stack[-1]) if self._stack else 0
        if numbers != self._numbers:
            self._numbers = numbers
            self.seen.unknown.add(running)
        for identity, value in self.scope.state_mapping.items():
            if identity in self._variables and self._written.get(identity) is not value:
                self._written[identity] = value
                self.seen.written.setdefault(running, set()).add(self._variables[identity].name)

    def _copied(self, layer: keras.Layer) -> Call:
        """Return the call of a copy of a torch module: its moving averages are nobody's variables."""

        def call(*args: Any, training: Any = None, **kwargs: Any) -> Any:
            module = copy.deepcopy(layer.module).train(training is not False)
            before = read_generators()
            result = module(*args, **kwargs)
            if read_generators() != before:
                self.seen.torch_modules.append(layer)
                self._numbers = read_generators()
            return result

        return call


def _foreign(layer: keras.Layer, index: int, seen: _Seen, more: _Seen, always: bool) -> ForeignNoise:
    few, many = seen.shapes.get(id(layer), []), more.shapes.get(id(layer), [])
    by_row = tuple(map(_grows, few, many)) if len(few) == len(many) else (False,)
    return ForeignNoise(layer, index, by_row, unknown=id(layer) in seen.unknown, always=always)


def _grows(few: tuple[int, ...], many: tuple[int, ...]) -> bool:
    """Tell whether a draw grows with the rows: every row then has numbers of its own."""
    if not few or few[1:] != many[1:] or few[0] % _FEW:
        return False
    return many[0] == few[0] // _FEW * (_FEW + 1)


def _with_cells(layers: Sequence[Any]) -> list[Any]:
    """Return layers and the cells of those that are recurrent, which apply what the layer draws for them."""
    inside = [cell for layer in layers if isinstance(layer, keras.layers.RNN) for cell in all_layers(layer.cell)]
    cells = [one for one in inside if is_ones_own(one) or hasattr(one, "state_size")]
    return list(dict.fromkeys([*layers, *cells]))


def _holds_any(layer: keras.Layer, wanted: Sequence[Any]) -> bool:
    inside = {id(one) for one in all_layers(layer)[1:]}
    return any(id(one) in inside for one in wanted)


def _is_torch_module(layer: keras.Layer) -> bool:
    return type(layer).__name__ == "TorchModuleWrapper" and hasattr(layer, "module")


def _plain(value: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(value)) if keras.ops.is_tensor(value) else None


def _close(value: Any, other: Any) -> bool:
    if value is None or other is None or value.shape != other.shape:
        return value is None and other is None
    if value.dtype.kind not in "fV":
        return bool(np.array_equal(value, other))
    value, other = value.astype(np.float64), other.astype(np.float64)
    size = np.abs(other[np.isfinite(other)]).max(initial=0.0)
    return bool(np.allclose(value, other, rtol=1e-4, atol=1e-5 * size, equal_nan=True))
