"""Carry out an edit on a clone: rebuild the graph, carry the weights, compile as before."""

import keras

from gengap.keras_models.clone import carry_weights, compile_like
from gengap.keras_models.rebuild import Operation, Rebuild, copy_operation
from gengap.remedies.base import Edit, Model


def perform(edit: Edit, model: Model) -> tuple[Model, list[tuple[str, str]]]:
    """Return the treated, compiled clone, and path and shapes of every weight that could not be carried over."""

    def replace(operation: Operation) -> Operation:
        return copy_operation(operation, edit.configs.get(id(operation)))

    rebuilt = Rebuild(replace, edit.follow, edit.skip)(model)
    before, after = (keras.tree.map_structure(lambda tensor: tensor.shape, m.outputs) for m in (model, rebuilt.model))
    if before != after:
        raise ValueError(f"its outputs of shape {before} would have shape {after}.")
    fresh = carry_weights(rebuilt.pairs)
    compile_like(rebuilt.model, model, rebuilt.pairs, edit=edit.compile)
    if edit.finish is not None:
        edit.finish(rebuilt.model, rebuilt.pairs)
    return rebuilt.model, fresh
