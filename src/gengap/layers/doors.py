"""The three doors through which an operation sees K runs at once: join, fuse, loop."""

import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import keras
import torch
from keras import tree

from gengap.keras_models.graph import Step
from gengap.keras_models.private import mask_of, put_mask
from gengap.layers.moment import INFERENCE, Moment
from gengap.layers.stack import Stack
from gengap.randomness import key

if TYPE_CHECKING:
    from gengap.layers.noise_keys import NoiseKeys


@dataclass(frozen=True, eq=False)
class StackedTensor:
    """A value of all runs, `(K, B, ...)`.

    The class tells activations from constants among a node's arguments, which look like tensors too.

    Attributes:
        value: The value.
        mask: The mask that Keras would attach to the value, `(K, B, ...)`; None where there is none. Layers read it
            there (attention, pooling, recurrent layers), and the graph's nodes show only some of these readings.
    """

    value: torch.Tensor
    mask: torch.Tensor | None = None

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Return a tensor for Keras' code made of this value, with the mask made of this mask on it."""
        result = function(self.value)
        if self.mask is not None:
            put_mask(result, function(self.mask))
        return result


@dataclass(frozen=True, eq=False)
class SparseProduct:
    """Sparse rows times the kernel of a first Dense layer, without bias and activation, `(K, B, units)`: its input."""

    product: torch.Tensor


NoiseDraw = Callable[["PassContext"], torch.Tensor]
"""Draws the numbers of one noise layer at the moment of a pass, one row per seed."""


@dataclass(eq=False)
class PassContext:
    """Mode and moment of one forward pass through the graph.

    Attributes:
        training: Whether noise is on and batch statistics are used.
        epoch: Epoch, from 1.
        step: Step within the epoch, or number of the batch in a prediction, from 1.
        extra_losses: What layers add to the objective of each run (activity penalties, `add_loss`), each `(K,)`.
        noise: Draws the noise in place of the layers: for a step that is recorded, or played back.
        calls: How often each noise was met in the pass of each run whose layers are called alone.
    """

    training: bool
    epoch: int = 1
    step: int = 1
    extra_losses: list[torch.Tensor] = field(default_factory=list)
    noise: Callable[[NoiseDraw, "PassContext"], torch.Tensor] | None = None
    calls: dict[int, Counter[str]] = field(default_factory=dict)

    def drawn(self, draw: NoiseDraw) -> torch.Tensor:
        """Return the noise that a layer draws."""
        return draw(self) if self.noise is None else self.noise(draw, self)

    def moment(self, run: int, seed: int) -> Moment:
        """Return this pass as one of the runs lives it."""
        epoch = self.epoch if self.training else INFERENCE
        return Moment(seed, epoch, self.step, self.calls.setdefault(run, Counter()))


@dataclass(frozen=True, eq=False)
class StackedNode:
    """One node of the graph, which is one call of an operation, in all K runs.

    Attributes:
        step: The node's step of the graph, as the first run's model has it.
        operations: Each run's own operation at this step. Runs of one variant share theirs.
        weights: Indices of the operation's weights in the stack, in the order of `operation.weights`.
        seeds: Seed of each run.
        identity: What the layer is called in keys: class, ordinal within the class, occurrence in the graph.
        noises: The noise of each run's model.
        stack: The weights of all runs.
    """

    step: Step
    operations: Sequence[Any]
    weights: Sequence[int]
    seeds: Sequence[int]
    identity: str
    noises: Sequence["NoiseKeys"]
    stack: Stack

    @property
    def operation(self) -> Any:
        """The operation of the first run; equal to the others' but for its strengths."""
        return self.operations[0]

    @property
    def different(self) -> list[Any]:
        """The operations of the runs, each once: penalties may differ between those of a cohort."""
        return list({id(one): one for one in self.operations}.values())

    def weight(self, variable: Any) -> torch.Tensor:
        """Return the stacked values of one of the first run's variables: `(K, *shape)`."""
        own = [id(weight) for weight in self.operation.weights]
        return self.stack.values[self.weights[own.index(id(variable))]]

    def inside(self, read: Callable[[Any], Any]) -> "StackedNode":
        """Return a layer inside the operation as a node, met whenever the operation is."""
        layers = [read(operation) for operation in self.operations]
        own = [id(weight) for weight in self.operation.weights]
        weights = [self.weights[own.index(id(weight))] for weight in layers[0].weights]
        identity = f"{self.noises[0].identity(layers[0])}/{self.identity.rpartition('/')[2]}"
        return StackedNode(self.step, layers, weights, self.seeds, identity, self.noises, self.stack)

    def strengths(self, read: Callable[[Any], float]) -> torch.Tensor:
        """Return one number of each run's operation, `(K,)` float32."""
        return torch.tensor([float(read(operation)) for operation in self.operations], device=self.stack.device)

    def keys(self, seeds: Sequence[int], epoch: int, step: int) -> list[int]:
        """Return the key of this node's noise for each of some seeds."""
        return [key(seed, "noise", self.identity, epoch, step) for seed in seeds]


class Door(ABC):
    """How one step of the graph is computed for all runs."""

    name: str

    def __init__(self, node: StackedNode) -> None:
        self.node = node

    @abstractmethod
    def __call__(self, context: PassContext, *args: Any, **kwargs: Any) -> Any:
        """Return the operation's result for arguments that hold `StackedTensor` values."""


class Join(Door):
    """All runs' samples as one long batch, through Keras' own code."""

    name = "join"

    def __call__(self, context: PassContext, *args: Any, **kwargs: Any) -> Any:
        """Call the operation once on `(K*B, ...)`."""
        leaves = stacked_leaves((args, kwargs))
        num_runs = leaves[0].value.shape[0]
        args, kwargs = map_stacked(lambda value: value.flatten(0, 1), (args, kwargs))
        if self.node.step.takes_training:
            kwargs["training"] = context.training
        with quiet(leaves):
            result = self.node.operation(*args, **kwargs)

        def apart(value: torch.Tensor) -> torch.Tensor:
            return value.reshape(num_runs, -1, *value.shape[1:])

        return tree.map_structure(lambda value: stacked(apart(value), [value], lambda masks: apart(masks[0])), result)


class Map(Door):
    """The operation of one run under torch's `vmap`: all runs at once, and each sees its own batch alone."""

    name = "map"

    def __call__(self, context: PassContext, *args: Any, **kwargs: Any) -> Any:
        """Call the operation once, on what looks like the batch of one run."""
        mode = {"training": context.training} if self.node.step.takes_training else {}
        values = [leaf.value for leaf in stacked_leaves((args, kwargs))]
        return tree.map_structure(
            StackedTensor, torch.vmap(of_one_run(self.node.operation, args, kwargs, mode))(*values)
        )


class Loop(Door):
    """One call per run, of the run's own layer object, with its slice of the weights: slower, never wrong."""

    name = "loop"
    draws_in_inference = False

    def __call__(self, context: PassContext, *args: Any, **kwargs: Any) -> Any:
        """Call the operation of every run and stack the results."""
        values = [self.node.stack.values[place].unbind(0) for place in self.node.weights]
        results, losses, leaves = [], [], stacked_leaves((args, kwargs))
        for k, operation in enumerate(self.node.operations):
            result, scope, _ = self._alone(k, context, values, (args, kwargs))
            results.append(result)
            losses.append(sum(map(keras.ops.sum, scope.losses), torch.zeros((), device=leaves[0].value.device)))
            self._store_changes(operation, scope, k)
        context.extra_losses.append(torch.stack(losses))
        return tree.map_structure(lambda *parts: stacked(torch.stack(parts), parts, torch.stack), *results)

    def draws(self, args: Any, kwargs: Any, *, training: bool) -> bool:
        """Tell whether the operation draws random numbers, by calling it for the first run; nothing is kept."""
        values = [self.node.stack.values[place].unbind(0) for place in self.node.weights]
        with torch.no_grad():
            return self._alone(0, PassContext(training=training), values, (args, kwargs), watch=True)[2]

    def _alone(
        self,
        k: int,
        context: PassContext,
        values: Sequence[Sequence[torch.Tensor]],
        arguments: Any,
        *,
        watch: bool = False,
    ) -> tuple[Any, keras.StatelessScope, bool]:
        """Call the operation of one run; return its result, where its changes went, whether it drew (if asked)."""
        operation, noise = self.node.operations[k], self.node.noises[k]
        args, kwargs = map_stacked(itemgetter(k), arguments)
        if self.node.step.takes_training:
            kwargs["training"] = context.training
        moment = context.moment(k, self.node.seeds[k])
        states = noise.states(operation, moment)
        scope = keras.StatelessScope([*self._weights_of(operation, values, k), *states], collect_losses=True)
        with noise.keyed(operation, moment), scope, quiet(stacked_leaves(arguments)):
            result = operation(*args, **kwargs)
            drew = watch and noise.has_drawn(operation, moment, states, scope)
        return result, scope, drew

    def _weights_of(
        self, operation: keras.Operation, values: Sequence[Sequence[torch.Tensor]], k: int
    ) -> Iterable[tuple[Any, torch.Tensor]]:
        if not values:
            return
        for weight, place, value in zip(operation.weights, self.node.weights, values, strict=True):
            # what a layer assigns to while it is called must not be a view of what autograd has seen
            yield weight, value[k] if self.node.stack.trainable[place] else value[k].detach().clone()

    def _store_changes(self, operation: keras.Operation, scope: keras.StatelessScope, k: int) -> None:
        if not self.node.weights:
            return
        for weight, place in zip(operation.weights, self.node.weights, strict=True):
            if not self.node.stack.trainable[place]:
                self.node.stack.values[place][k] = scope.get_current_value(weight).detach()


def of_one_run(operation: keras.Operation, args: Any, kwargs: Any, mode: Mapping[str, bool]) -> Callable[..., Any]:
    """Return an operation as a function of one run's tensors among its arguments, each mask behind its value."""

    def compute(*values: torch.Tensor) -> Any:
        remaining = iter(values)
        own_args, own_kwargs = map_stacked(lambda _: next(remaining), (args, kwargs))
        return operation(*own_args, **own_kwargs, **mode)

    return compute


def stacked_leaves(structure: Any) -> list[StackedTensor]:
    """Return the stacked values of some arguments, in order."""
    return [leaf for leaf in tree.flatten(structure) if isinstance(leaf, StackedTensor)]


def map_stacked(function: Callable[[torch.Tensor], torch.Tensor], structure: Any) -> Any:
    """Replace every stacked value of some arguments, and the mask on it; all else stays as it is."""
    return tree.map_structure(lambda leaf: leaf.map(function) if isinstance(leaf, StackedTensor) else leaf, structure)


def stacked(
    value: torch.Tensor, parts: Sequence[Any], combine: Callable[[list[torch.Tensor]], torch.Tensor]
) -> StackedTensor:
    """Return a value of all runs with what `combine` makes of the masks on the tensors that it was made of."""
    masks = [mask for part in parts if (mask := mask_of(part)) is not None]
    return StackedTensor(value, combine(masks)) if masks else StackedTensor(value)


def quiet(leaves: Sequence[StackedTensor]) -> AbstractContextManager[Any]:
    """Keep Keras from saying at every step what it said when the model was built: that a layer destroys a mask."""
    if all(leaf.mask is None for leaf in leaves):
        return nullcontext()
    return _without_mask_warnings()


@contextmanager
def _without_mask_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*was passed an input with a mask attached to it")
        yield
