r"""Batch normalization of K runs in few passes over the activations, forward and backward.

With $\hat x = (x - m) / \sqrt{v + \epsilon}$ and the gradient $g$ of $y = \gamma \hat x + \beta$,

$$\frac{\partial}{\partial x} = \frac{\gamma}{\sqrt{v + \epsilon}}
\left(g - \overline{g} - \hat x\, \overline{g \hat x}\right).$$

Automatic differentiation of the same formula keeps and reads a dozen arrays of the size of $x$, and `torch.var_mean`
takes ten times as long as two means in this layout. torch's own kernel sums in plain order, which loses two digits.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from gengap.kernels.compiled_normalization import differentiate, is_compiled, moments, normalize, sum_gradients


def normalize_batch(
    x: torch.Tensor, gamma: torch.Tensor | None, beta: torch.Tensor | None, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return normalized activations, and means and variances `(K, channels)`, which are not differentiated.

    Args:
        x: `(K, N, channels)`.
        gamma: Scale, `(K, channels)`; None for one.
        beta: Offset, `(K, channels)`; None for zero.
        epsilon: Added to the variance.
    """
    way = _Compiled if is_compiled(x) else _OfArrays
    result: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    result = way.apply(x, gamma, beta, epsilon)  # type: ignore[no-untyped-call]
    return result


def normalize_by(x: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor | None) -> torch.Tensor:
    """Return `(x - mean) * scale + shift` of `(K, N, channels)` and `(K, channels)`, in inference as in training."""
    differentiable = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in (x, scale, shift))
    if not differentiable and is_compiled(x):
        result: torch.Tensor = normalize(x, mean, scale, torch.zeros_like(mean) if shift is None else shift)
        return result
    centered = x - mean.unsqueeze(1)
    if shift is None:
        return centered * scale.unsqueeze(1)
    return torch.addcmul(shift.unsqueeze(1), centered, scale.unsqueeze(1))


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
        mean, variance = moments(x)
        inverse = (variance + epsilon).rsqrt()
        scale = inverse if gamma is None else inverse * gamma
        ctx.save_for_backward(x, mean, inverse, scale)
        ctx.learned = gamma is not None, beta is not None
        ctx.mark_non_differentiable(mean, variance)
        return normalize(x, mean, scale, torch.zeros_like(mean) if beta is None else beta), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
        x, mean, inverse, scale = ctx.saved_tensors
        of_beta, of_centered = sum_gradients(grad, x, mean)
        of_gamma, share = of_centered * inverse, scale / x.shape[1]
        of_x = differentiate(grad, x, mean, scale, share * of_beta, share * inverse * of_gamma)
        return of_x, of_gamma if ctx.learned[0] else None, of_beta if ctx.learned[1] else None, None


class _OfArrays(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
        mean = x.mean(dim=1)
        centered = x - mean.unsqueeze(1)
        # Divided by N, not N - 1: Keras normalizes with it and keeps the same as moving variance.
        variance = (centered * centered).mean(dim=1)
        inverse = (variance + epsilon).rsqrt()
        scale = inverse if gamma is None else inverse * gamma
        ctx.save_for_backward(centered, inverse, scale)
        ctx.learned = gamma is not None, beta is not None
        ctx.mark_non_differentiable(mean, variance)
        if beta is None:
            return centered * scale.unsqueeze(1), mean, variance
        return torch.addcmul(beta.unsqueeze(1), centered, scale.unsqueeze(1)), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
        centered, inverse, scale = ctx.saved_tensors
        of_beta = grad.sum(dim=1)
        # These two sums, divided by the number of cases, are also the two means in the formula above.
        of_gamma = (grad * centered).sum(dim=1) * inverse
        share = scale / centered.shape[1]
        of_x = torch.addcmul(-(share * of_beta).unsqueeze(1), grad, scale.unsqueeze(1))
        of_x.addcmul_(centered, (share * inverse * of_gamma).unsqueeze(1), value=-1)
        return of_x, of_gamma if ctx.learned[0] else None, of_beta if ctx.learned[1] else None, None
