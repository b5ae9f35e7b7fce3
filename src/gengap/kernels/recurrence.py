r"""Long short-term memory and gated recurrent units of K runs, forward and backward through time.

Everything that needs no previous step is done for all steps at once: the projection of the inputs before, the factors
of the backward pass and the gradient of the recurrent kernel after. What is left in the loop over time is one batched
product and a handful of operations on `(K, B, units)`, which stay in the cache. Automatic differentiation of the same
loop takes twice as many operations and keeps every intermediate value.

Layout: `(K, T, B, ...)`, so that a step is a view over all runs, and `(T, B)` together are the rows of one product per
run.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable


class LongShortTermMemory(torch.autograd.Function):
    r"""The states `h` of an LSTM with the gates i, f, g, o in Keras' order.

    $$c_t = f_t c_{t-1} + i_t g_t, \qquad h_t = o_t \tanh c_t$$
    """

    @staticmethod
    def forward(ctx: Any, projected: torch.Tensor, kernel: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Return all states.

        Args:
            ctx: Keeps what the backward pass needs.
            projected: Inputs times their kernel plus bias, `(K, T, B, 4 units)`.
            kernel: Recurrent kernel, `(K, units, 4 units)`.
            mask: Which steps count, `(K, T, B, 1)` bool; a step that does not leaves the state as it was. None: all.

        Returns:
            `(K, T, B, units)`.
        """
        num_runs, steps, batch, _ = projected.shape
        units = kernel.shape[1]
        gates = torch.empty_like(projected, memory_format=torch.contiguous_format)
        h, c = (projected.new_zeros(num_runs, steps + 1, batch, units) for _ in range(2))
        tanh_c = projected.new_empty(num_runs, steps, batch, units)
        for t in range(steps):
            gate = gates[:, t]
            gate.copy_(torch.baddbmm(projected[:, t], h[:, t], kernel))
            gate[..., : 2 * units].sigmoid_()
            gate[..., 2 * units : 3 * units].tanh_()
            gate[..., 3 * units :].sigmoid_()
            i, f, g, o = torch.split(gate, units, dim=-1)
            torch.mul(f, c[:, t], out=c[:, t + 1]).addcmul_(i, g)
            torch.tanh(c[:, t + 1], out=tanh_c[:, t])
            torch.mul(o, tanh_c[:, t], out=h[:, t + 1])
            if mask is not None:
                for state in (h, c):
                    state[:, t + 1] = torch.where(mask[:, t], state[:, t + 1], state[:, t])
        ctx.save_for_backward(kernel, gates, h, c, tanh_c)
        ctx.mask = mask
        return h[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Return the gradients of the projected inputs and of the recurrent kernel."""
        kernel, gates, h, c, tanh_c = ctx.saved_tensors
        units, transposed = kernel.shape[1], kernel.transpose(1, 2)
        i, f, g, o = torch.split(gates, units, dim=-1)
        factors = torch.empty_like(gates)  # of the gates' own nonlinearities, by which dc or dh is multiplied
        for part, value in zip(
            torch.split(factors, units, dim=-1),
            (g * i * (1 - i), c[:, :-1] * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)),
            strict=True,
        ):
            part.copy_(value)
        through_c = o * (1 - tanh_c * tanh_c)
        grad_z = torch.empty_like(gates)
        dh, dc = torch.zeros_like(h[:, 0]), torch.zeros_like(h[:, 0])
        for t in reversed(range(grad_h.shape[1])):
            dh = dh + grad_h[:, t]
            own_h, own_c = dh, dc
            if ctx.mask is not None:
                own_h, own_c = dh * ctx.mask[:, t], dc * ctx.mask[:, t]
            own_c = torch.addcmul(own_c, own_h, through_c[:, t])
            factor, target = factors[:, t], grad_z[:, t]
            of_c = own_c.unsqueeze(-2)
            torch.mul(_by_gate(factor[..., : 3 * units], units), of_c,
                      out=_by_gate(target[..., : 3 * units], units))  # fmt: skip
            torch.mul(factor[..., 3 * units :], own_h, out=target[..., 3 * units :])
            before = torch.bmm(target, transposed)
            carried = own_c * f[:, t]
            if ctx.mask is None:
                dh, dc = before, carried
            else:  # what a step that does not count was given goes on to the one before it
                dh, dc = torch.where(ctx.mask[:, t], before, dh), torch.where(ctx.mask[:, t], carried, dc)
        return grad_z, _of_kernel(h, grad_z), None


class GatedRecurrentUnit(torch.autograd.Function):
    r"""The states `h` of a GRU that resets after the product, with the gates z, r and the candidate in Keras' order.

    $$h_t = z_t h_{t-1} + (1 - z_t) \tanh(x_t + r_t (U h_{t-1} + b))$$
    """

    @staticmethod
    def forward(
        ctx: Any, projected: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return all states.

        Args:
            ctx: Keeps what the backward pass needs.
            projected: Inputs times their kernel plus their bias, `(K, T, B, 3 units)`.
            kernel: Recurrent kernel, `(K, units, 3 units)`.
            bias: Bias of the recurrent product, `(K, 3 units)`, or None.
            mask: As for `LongShortTermMemory`.

        Returns:
            `(K, T, B, units)`.
        """
        num_runs, steps, batch, _ = projected.shape
        units = kernel.shape[1]
        added = projected.new_zeros(num_runs, 1, 3 * units) if bias is None else bias[:, None]
        h = projected.new_zeros(num_runs, steps + 1, batch, units)
        gates = torch.empty_like(projected, memory_format=torch.contiguous_format)
        inner_h = projected.new_empty(num_runs, steps, batch, units)
        for t in range(steps):
            inner = torch.baddbmm(added, h[:, t], kernel)
            gate = gates[:, t]
            torch.add(projected[:, t, :, : 2 * units], inner[..., : 2 * units], out=gate[..., : 2 * units]).sigmoid_()
            inner_h[:, t] = inner[..., 2 * units :]
            z, r, candidate = torch.split(gate, units, dim=-1)
            torch.addcmul(projected[:, t, :, 2 * units :], r, inner_h[:, t], out=candidate).tanh_()
            torch.lerp(candidate, h[:, t], z, out=h[:, t + 1])
            if mask is not None:
                h[:, t + 1] = torch.where(mask[:, t], h[:, t + 1], h[:, t])
        ctx.save_for_backward(kernel, gates, h, inner_h)
        ctx.mask, ctx.has_bias = mask, bias is not None
        return h[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, None]:
        """Return the gradients of the projected inputs, of the recurrent kernel and of its bias."""
        kernel, gates, h, inner_h = ctx.saved_tensors
        units, transposed = kernel.shape[1], kernel.transpose(1, 2)
        z, r, candidate = torch.split(gates, units, dim=-1)
        # All factors by which dh is multiplied are known before the loop backwards; in it is left what depends on dh.
        of_z = (h[:, :-1] - candidate) * z * (1 - z)
        of_candidate = (1 - z) * (1 - candidate * candidate)
        of_r = of_candidate * inner_h * r * (1 - r)
        factors = _by_gate(torch.cat([of_z, of_r, of_candidate * r], dim=-1), units)
        grad_inner = torch.empty_like(gates)
        dh = torch.zeros_like(h[:, 0])
        own = torch.empty_like(h[:, 1:])
        for t in reversed(range(grad_h.shape[1])):
            dh = dh + grad_h[:, t]
            here = dh if ctx.mask is None else dh * ctx.mask[:, t]
            own[:, t] = here
            torch.mul(factors[:, t], here.unsqueeze(-2), out=_by_gate(grad_inner[:, t], units))
            before = torch.baddbmm(here * z[:, t], grad_inner[:, t], transposed)
            dh = before if ctx.mask is None else torch.where(ctx.mask[:, t], before, dh)
        grad_projected = grad_inner.clone()
        grad_projected[..., 2 * units :] = own * of_candidate
        of_bias = grad_inner.sum(dim=(1, 2)) if ctx.has_bias else None
        return grad_projected, _of_kernel(h, grad_inner), of_bias, None


def _by_gate(values: torch.Tensor, units: int) -> torch.Tensor:
    """Return three gates that lie side by side as an axis of their own."""
    return values.view(*values.shape[:-1], 3, units)


def _of_kernel(h: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a recurrent kernel: one product over all steps and samples of each run."""
    return torch.bmm(h[:, :-1].flatten(1, 2).transpose(1, 2), grad.flatten(1, 2))
