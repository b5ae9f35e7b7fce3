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
    own, its = _Places(model), _Places(noisier)
    alias = dict(zip(large.inputs, small.inputs, strict=True))
    found: list[int | None] = []
    rest = list(small.steps)
    for step in large.steps:
        if rest and own.of(rest[0]) == its.of(step) and _same(rest[0], step, alias):
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


class _Places:
    """Where the layers and weights of a model stand in it; models may share them."""

    def __init__(self, model: keras.Model) -> None:
        self._names = {id(layer): name for name, layer in identified_layers(model)}
        self._weights = {id(weight): place for place, weight in enumerate(model.weights)}

    def of(self, step: Step) -> tuple[list[str | None], list[int]]:
        """Return what the layers of a step are called in keys, and where its weights stand.

        Nobody asks what noise is called that is off, as attention holds it. Weights stand in the order of their layers'
        depths, which noise in a branch may change.
        """
        operation = step.operation
        layers = all_layers(operation) if isinstance(operation, keras.Layer) else []
        names = ["" if one is not operation and _is_off(one) else self._names.get(id(one)) for one in layers]
        return names, [self._weights[id(weight)] for weight in getattr(operation, "weights", ())]


def _same(own: Step, step: Step, alias: dict[Slot, Slot]) -> bool:
    """Tell whether two steps of different models do the same, what they make of masks included."""
    if len(own.outputs) != len(step.outputs):
        return False
    args, kwargs = _renamed((step.args, step.kwargs), alias)
    lost = frozenset(alias[slot] for slot in step.lost)
    return lost == own.lost and describe_step(replace(step, args=args, kwargs=kwargs, outputs=own.outputs)) == (
        describe_step(own)
    )


def _is_off(layer: Any) -> bool:
    return type(layer).__name__ in FUSED_NOISE and is_keras_own(layer) and strength_of(layer) == 0.0


def _renamed(structure: Any, alias: dict[Slot, Slot]) -> Any:
    return tree.map_structure(lambda leaf: alias[leaf] if isinstance(leaf, Slot) else leaf, structure)


def _may_be_silent(step: Step, graph: Graph) -> bool:
    """Tell whether a step is a noise layer that hands its input on as it is where its strength is zero.

    It casts what it is given to its own number format. That is the input's where a layer of Keras' makes it, in the
    precision of a study as in the model's own; an operation, or a layer that makes an output, keeps another.
    """
    layer = step.operation
    plain = type(layer).__name__ in FUSED_NOISE and is_keras_own(layer) and layer.activity_regularizer is None
    if not plain or step.kwargs or len(step.args) != 1 or not isinstance(step.args[0], Slot):
        return False
    once = sum(one.operation is layer for one in graph.steps) == 1
    inside = not {step.args[0], step.outputs[0]} & set(graph.output_slots())
    before = next((one.operation for one in graph.steps if step.args[0] in one.outputs), None)
    cast = before is None or not _computes_in_its_format(before) or layer.input.dtype != layer.compute_dtype
    return once and inside and not cast and not _parts_a_block(layer)


def _computes_in_its_format(operation: Any) -> bool:
    """Tell whether a result has the compute format of what made it: a layer of Keras' own with nothing else inside."""
    layers = all_layers(operation) if isinstance(operation, keras.Layer) else []
    return bool(layers) and all(is_keras_own(one) and not isinstance(one, keras.layers.Lambda) for one in layers)


def _parts_a_block(layer: Any) -> bool:
    """Tell whether noise stands right behind a convolution that is computed together with its pooling."""
    before = operation_of(layer.input)
    while isinstance(before, keras.layers.Activation | keras.layers.ReLU):
        before = operation_of(before.input)
    return isinstance(before, keras.layers.Conv2D) and not isinstance(layer, keras.layers.SpatialDropout2D)


def _silent(layer: Any) -> Any:
    strength = "stddev" if "stddev" in layer.get_config() else "rate"
    return type(layer).from_config({**layer.get_config(), strength: 0.0})
