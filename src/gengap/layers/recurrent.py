"""Recurrent layers of K runs, in both directions: compiled where Numba is, else one loop over time for all of them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, final

import keras
import torch

from gengap.kernels.compiled_recurrence import GRU, LSTM, is_compiled, recur
from gengap.kernels.recurrence import GatedRecurrentUnit, LongShortTermMemory
from gengap.layers.activations import ELEMENTWISE
from gengap.layers.base import torch_dtype
from gengap.layers.dense import stacked_matmul
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor
from gengap.layers.recurrent_noise import Factors, RecurrentDropout


class Recurrence:
    """One recurrent layer of all runs, `(K, B, T, features)` to all its states.

    Args:
        node: The node of the layer, or of the layer that holds it.
        layer: The first run's LSTM, GRU or SimpleRNN.
    """

    def __init__(self, node: StackedNode, layer: keras.Layer) -> None:
        self._node, self.layer, self._cell = node, layer, layer.cell

    def __call__(self, x: torch.Tensor, mask: torch.Tensor | None, noise: Factors) -> torch.Tensor:
        """Return outputs `(K, B, T, units)`, or `(K, B, units)` where the layer returns the last one.

        Args:
            x: Inputs in the compute dtype.
            mask: Which steps count, `(K, B, T)`, or None.
            noise: The dropout of this pass.
        """
        if noise.inputs is not None and noise.inputs.shape[1] == 1:  # one mask for all gates
            x, noise = x * noise.inputs.transpose(1, 2), Factors(states=noise.states)
        kind = self._kind()
        if kind is not None and is_compiled(x) and noise.inputs is None and noise.states is None:
            return self._compiled(x, mask, kind)
        over_time = x.transpose(1, 2)
        kept = None if mask is None else mask.bool().transpose(1, 2).unsqueeze(-1)
        if self.layer.go_backwards:
            over_time, kept = over_time.flip(1), None if kept is None else kept.flip(1)
        states = self._states(over_time, kept, noise)
        if kept is not None and self.layer.zero_output_for_mask:
            states = torch.where(kept, states, torch.zeros_like(states))
        return states.transpose(1, 2) if self.layer.return_sequences else states[:, -1]

    def _kind(self) -> int | None:
        """Return which kind of cell compiled code would take the layer for; None where it has none."""
        if not self._is_standard():
            return None
        name = type(self.layer).__name__
        return LSTM if name == "LSTM" else GRU if name == "GRU" and self._cell.reset_after else None

    def _compiled(self, x: torch.Tensor, mask: torch.Tensor | None, kind: int) -> torch.Tensor:
        kernel, recurrent, bias = self._weight("kernel"), self._weight("recurrent_kernel"), self._weight("bias")
        assert kernel is not None  # noqa: S101  a built cell has its kernels
        assert recurrent is not None  # noqa: S101
        inner = None
        if kind == GRU and bias is not None:
            bias, inner = bias.unbind(1)
        backwards, sequences = self.layer.go_backwards, self.layer.return_sequences
        kept = None if mask is None else mask.bool()
        states = recur(x, (kernel, recurrent, bias, inner), kept, kind=kind, reverse=backwards, only_last=not sequences)
        if kept is not None and self.layer.zero_output_for_mask:
            counts = kept.unsqueeze(-1) if sequences else kept[:, :, 0 if backwards else -1].unsqueeze(-1)
            states = torch.where(counts, states, torch.zeros_like(states))
        return states.flip(2) if sequences and backwards else states

    def _weight(self, name: str) -> torch.Tensor | None:
        variable = getattr(self._cell, name)
        return None if variable is None else self._node.weight(variable).to(torch_dtype(self.layer.compute_dtype))

    def _states(self, x: torch.Tensor, mask: torch.Tensor | None, noise: Factors) -> torch.Tensor:
        """Return the states after every step, `(K, T, B, units)`, for inputs `(K, T, B, features)`."""
        kernel, recurrent, bias = self._weight("kernel"), self._weight("recurrent_kernel"), self._weight("bias")
        assert kernel is not None  # noqa: S101  a built cell has its kernels
        assert recurrent is not None  # noqa: S101
        kind = type(self.layer).__name__
        inner_bias = None
        if kind == "GRU" and bias is not None and self._cell.reset_after:
            bias, inner_bias = bias.unbind(1)
        projected = _projected(x, kernel, bias, noise.inputs)
        if noise.states is not None:
            result = self._step_by_step(projected, recurrent, inner_bias, mask, noise.states)
        elif kind == "LSTM" and self._is_standard():
            result = LongShortTermMemory.apply(projected, recurrent, mask)  # type: ignore[no-untyped-call]
        elif kind == "GRU" and self._cell.reset_after and self._is_standard():
            result = GatedRecurrentUnit.apply(projected, recurrent, inner_bias, mask)  # type: ignore[no-untyped-call]
        else:
            result = self._step_by_step(projected, recurrent, inner_bias, mask)
        states: torch.Tensor = result
        return states

    def _is_standard(self) -> bool:
        gate = getattr(self._cell, "recurrent_activation", None)
        return self._cell.activation is keras.activations.tanh and gate is keras.activations.sigmoid

    def _step_by_step(
        self,
        projected: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        mask: torch.Tensor | None,
        factors: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Go through time by Keras' own formulas and torch's differentiation.

        For other activations, SimpleRNN, and states of which a part is dropped.
        """
        step = {"LSTM": self._lstm, "GRU": self._gru, "SimpleRNN": self._simple}[type(self.layer).__name__]
        recurrent = _Product(kernel, factors)
        zeros = projected.new_zeros(projected.shape[0], projected.shape[2], kernel.shape[1])
        states, outputs = (zeros, zeros), []
        for t, z in enumerate(projected.unbind(1)):
            new = step(z, states, recurrent, bias)
            if mask is not None:
                new = tuple(torch.where(mask[:, t], after, before) for after, before in zip(new, states, strict=True))
            states = new
            outputs.append(states[0])
        return torch.stack(outputs, dim=1)

    def _lstm(self, z: torch.Tensor, states: Any, recurrent: "_Product", _: Any) -> Any:
        act, gate = self._cell.activation, self._cell.recurrent_activation
        i, f, g, o = recurrent(z, states[0]).chunk(4, dim=-1)
        c = gate(f) * states[1] + gate(i) * act(g)
        return gate(o) * act(c), c

    def _gru(self, x: torch.Tensor, states: Any, recurrent: "_Product", bias: torch.Tensor | None) -> Any:
        act, gate, units = self._cell.activation, self._cell.recurrent_activation, states[0].shape[-1]
        x_gates, x_candidate = torch.split(x, [2 * units, units], dim=-1)
        if self._cell.reset_after:
            own = x.new_zeros(()) if bias is None else bias.unsqueeze(1)
            inner = recurrent(own.expand(x.shape), states[0])
            z, r = gate(x_gates + inner[..., : 2 * units]).chunk(2, dim=-1)
            candidate = act(x_candidate + r * inner[..., 2 * units :])
        else:
            z, r = gate(recurrent(x_gates, states[0], (0, 2))).chunk(2, dim=-1)
            candidate = act(recurrent(x_candidate, states[0], (2, 3), r))
        h = z * states[0] + (1 - z) * candidate
        return h, h

    def _simple(self, z: torch.Tensor, states: Any, recurrent: "_Product", _: Any) -> Any:
        h = self._cell.activation(recurrent(z, states[0]))
        return h, h


class _Product:
    """Products of states and a recurrent kernel, gate by gate where each gate sees other parts of the state.

    Args:
        kernel: `(K, units, gates * units)`.
        factors: What the state is multiplied by, `(K, 1 or gates, B, units)`; None for one.
    """

    def __init__(self, kernel: torch.Tensor, factors: torch.Tensor | None) -> None:
        self._kernel, self._factors = kernel, factors

    def __call__(
        self,
        onto: torch.Tensor,
        state: torch.Tensor,
        gates: tuple[int, int] = (0, 4),
        reset: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the inputs' part of some gates plus their products, `(K, B, gates * units)`.

        Args:
            onto: The inputs' part.
            state: The state, `(K, B, units)`.
            gates: First of the gates, and the one behind the last.
            reset: What the state is multiplied by besides.
        """
        units = state.shape[-1]
        state = state if reset is None else state * reset
        kernel = self._kernel[..., gates[0] * units : gates[1] * units]
        if self._factors is None:
            return torch.baddbmm(onto, state, kernel)
        factors = self._factors[:, gates[0] : gates[1]] if self._factors.shape[1] > 1 else self._factors
        return onto + _by_gates(state.unsqueeze(1) * factors, torch.unflatten(kernel, -1, (-1, units)))


def _projected(
    x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, factors: torch.Tensor | None
) -> torch.Tensor:
    """Return the inputs' part of all gates, `(K, T, B, gates * units)`, for inputs `(K, T, B, features)`."""
    if factors is None:
        return stacked_matmul(x, kernel, bias)
    gates = factors.shape[1]
    masked = x.unsqueeze(1) * factors.unsqueeze(2)  # (K, gates, T, B, features)
    flat = _by_gates(masked.flatten(2, 3), torch.unflatten(kernel, -1, (gates, -1)))
    result = torch.unflatten(flat, 1, tuple(x.shape[1:3]))
    return result if bias is None else result + bias[:, None, None]


def _by_gates(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Multiply `(K, gates, N, features)` by `(K, features, gates, units)`, gate by gate; `(K, N, gates * units)`."""
    return torch.matmul(x, kernel.transpose(1, 2)).transpose(1, 2).flatten(2)


class RecurrentDoor(Door):
    """Recurrent layers, which read the mask on their input."""

    name = "fuse"

    @classmethod
    @abstractmethod
    def fits(cls, node: StackedNode) -> bool:
        """Tell whether the kernel can do this layer as it is configured."""

    @classmethod
    @abstractmethod
    def layers(cls, operation: keras.Operation) -> Sequence[Any]:
        """Return the recurrent layers of one run's operation."""

    @abstractmethod
    def merge(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the layer's output for what its recurrent layers give."""

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._recurrences = [Recurrence(node, layer) for layer in self.layers(node.operation)]
        self._dropout = RecurrentDropout(node, [self.layers(operation) for operation in node.operations])

    @staticmethod
    def pays_alone(x: torch.Tensor) -> bool:
        """Tell whether it is faster than Keras' own code for one run: compiled it is, on a card cuDNN is."""
        return is_compiled(x)

    @property
    def width(self) -> int:
        """How many numbers a step of a case takes while it is computed: the gates and states of all layers."""
        return sum(8 * one.layer.units for one in self._recurrences)

    @final
    def __call__(self, context: PassContext, *args: Any, mask: StackedTensor | None = None, **_: Any) -> Any:
        """Go through time, and hand on the mask where all steps are returned."""
        layer, x = self.node.operation, args[0]
        heeded = x.mask if mask is None else mask.value  # a mask that the graph shows is not attached
        values = x.value.to(torch_dtype(layer.compute_dtype))
        noises = self._dropout.factors(values, context)
        result = self.merge([one(values, heeded, noise) for one, noise in zip(self._recurrences, noises, strict=True)])
        return StackedTensor(result, x.mask if layer.return_sequences else None)


class FusedRecurrent(RecurrentDoor):
    """LSTM, GRU or SimpleRNN of all runs."""

    @classmethod
    def layers(cls, operation: keras.Operation) -> Sequence[Any]:
        """Return the layer itself."""
        return [operation]

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """States that are kept or returned take the slow door."""
        return all(_fits(layer) for layer in node.operations)

    def merge(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the states."""
        return states[0]


class FusedBidirectional(RecurrentDoor):
    """Two recurrent layers over the same sequence, from both ends."""

    @classmethod
    def layers(cls, operation: keras.Operation) -> Sequence[Any]:
        """Return both directions."""
        return [operation.forward_layer, operation.backward_layer]

    @classmethod
    def fits(cls, node: StackedNode) -> bool:
        """Both layers must have a kernel, and their outputs must become one."""
        kinds = {keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN}
        return all(
            operation.merge_mode is not None and all(type(one) in kinds and _fits(one) for one in cls.layers(operation))
            for operation in node.operations
        )

    def merge(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the merged outputs of all runs."""
        layer = self.node.operation
        forward, backward = states
        backward = backward.flip(2) if layer.return_sequences else backward
        if layer.merge_mode == "concat":
            return torch.cat([forward, backward], dim=-1)
        if layer.merge_mode == "mul":
            return forward * backward
        total = forward + backward
        return total / 2 if layer.merge_mode == "ave" else total


def _fits(layer: keras.Layer) -> bool:
    cell = layer.cell
    functions = [cell.activation, *([cell.recurrent_activation] if hasattr(cell, "recurrent_activation") else [])]
    return (
        not (layer.stateful or layer.return_state)
        and 1.0 not in {cell.dropout, cell.recurrent_dropout}  # Keras drops nothing then, but in SimpleRNN
        and not (layer.unroll and layer.go_backwards)  # Keras 3.15 turns the mask of such a layer round twice
        and layer.activity_regularizer is None
        and layer.compute_dtype == cell.compute_dtype
        and all(getattr(keras.activations, getattr(f, "__name__", ""), None) is f for f in functions)
        and all(f.__name__ in ELEMENTWISE for f in functions)
    )


FUSED_RECURRENT: dict[str, type[RecurrentDoor]] = {
    "LSTM": FusedRecurrent,
    "GRU": FusedRecurrent,
    "SimpleRNN": FusedRecurrent,
    "Bidirectional": FusedBidirectional,
}
