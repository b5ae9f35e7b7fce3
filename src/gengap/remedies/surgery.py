"""Carry out a plan on a clone: rebuild the graph, carry the weights, compile as before."""

import keras

from gengap.keras_models.clone import carry_weights, compile_like
from gengap.keras_models.rebuild import Operation, Rebuild, copy_operation
from gengap.remedies.base import Model, Plan


def perform(plan: Plan, model: Model) -> tuple[Model, list[tuple[str, str]]]:
    """Return the treated, compiled clone, and path and shapes of every weight that could not be carried over."""

    def replace(operation: Operation) -> Operation:
        return copy_operation(operation, plan.configs.get(id(operation)))

    rebuilt = Rebuild(replace, plan.follow, plan.skip)(model)
    before, after = (keras.tree.map_structure(lambda tensor: tensor.shape, m.outputs) for m in (model, rebuilt.model))
    if before != after:
        raise ValueError(f"its outputs of shape {before} would have shape {after}.")
    fresh = carry_weights(rebuilt.pairs)
    compile_like(rebuilt.model, model, rebuilt.pairs, edit=plan.compile)
    if plan.finish is not None:
        plan.finish(rebuilt.model, rebuilt.pairs)
    return rebuilt.model, fresh
