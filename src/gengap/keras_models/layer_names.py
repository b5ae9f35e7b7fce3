"""Names of all layers of a model, inner ones too, that tell them apart and hold for its clones."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from gengap.keras_models.private import all_layers, is_keras_own, layers_inside


def learning(model: Any, names: Collection[str]) -> tuple[str, ...]:
    """Return those of some names of a model's layers (`names_told_apart`) that are not frozen, in their order."""
    found = names_told_apart(model)
    frozen = {found[id(layer)] for layer in all_layers(model, include_self=False) if not layer.trainable}
    return tuple(name for name in names if name not in frozen)


def names_told_apart(layer: Any) -> dict[int, str]:
    """Return a name of each layer inside a layer, by `id`, that no other has and that its copy has in a clone.

    That is its own, led by those around it where several have it: layers of two towers, the parts of two attention
    layers. Inside a layer of a user's class it is the class and the ordinal within that class (`"block/Dense/1"`),
    since Keras numbers what has no name on through a whole session.
    """
    paths: dict[int, tuple[list[str], bool]] = {}

    def enter(outer: Any, path: list[str], *, named: bool) -> None:
        met = Counter[str]()
        for inner in layers_inside(outer):
            kind = type(inner).__name__
            if id(inner) not in paths:
                step = [inner.name] if named else [kind, str(met[kind])]
                paths[id(inner)] = [*path, *step], named
                enter(inner, [*path, *step], named=named and is_keras_own(inner))
            met[kind] += 1

    enter(layer, [], named=True)
    met = Counter(path[-1] for path, named in paths.values() if named)
    return {key: path[-1] if named and met[path[-1]] == 1 else "/".join(path) for key, (path, named) in paths.items()}
