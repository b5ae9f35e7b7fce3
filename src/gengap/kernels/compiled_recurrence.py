"""Recurrent layers of K runs by compiled code: a group of cases goes through all steps in a core's own cache."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from gengap.kernels.compiled_code import LANES, compiled_code
from gengap.kernels.crew import share_out

LSTM, GRU = 4, 3
"""Kinds of cells, as their number of gates."""


def is_compiled(x: torch.Tensor) -> bool:
    """Tell whether compiled code can take these inputs: float32 on a CPU, where Numba is."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and compiled_code("recurrence_code") is not None


def recur(
    x: torch.Tensor,
    weights: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None],
    mask: torch.Tensor | None,
    *,
    kind: int,
    reverse: bool,
    only_last: bool,
) -> torch.Tensor:
    """Return the states after every step in the order of the inputs, `(K, B, T, units)`, or the last, `(K, B, units)`.

    Args:
        x: Inputs, `(K, B, T, features)`.
        weights: Kernel `(K, features, kind * units)`, recurrent kernel `(K, units, kind * units)`, bias and a GRU's
            inner bias `(K, kind * units)`, or None.
        mask: Which steps count, `(K, B, T)` bool; None for all.
        kind: `LSTM`, or `GRU` that resets after the product.
        reverse: Whether the last step comes first.
        only_last: Whether only the state after all steps is wanted.
    """
    units = weights[1].shape[1]
    kernel, recurrent, bias, inner = (None if one is None else _padded(one, kind, units) for one in weights)
    recurrent = functional.pad(recurrent, (0, 0, 0, -units % LANES))  # type: ignore[arg-type]
    states: torch.Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        x, kernel, recurrent, bias, inner, mask, kind, reverse, only_last
    )
    states = states[..., :units]
    return states.squeeze(2) if only_last else states


def _padded(weight: torch.Tensor, kind: int, units: int) -> torch.Tensor:
    """Return a weight whose gates have a multiple of sixteen units: those that are added stay 0 and touch no other."""
    missing = -units % LANES
    by_gate = weight.reshape(*weight.shape[:-1], kind, units)
    return functional.pad(by_gate, (0, missing)).flatten(-2) if missing else weight


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Any, kernel: Any, recurrent: Any, bias: Any, inner: Any, mask: Any, kind: int, reverse: bool,
        only_last: bool,
    ) -> torch.Tensor:  # fmt: skip
        given = x, kernel, recurrent, bias, inner, mask, kind, reverse, only_last
        h: torch.Tensor
        h, gates, before, kept = _forward(*given)
        ctx.save_for_backward(x, kernel, recurrent, gates, before, kept)
        ctx.mask, ctx.options, ctx.biases = mask, (kind, reverse), (bias is not None, inner is not None)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, kernel, recurrent, gates, before, kept = ctx.saved_tensors
        outside, inside = _backward(grad, recurrent, gates, before, kept, ctx.mask, *ctx.options)
        inside = inside if ctx.options[0] == GRU else outside
        of_rows = outside.flatten(1, 2)
        of_x = torch.bmm(of_rows, kernel.transpose(1, 2)).view(x.shape) if ctx.needs_input_grad[0] else None
        of_kernel = torch.bmm(x.flatten(1, 2).transpose(1, 2), of_rows)
        of_recurrent = torch.bmm(before.flatten(1, 2).transpose(1, 2), inside.flatten(1, 2))
        of_bias = of_rows.sum(dim=1) if ctx.biases[0] else None
        of_inner = inside.sum(dim=(1, 2)) if ctx.biases[1] else None
        return of_x, of_kernel, of_recurrent, of_bias, of_inner, None, None, None, None


# operations of torch's, so that a step that is recorded holds them as one call each


@torch.library.custom_op("gengap::recur", mutates_args=())
def _forward(
    x: torch.Tensor, kernel: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor | None,
    inner: torch.Tensor | None, mask: torch.Tensor | None, kind: int, reverse: bool, only_last: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    rows = x.reshape(len(x), -1, x.shape[-1])
    gates = torch.bmm(rows, kernel) if bias is None else torch.baddbmm(bias.unsqueeze(1), rows, kernel)
    gates = gates.view(*x.shape[:3], -1)
    h, before, kept = _room(gates, kind, only_last=only_last)
    inner = gates.new_zeros(len(x), gates.shape[-1]) if inner is None else inner
    arrays = (gates, recurrent, inner, _flags(mask), before, kept, h)
    work = compiled_code("recurrence_code").forward
    share_out(_groups(x), work, kind, reverse, *(one.contiguous().numpy() for one in arrays))
    return h, gates, before, kept


@torch.library.custom_op("gengap::recur_back", mutates_args=())
def _backward(
    grad: torch.Tensor, recurrent: torch.Tensor, gates: torch.Tensor, before: torch.Tensor, kept: torch.Tensor,
    mask: torch.Tensor | None, kind: int, reverse: bool,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    outside = torch.empty_like(gates)
    inside = torch.empty_like(gates) if kind == GRU else gates.new_empty(0)
    arrays = (gates, recurrent.transpose(1, 2), _flags(mask), before, kept, grad, outside, inside)
    work = compiled_code("recurrence_code").backward
    share_out(_groups(gates), work, kind, reverse, *(one.contiguous().numpy() for one in arrays))
    return outside, inside


@_forward.register_fake
def _(
    x: Any, kernel: Any, recurrent: Any, bias: Any, inner: Any, mask: Any, kind: int, reverse: bool, only_last: bool
) -> Any:
    gates = x.new_empty(*x.shape[:3], kernel.shape[-1])
    h, before, kept = _room(gates, kind, only_last=only_last)
    return h, gates, before, kept


@_backward.register_fake
def _(grad: Any, recurrent: Any, gates: Any, before: Any, kept: Any, mask: Any, kind: int, reverse: bool) -> Any:
    return torch.empty_like(gates), torch.empty_like(gates) if kind == GRU else gates.new_empty(0)


def _room(gates: torch.Tensor, kind: int, *, only_last: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return room for the states that are wanted, those before each step, and what else the way back needs."""
    num_runs, cases, steps, width = gates.shape
    units = width // kind
    h = gates.new_empty(num_runs, cases, 1 if only_last else steps, units)
    both = (2,) if kind == LSTM else ()
    return h, gates.new_empty(num_runs, cases, steps, units), gates.new_empty(num_runs, cases, steps, *both, units)


def _flags(mask: torch.Tensor | None) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8) if mask is None else mask.to(torch.uint8)


def _groups(x: torch.Tensor) -> int:
    """Return how many groups of cases all runs have."""
    cases: int = compiled_code("recurrence_code").CASES
    return len(x) * -(-x.shape[1] // cases)
