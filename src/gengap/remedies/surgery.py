"""Carry out an edit on a clone: rebuild the graph, carry the weights, compile as before."""

from collections.abc import Sequence

import keras

from gengap.keras_models.clone import carry_weights, compile_like
from gengap.keras_models.private import all_layers
from gengap.keras_models.rebuild import Operation, Rebuild, copy_operation, freeze_alike, is_graph
from gengap.remedies.base import Edit, Model


def perform(edit: Edit, model: Model) -> tuple[Model, list[tuple[str, str]], Sequence[tuple[Operation, Operation]]]:
    """Return the treated, compiled clone, path and shapes of what could not be carried over, and layers in pairs."""

    def replace(operation: Operation) -> Operation:
        return copy_operation(operation, edit.configs.get(id(operation)))

    rebuilt = Rebuild(replace, edit.follow, edit.skip)(model)
    before, after = (keras.tree.map_structure(lambda tensor: tensor.shape, m.outputs) for m in (model, rebuilt.model))
    if before != after:
        raise ValueError(f"its outputs of shape {before} would have shape {after}.")
    _train(edit, rebuilt.pairs)
    fresh = carry_weights(rebuilt.pairs)
    compile_like(rebuilt.model, model, rebuilt.pairs, edit=edit.compile)
    if edit.finish is not None:
        edit.finish(rebuilt.model, rebuilt.pairs)
    return rebuilt.model, fresh, rebuilt.pairs


def _train(edit: Edit, pairs: Sequence[tuple[Operation, Operation]]) -> None:
    """Freeze and thaw layers of a copy; what is thawed inside a frozen model thaws it, and nothing else in it."""
    if not edit.trainable:
        return
    thawed = [original for original, _ in pairs if edit.trainable.get(id(original))]
    around = [model for model, _ in pairs if is_graph(model) and any(_holds(model, layer) for layer in thawed)]
    for original, copy in pairs:  # models come first: Keras' setter reaches down into their layers
        if id(original) in {id(model) for model in around}:
            copy.trainable = True
    for original, copy in pairs:
        if id(original) in edit.trainable:
            copy.trainable = edit.trainable[id(original)]
        elif not is_graph(original):
            freeze_alike(original, copy)


def _holds(model: Operation, layer: Operation) -> bool:
    return any(one is layer for one in all_layers(model))
