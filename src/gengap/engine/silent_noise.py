"""Models that differ in noise layers alone, as one program: where one has no noise, there is noise of strength zero.

Small stacks spend their time on calling torch, so that two programs of ten runs cost nearly twice what one of twenty
does; and runs that are held against each other can be halted only where they train together.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
from keras import tree

from gengap.engine.signatures import describe_step
from gengap.keras_models.graph import Graph, Slot, Step, read_graph
from gengap.keras_models.initial_weights import identified_layers
from gengap.keras_models.noise_kinds import strength_of
from gengap.keras_models.private import all_layers, is_keras_own, operation_of
from gengap.layers.noise import FUSED_NOISE

Places = tuple[int | None, ...]
"""For every step of a graph, the place of the same step in a graph with less noise; None where that has none."""


def places_in(model: keras.Model, noisier: keras.Model) -> Places | None:
    """Return where each step of a model stands in another one that has the same steps and more noise.

    Noise on the inputs of a model does not count, since it would make sparse rows dense for all; nor on its outputs,
    which say how it is read; nor what parts layers that are fastest as one, see `gengap.layers.blocks`.

    Args:
        model: A built model.
        noisier: Another one.

    Returns:
        One place for each step of `noisier`; None where the models differ in anything else.
    """
    small, large = read_graph(model), read_graph(noisier)
    if len(small.inputs) != len(large.inputs) or len(small.steps) >= len(large.steps):
        return None
    names = {id(layer): name for one in (model, noisier) for name, layer in identified_layers(one)}
    position = {id(weight): place for one in (model, noisier) for place, weight in enumerate(one.weights)}
    alias = dict(zip(large.inputs, small.inputs, strict=True))
    found: list[int | None] = []
    rest = list(small.steps)
    for step in large.steps:
        if rest and _same(rest[0], step, alias, names) and _weights(rest[0], position) == _weights(step, position):
            alias |= zip(step.outputs, rest[0].outputs, strict=True)
            found.append(rest.pop(0).index)
        elif _may_be_silent(step, large):
            alias[step.outputs[0]] = alias[step.args[0]]
            found.append(None)
        else:
            return None
    return None if rest or _renamed(large.outputs, alias) != small.outputs else tuple(found)


def with_silent_noise(graph: Graph, noisier: Graph, places: Places) -> Graph:
    """Return the graph of a model with noise of strength zero wherever another has noise and it has none.

    Args:
        graph: The model's graph.
        noisier: The graph of a model with more noise.
        places: What `places_in` gave for these models, or for those that they are clones of.
    """
    steps = [
        replace(step, operation=_silent(step.operation) if place is None else graph.steps[place].operation)
        for step, place in zip(noisier.steps, places, strict=True)
    ]
    return replace(noisier, model=graph.model, steps=tuple(steps))


def graphs_together(models: Sequence[Any], originals: Sequence[Any]) -> list[Graph]:
    """Return the graph of each run's model, all with the same steps: those of the one that has most.

    Args:
        models: The engine's clone of the model of each run; runs of a variant share theirs.
        originals: What they are clones of, by which it was found that they may train together.
    """
    clones = {id(one): one for one in models}
    graphs = {key: read_graph(clone) for key, clone in clones.items()}
    original = dict(zip(map(id, models), originals, strict=True))
    noisiest = max(graphs, key=lambda key: len(graphs[key].steps))
    like = graphs[noisiest]
    for key, graph in graphs.items():
        if len(graph.steps) < len(like.steps):
            places = places_in(original[key], original[noisiest])
            assert places is not None  # noqa: S101  of the models of a cohort each has all noise that the next has
            graphs[key] = with_silent_noise(graph, like, places)
    return [graphs[id(model)] for model in models]


def _same(own: Step, step: Step, alias: dict[Slot, Slot], names: dict[int, str]) -> bool:
    """Tell whether two steps of different models are the same one, noise keys and lost masks included."""
    if len(own.outputs) != len(step.outputs) or _identities(own, names) != _identities(step, names):
        return False
    args, kwargs = _renamed((step.args, step.kwargs), alias)
    lost = frozenset(alias[slot] for slot in step.lost)
    return lost == own.lost and describe_step(replace(step, args=args, kwargs=kwargs, outputs=own.outputs)) == (
        describe_step(own)
    )


def _identities(step: Step, names: dict[int, str]) -> list[str | None]:
    """Return what the layers of a step are called in keys; of noise that is off, as attention holds, nobody asks."""
    layers = all_layers(step.operation) if isinstance(step.operation, keras.Layer) else []
    return ["" if layer is not step.operation and _is_off(layer) else names.get(id(layer)) for layer in layers]


def _is_off(layer: Any) -> bool:
    return type(layer).__name__ in FUSED_NOISE and is_keras_own(layer) and strength_of(layer) == 0.0


def _weights(step: Step, position: dict[int, int]) -> list[int]:
    """Return where the weights of a step stand in its model, whose layers noise may put into another order."""
    return [position[id(weight)] for weight in getattr(step.operation, "weights", ())]


def _renamed(structure: Any, alias: dict[Slot, Slot]) -> Any:
    return tree.map_structure(lambda leaf: alias[leaf] if isinstance(leaf, Slot) else leaf, structure)


def _may_be_silent(step: Step, graph: Graph) -> bool:
    """Tell whether a step is a noise layer that hands its input on as it is where its strength is zero."""
    layer = step.operation
    plain = type(layer).__name__ in FUSED_NOISE and is_keras_own(layer) and layer.activity_regularizer is None
    if not plain or step.kwargs or len(step.args) != 1 or not isinstance(step.args[0], Slot):
        return False
    once = sum(one.operation is layer for one in graph.steps) == 1
    inside = step.args[0] not in graph.inputs and step.outputs[0] not in graph.output_slots()
    return once and inside and layer.input.dtype == layer.compute_dtype and not _parts_a_block(layer)


def _parts_a_block(layer: Any) -> bool:
    """Tell whether noise stands right behind a convolution that is computed together with its pooling."""
    before = operation_of(layer.input)
    while isinstance(before, keras.layers.Activation | keras.layers.ReLU):
        before = operation_of(before.input)
    return isinstance(before, keras.layers.Conv2D) and not isinstance(layer, keras.layers.SpatialDropout2D)


def _silent(layer: Any) -> Any:
    strength = "stddev" if "stddev" in layer.get_config() else "rate"
    return type(layer).from_config({**layer.get_config(), strength: 0.0})
