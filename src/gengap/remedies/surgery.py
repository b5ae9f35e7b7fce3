"""Carry out a plan on a clone: rebuild the graph, carry the weights, compile as before."""

from typing import Any

from gengap.remedies.base import Model, Plan
from gengap.remedies.clone import carry_weights, compile_like
from gengap.remedies.graph import Operation, Rebuild, copy_operation


def perform(plan: Plan, model: Model) -> tuple[Model, list[tuple[str, str]]]:
    """Return the treated, compiled clone, and path and shapes of every weight that could not be carried over."""

    def replace(operation: Operation) -> Operation:
        config: dict[str, Any] | None = plan.configs.get(id(operation))
        return copy_operation(operation) if config is None else type(operation).from_config(config)

    rebuilt = Rebuild(replace, plan.follow, plan.skip)(model)
    fresh = carry_weights(rebuilt.pairs)
    compile_like(rebuilt.model, model, rebuilt.pairs, edit=plan.compile)
    if plan.finish is not None:
        plan.finish(rebuilt.model, rebuilt.pairs)
    return rebuilt.model, fresh
