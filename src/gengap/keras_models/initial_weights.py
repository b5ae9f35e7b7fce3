"""Initial weights as a pure function of (seed, layer class, ordinal within that class, weight)."""

import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from gengap.errors import GengapWarning
from gengap.keras_models.clone import rebuild_subclassed
from gengap.keras_models.graph import read_graph
from gengap.keras_models.layer_names import names_told_apart
from gengap.keras_models.private import all_layers, is_keras_own, own_variables
from gengap.keras_models.rebuild import is_graph, made_anew
from gengap.keras_models.shared_generators import SharedGenerators
from gengap.randomness import key

Array = np.ndarray[Any, np.dtype[Any]]


def identified_layers(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield every layer of a model, nested ones too, with its identity, for example `"Dense/1"`.

    The identity is the class and the ordinal within that class, so inserting a Dropout or BatchNormalization layer
    changes the identity of no other layer, and variants of a seed share what they can. Names are not an identity: Keras
    numbers them on through a whole session.
    """
    seen: Counter[str] = Counter()
    for layer in all_layers(model, include_self=False):
        name = type(layer).__name__
        yield f"{name}/{seen[name]}", layer
        seen[name] += 1


def draw_initial_weights(model: keras.Model, seed: int, kept: Collection[str] = ()) -> list[Array]:
    """Draw the weights that one run starts from; for several seeds of a model, `InitialWeights` is quicker.

    Args:
        model: A built model; it is not changed.
        seed: Seed of the run.
        kept: Names of further layers that keep what they hold.

    Returns:
        Values in the order of `model.weights`.
    """
    return InitialWeights(model, kept).draw(seed)


class InitialWeights:
    """The weights that runs of a model start from, seed by seed.

    Every weight is drawn by its own initializer, keyed by (seed, layer, weight), also where the initializer carries a
    fixed seed, or none, and where the weight is made in a constructor. Layers without trainable weights of their own
    keep what they hold, but for weights of a user's class that are drawn at random and never trained: so do frozen
    layers, and adapted ones such as `Normalization`.

    The first seed builds each layer once more and watches how its weights come about. Where they are Keras' own
    initializers' and nothing else, as a second drawing shows, later seeds ask the initializers alone. A user's class
    may draw the settings of its initializers: it must draw nothing itself, and be the same with another seed.

    Args:
        model: A built model; it is not changed.
        kept: Names of further layers that keep what they hold, see `names_told_apart`.
        known: What was found of other models, whose layers may be alike.
    """

    def __init__(self, model: keras.Model, kept: Collection[str] = (), *, known: "KnownDraws | None" = None) -> None:
        self._model, self._known = model, known or KnownDraws()
        itself = [] if is_graph(model) else [(f"{type(model).__name__}/itself", model)]
        owned = [(name, layer, own_variables(layer)) for name, layer in [*itself, *identified_layers(model)]]
        names = names_told_apart(model)
        self._layers = [
            (name, layer, own)
            for name, layer, own in owned
            if layer.trainable and names.get(id(layer)) not in kept and _may_be_random(layer, own)
        ]
        self._likes = {name: _likeness(layer, name) for name, layer, _ in self._layers}
        self._draws: dict[str, Sequence[_Draw]] = {}
        self._undrawn: dict[int, Array] | None = None

    def draw(self, seed: int) -> list[Array]:
        """Return values in the order of `model.weights`."""
        values: dict[int, Any] = {}
        for identity, layer, own in self._layers:
            like = self._likes[identity]
            draws = self._draws.get(identity) or self._known.draws.get(like)
            if draws:
                drawn = self._known.values(like, draws, seed)
                values.update(zip(map(id, own), drawn, strict=True))
                continue
            twin = _Twin(layer, identity, seed)
            values.update(_drawn(twin, layer, own, identity, seed))
            draws = twin.draws() if any(weight.trainable for weight in own) else None
            if draws is not None and (not _is_users(layer) or _Twin(layer, identity, seed + 1).comes_from(draws)):
                self._draws[identity] = draws
                self._known.keep(like, draws)
        return self._complete(values)

    def _complete(self, drawn: Mapping[int, Any]) -> list[Array]:
        """Put what the model holds beside what was drawn: the same arrays for every seed, so none may be changed."""
        weights = self._model.weights
        if self._undrawn is None:
            held = [weight for weight in weights if id(weight) not in drawn]
            self._undrawn = {id(weight): np.array(keras.ops.convert_to_numpy(weight)) for weight in held}
        return [
            keras.ops.convert_to_numpy(drawn[id(weight)]) if id(weight) in drawn else self._undrawn[id(weight)]
            for weight in weights
        ]


@dataclass(frozen=True)
class _Draw:
    """How one weight comes about: its initializer, shape and number format, and what keys it beside the seed."""

    initializer: Any
    shape: tuple[int, ...]
    dtype: str
    words: tuple[Any, ...]

    def value(self, seed: int) -> Array:
        draws = _is_random(self.initializer)
        initializer = _keyed(self.initializer, key(seed, *self.words)) if draws else self.initializer
        with keras.device("cpu"):
            return np.asarray(keras.ops.convert_to_numpy(initializer(self.shape, dtype=self.dtype)))


class KnownDraws:
    """How the weights of layers come about that stand in many models: those of the variants of a study are alike.

    Attributes:
        draws: How each weight of a layer comes about, by what the layer has in common with those that are alike.
    """

    def __init__(self) -> None:
        self.draws: dict[str, Sequence[_Draw]] = {}
        self._seed: int | None = None
        self._values: dict[str, Sequence[Array]] = {}

    def keep(self, like: str, draws: Sequence[_Draw]) -> None:
        """Keep how the weights of a layer come about; of one that is like no other, nothing is kept."""
        if like:
            self.draws[like] = draws

    def values(self, like: str, draws: Sequence[_Draw], seed: int) -> Sequence[Array]:
        """Return the weights of a seed, drawn once for layers that are alike; those of the latest seed are kept."""
        if not like:
            return [one.value(seed) for one in draws]
        if seed != self._seed:  # runs of a seed follow one another, and those of all seeds may be gigabytes
            self._seed, self._values = seed, {}
        if like not in self._values:
            self._values[like] = [one.value(seed) for one in draws]
        return self._values[like]


def _likeness(layer: keras.Layer, identity: str) -> str:
    """Return what layers of different models have in common whose weights come about alike; empty for others.

    Penalties and constraints do not matter. Layers that hold layers, and whatever is not Keras' own, are like no other.
    """
    initializers = [one for one in vars(layer).values() if isinstance(one, keras.initializers.Initializer)]
    if len(all_layers(layer)) > 1 or not all(map(is_keras_own, (layer, *initializers))):
        return ""
    given = {name: value for name, value in layer.get_config().items() if not name.endswith(_NO_MATTER)}
    return repr((identity, type(layer).__qualname__, given, layer.get_build_config()))


_NO_MATTER = ("name", "_regularizer", "_constraint")


def learned_layers(model: keras.Model) -> dict[str, bool]:
    """Return for each layer that is trained whether it holds what was learned before, by `names_told_apart`.

    What was never trained is as its initializers leave it: biases of 0, scales of 1, moving averages at their start. A
    layer in which one of these constants has moved has learned; one that has none is judged by the next that has, and
    counts as new where none follows.

    Args:
        model: A built model; it is not changed.
    """
    told: list[tuple[int, bool | None]] = []
    for identity, layer in identified_layers(model):
        own = own_variables(layer)
        if layer.trainable and any(weight.trainable for weight in own):
            told.append((id(layer), _has_learned(layer, own, identity)))
    found, following, places, names = {}, False, _order(model), names_told_apart(model)
    for layer_id, verdict in sorted(told, key=lambda one: -places.get(one[0], 0)):
        following = following if verdict is None else verdict
        found[names[layer_id]] = following
    return dict(reversed(found.items()))


def _order(model: keras.Model) -> dict[int, int]:
    """Return the place of each layer, by `id`, in the order in which Keras runs them."""
    steps = [step.operation for step in read_graph(model).steps]
    layers = [layer for one in steps if isinstance(one, keras.layers.Layer) for layer in all_layers(one)]
    return {id(layer): place for place, layer in enumerate(layers)}


def _has_learned(layer: keras.Layer, own: Sequence[Any], identity: str) -> bool | None:
    """Tell whether a layer's constants have moved; None where it has none."""
    one, other = _Twin(layer, identity, 0), _Twin(layer, identity, 1)
    if one.trouble is not None or [tuple(w.shape) for w in one.weights] != [tuple(w.shape) for w in own]:
        return None
    arrays = [[keras.ops.convert_to_numpy(w) for w in weights] for weights in (own, one.weights, other.weights)]
    constant = [(now, start) for now, start, again in zip(*arrays, strict=True) if np.array_equal(start, again)]
    return any(not np.array_equal(now, start) for now, start in constant) if constant else None


def _may_be_random(layer: keras.Layer, own: Sequence[Any]) -> bool:
    return any(weight.trainable for weight in own) or (_is_users(layer) and bool(own))


def _is_users(layer: keras.Layer) -> bool:
    return not is_keras_own(layer)


def _drawn(twin: "_Twin", layer: keras.Layer, own: Sequence[Any], identity: str, seed: int) -> dict[int, Any]:
    """Return new values of a layer's own weights, by the `id` of the weight."""
    if twin.trouble is None and [tuple(w.shape) for w in twin.weights] != [tuple(w.shape) for w in own]:
        twin.trouble = "make all of its weights in its constructor or in `build`"
    if twin.trouble is not None:
        if any(weight.trainable for weight in own):
            _say_equal(layer, twin.trouble)
        return {}
    fresh = list(zip(own, twin.weights, strict=True))
    if not any(weight.trainable for weight in own):
        return {id(weight): new for weight, new in fresh if id(new) in twin.random}
    unsure = [place for place, (weight, new) in enumerate(fresh) if weight.trainable and id(new) in twin.unsure]
    if unsure and _is_users(layer):
        other = _Twin(layer, identity, seed + 1).weights
        if any(_equal_but_not_constant(twin.weights[place], other[place]) for place in unsure):
            _say_equal(layer, "make its weights with `add_weight` and one of Keras' initializers")
    return {id(weight): new for weight, new in fresh}


_LOOKED_AT = {"keras.random", "numpy.random", "torch"}
"""Generators that building a layer leaves alone, unless its code draws; Keras makes default seeds with Python's."""


class _Twin:
    """A layer built once more, each of its random initializers with a key of its own.

    Attributes:
        weights: Its own weights, in the order of the layer's.
        random: Those that Keras' initializers drew at random, by `id`.
        unsure: Those that came about in another way, by `id`: nobody knows whether their numbers heed a key.
        trouble: What the class lacks to be built again; None where it was.
    """

    def __init__(self, layer: keras.Layer, identity: str, seed: int) -> None:
        self.weights: list[Any] = []
        self.random: set[int] = set()
        self._sure: set[int] = set()
        self._noted: dict[int, _Draw] = {}
        self._draws_itself = False
        self.trouble: str | None = None
        self._kind, self._seed, self._names = type(layer), seed, Counter[str]()
        self._parts = (seed, "weights", identity)
        try:
            with self._keyed(), keras.device("cpu"):
                twin = self._build(layer)
        except (NotImplementedError, TypeError, ValueError, AttributeError) as reason:
            self.trouble = f"give the class a `get_config` from which it can be built ({reason})"
            return
        self.weights = own_variables(twin)
        self.unsure = {id(weight) for weight in self.weights} - self._sure

    def draws(self) -> "Sequence[_Draw] | None":
        """Return how each weight comes about, where initializers alone give them to the bit; else None."""
        known = self.trouble is None and not self._draws_itself and all(id(one) in self._noted for one in self.weights)
        draws = [self._noted[id(weight)] for weight in self.weights] if known else []
        return draws if known and self.comes_from(draws) else None

    def comes_from(self, draws: "Sequence[_Draw]") -> bool:
        """Tell whether initializers give this twin's weights to the bit."""
        if self.trouble is not None or len(draws) != len(self.weights):
            return False
        given = [draw.value(self._seed) for draw in draws]
        values = [keras.ops.convert_to_numpy(weight) for weight in self.weights]
        return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(given, values, strict=True))

    def _build(self, layer: keras.Layer) -> Any:
        if isinstance(layer, keras.Model) and not is_graph(layer):
            return rebuild_subclassed(layer)
        twin = made_anew(layer)
        for name, value in list(vars(twin).items()):
            if _is_random(value):
                setattr(twin, name, _keyed(value, key(*self._parts, name)))
        with warnings.catch_warnings():
            # of layers inside, which have twins of their own
            warnings.filterwarnings("ignore", message=r"`build\(\)` was called on layer")
            twin.build_from_config(layer.get_build_config())
        return twin

    @contextmanager
    def _keyed(self) -> Iterator[None]:
        """Key every weight that is made in here; what needs no seed draws from the generators that all code shares."""
        original = keras.layers.Layer.add_weight
        shared = SharedGenerators()

        def add_weight(
            layer: keras.Layer, *args: Any, initializer: Any = None, name: str | None = None, **kwargs: Any
        ) -> Any:
            if type(layer) is not self._kind:
                return original(layer, *args, initializer=initializer, name=name, **kwargs)
            place, given = name or len(layer.weights), keras.initializers.get(args[1] if len(args) > 1 else initializer)
            met = self._names[str(place)]
            self._names[str(place)] += 1
            words = (*self._parts[1:], place, *([met] if met else []))  # two weights may have one name
            word = key(self._seed, *words)
            self._draws_itself |= bool(_LOOKED_AT & set(shared.drawn()))
            shared.key(word)
            given = _keyed(given, word) if _is_random(given) else given
            made = original(layer, *args[:1], *args[2:], initializer=given, name=name, **kwargs)
            if given is None or isinstance(given, keras.initializers.Initializer):
                self._sure.add(id(made))
            if isinstance(given, keras.initializers.Initializer) and is_keras_own(
                given
            ):  # a function may close over a key
                self._noted[id(made)] = _Draw(given, tuple(made.shape), made.dtype, words)
            if given is None or _is_random(given):
                self.random.add(id(made))
            return made

        with shared:
            shared.key(key(*self._parts))
            keras.layers.Layer.add_weight = add_weight
            try:
                yield
            finally:
                keras.layers.Layer.add_weight = original


def _say_equal(layer: keras.Layer, remedy: str) -> None:
    warnings.warn(
        f"The weights of layer {layer.name!r} ({type(layer).__name__}) cannot be drawn anew, so they start equal "
        f"for every seed: {remedy}.",
        GengapWarning,
        stacklevel=5,
    )


def _equal_but_not_constant(one: Any, other: Any) -> bool:
    a, b = keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)
    return bool(np.array_equal(a, b) and (a != a.flat[0]).any())


def _is_random(value: Any) -> bool:
    return isinstance(value, keras.initializers.Initializer) and "seed" in value.get_config()


def _keyed(initializer: Any, new_key: int) -> Any:
    config = initializer.get_config() | {"seed": new_key % 2**31}
    return type(initializer).from_config(config)
