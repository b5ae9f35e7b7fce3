"""Attention of many cases: compiled where Numba is, else torch's own."""

from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from gengap.kernels.compiled_code import compiled_code
from gengap.kernels.crew import share_out

_UNSEEN = {torch.float16: -0.7 * 65500.0, torch.float32: -0.7 * 3.38953e38}
"""What Keras adds to scores of what is not seen, by number format; that of float32 for all but float16."""
_CACHE = 1 << 16
"""Weights of a head, in numbers, that stay in a core's own cache with their gradients."""


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, scale: float, causal: bool) -> torch.Tensor:
    """Return `softmax(scale * q @ k.T) @ v` of each head, `(cases, T, heads, value size)`.

    Args:
        q: Queries, `(cases, T, heads, size)`.
        k: Keys, `(cases, S, heads, size)`.
        v: Values, `(cases, S, heads, value size)`.
        scale: Factor of the products.
        causal: Whether a step sees none after it.
    """
    # Beyond `_CACHE` a head's weights would go to memory and back; torch's attention then works block by block instead.
    compiled = (
        q.device.type == "cpu"
        and {one.dtype for one in (q, k, v)} == {torch.float32}
        and q.shape[1] * k.shape[1] <= _CACHE
        and compiled_code("attention_code") is not None
    )
    if compiled:
        result: torch.Tensor = _Attention.apply(q, k, v, scale, causal)  # type: ignore[no-untyped-call]
        return result
    q, k, v = (one.transpose(1, 2) for one in (q, k, v))
    return functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale).transpose(1, 2)


def attend_where_seen(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, seen: torch.Tensor, *, scale: float
) -> torch.Tensor:
    """Return the same where not every step is seen, `(cases or 1, T, S)`, by torch as Keras asks it.

    What torch's gradient is for a step that sees none at all, is how much Keras adds to its scores.
    """
    q, k, v = (one.transpose(1, 2) for one in (q, k, v))
    bias = torch.where(seen.unsqueeze(1), 0.0, _UNSEEN.get(q.dtype, _UNSEEN[torch.float32])).to(q.dtype)
    return functional.scaled_dot_product_attention(q, k, v, bias, scale=scale).transpose(1, 2)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Any, k: Any, v: Any, scale: float, causal: bool) -> torch.Tensor:
        out: torch.Tensor
        out, levels = _forward(q, k, v, scale, causal)
        ctx.save_for_backward(q, k, v, levels)
        ctx.options = scale, causal
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return *_backward(grad, *ctx.saved_tensors, *ctx.options), None, None


@torch.library.custom_op("gengap::attend", mutates_args=())
def _forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, causal: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    out, levels = _room(q, v)
    arrays = (one.contiguous().numpy() for one in (q, k, v, out, levels))
    work = compiled_code("attention_code").forward
    share_out(levels.shape[0] * levels.shape[1], work, causal, np.float32(scale), *arrays)
    return out, levels


@torch.library.custom_op("gengap::attend_back", mutates_args=())
def _backward(
    grad: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, levels: torch.Tensor,
    scale: float, causal: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    results = [torch.empty(one.shape) for one in (q, k, v)]
    arrays = (one.contiguous().numpy() for one in (q, k, v, levels, grad, *results))
    work = compiled_code("attention_code").backward
    share_out(levels.shape[0] * levels.shape[1], work, causal, np.float32(scale), *arrays)
    return results[0], results[1], results[2]


@_forward.register_fake
def _(q: Any, k: Any, v: Any, scale: float, causal: bool) -> Any:
    return _room(q, v)


@_backward.register_fake
def _(grad: Any, q: Any, k: Any, v: Any, levels: Any, scale: float, causal: bool) -> Any:
    return tuple(one.new_empty(one.shape) for one in (q, k, v))


def _room(q: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    cases, steps, heads, _ = q.shape
    return q.new_empty(cases, steps, heads, v.shape[3]), q.new_empty(cases, heads, steps, 2)
