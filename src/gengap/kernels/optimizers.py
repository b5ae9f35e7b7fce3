"""In-place updates of stacked weights, one learning rate and one weight decay per run, equal to Keras' own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gengap.keras_models.layer_rates import plain_class

Strength = float | torch.Tensor
"""A number for all runs, or a tensor that broadcasts against the weights: `(K, 1, ...)` for stacked ones."""

_LONG_AGO = 1e9  # a step at which Adam's bias correction is 1 in float32, whatever beta


class UpdateRule(ABC):
    """A rule that changes weights in place, elementwise, so that any slice may be updated by itself."""

    @abstractmethod
    def slots(self, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the state that the rule keeps for `weights`, each of its shape; nothing for plain SGD."""

    @abstractmethod
    def update(
        self,
        weights: torch.Tensor,
        gradient: torch.Tensor,
        slots: Sequence[torch.Tensor],
        *,
        step: int,
        learning_rate: Strength,
    ) -> None:
        """Change `weights` and `slots` in place; `gradient` is scratch afterwards.

        Args:
            weights: Weights of one run, of stacked runs, or any slice of them.
            gradient: Gradient of the objective, penalties included, same shape.
            slots: The matching slices of what `slots` returned.
            step: Number of the update, from 1.
            learning_rate: One number, or a tensor that broadcasts against `weights`.
        """


@dataclass(frozen=True)
class SGD(UpdateRule):
    """Keras' SGD, with momentum and Nesterov's look-ahead."""

    momentum: float = 0.0
    nesterov: bool = False

    def slots(self, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the momentum, where there is any."""
        return (torch.zeros_like(weights),) if self.momentum else ()

    def update(
        self,
        weights: torch.Tensor,
        gradient: torch.Tensor,
        slots: Sequence[torch.Tensor],
        *,
        step: int,  # noqa: ARG002  SGD forgets time
        learning_rate: Strength,
    ) -> None:
        """Apply `m = momentum * m - lr * g; w += m` (Nesterov: `w += momentum * m - lr * g`)."""
        # Scaled first, as in Keras: momentum holds lr * g, so that a new rate does not reach steps that are under way.
        gradient.mul_(learning_rate)
        if not self.momentum:
            weights.sub_(gradient)
            return
        (m,) = slots
        m.mul_(self.momentum).sub_(gradient)
        if self.nesterov:
            weights.add_(m, alpha=self.momentum).sub_(gradient)
        else:
            weights.add_(m)


@dataclass(frozen=True)
class RMSprop(UpdateRule):
    """Keras' RMSprop: epsilon stands inside the root.

    The first slot keeps `u = v + epsilon`; its recursion `u = rho * (u + epsilon * (1 - rho) / rho) + (1 - rho) * g^2`
    is one addition before the second-moment update of Adam; torch's fused Adam then makes one pass over memory of five.
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def slots(self, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the mean square of the gradient plus epsilon; its mean if centered; the momentum if there is any."""
        extra = self.centered + (self.momentum > 0)
        return torch.full_like(weights, self.epsilon), *(torch.zeros_like(weights) for _ in range(extra))

    def update(
        self,
        weights: torch.Tensor,
        gradient: torch.Tensor,
        slots: Sequence[torch.Tensor],
        *,
        step: int,  # noqa: ARG002  RMSprop corrects no bias
        learning_rate: Strength,
    ) -> None:
        """Apply `v = rho * v + (1 - rho) * g^2; w -= lr * g / sqrt(v + epsilon)`."""
        u, *rest = slots
        if self.rho > 0 and not rest and _fusible(weights, gradient) and isinstance(learning_rate, float):
            # With v = u + epsilon (1 - rho) / rho, Adam's v' = rho v + (1 - rho) g^2 is rho u + epsilon (1 - rho) + (1
            # - rho) g^2, which is u': epsilon comes under the root for one addition, where rho is not 0.
            u.add_(self.epsilon * (1 - self.rho) / self.rho)
            # beta_1 = 0 makes Adam's first moment the gradient itself, so the gradient's memory serves as that slot
            moments, betas = (gradient, u), (0.0, self.rho)
            _fused_adam(weights, gradient, moments, learning_rate=learning_rate, betas=betas, epsilon=0.0)
            return
        u.mul_(self.rho).addcmul_(gradient, gradient, value=1 - self.rho).add_(self.epsilon * (1 - self.rho))
        variance = u
        if self.centered:
            mean = rest.pop(0)
            mean.lerp_(gradient, 1 - self.rho)
            # u holds epsilon already: this is Keras' v - mean^2 + epsilon.
            variance = u - mean * mean
        gradient.mul_(learning_rate).div_(variance.sqrt())
        if self.momentum:
            gradient = rest[0].mul_(self.momentum).add_(gradient)
        weights.sub_(gradient)


@dataclass(frozen=True)
class Adam(UpdateRule):
    """Keras' Adam; with `decay_weights` before it, AdamW."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def slots(self, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return first and second moment, and the second's maximum for AMSGrad."""
        return tuple(torch.zeros_like(weights) for _ in range(3 if self.amsgrad else 2))

    def update(
        self,
        weights: torch.Tensor,
        gradient: torch.Tensor,
        slots: Sequence[torch.Tensor],
        *,
        step: int,
        learning_rate: Strength,
    ) -> None:
        """Apply `m += (1 - b1) (g - m); v += (1 - b2) (g^2 - v); w -= lr * c * m / (sqrt(v) + epsilon)`.

        `c = sqrt(1 - b2^t) / (1 - b1^t)`; torch's own Adam has epsilon inside the correction.
        """
        m, v = slots[0], slots[1]
        correction = bias_correction(self.beta_1, self.beta_2, step)
        if not self.amsgrad and _fusible(weights, gradient) and isinstance(learning_rate, float):
            betas, rate = (self.beta_1, self.beta_2), learning_rate * correction
            _fused_adam(weights, gradient, (m, v), learning_rate=rate, betas=betas, epsilon=self.epsilon)
            return
        m.lerp_(gradient, 1 - self.beta_1)
        # `lerp_` for v would need a gradient squared in memory of its own; this differs from it by rounding alone.
        v.mul_(self.beta_2).addcmul_(gradient, gradient, value=1 - self.beta_2)
        if self.amsgrad:
            v = torch.maximum(slots[2], v, out=slots[2])
        torch.sqrt(v, out=gradient).add_(self.epsilon)
        torch.div(m, gradient, out=gradient)
        weights.sub_(gradient.mul_(learning_rate * correction))


def bias_correction(beta_1: float, beta_2: float, step: int) -> float:
    """Return Adam's `sqrt(1 - b2^t) / (1 - b1^t)` with the rounding that Keras has.

    Keras computes it in float32, where 1 - 0.999 is 5e-5 off; a parity of 1e-7 needs the same error.
    """
    t = torch.tensor(float(step))
    return float(torch.sqrt(1 - beta_2**t) / (1 - beta_1**t))


def decay_weights(weights: torch.Tensor, *, learning_rate: Strength, weight_decay: Strength) -> None:
    """Shrink `weights` in place by `learning_rate * weight_decay`, as Keras does before the update."""
    weights.sub_(weights * (learning_rate * weight_decay))


def rule_from_keras(optimizer: Any) -> UpdateRule | None:
    """Return the kernel of a Keras optimizer's update, or None where there is no kernel for it (take another door).

    Only the update: learning rate, its factors for layers, decoupled weight decay, clipping, EMA and accumulation
    stay the caller's.
    A subclass of the user's own has no kernel, whatever it inherits.
    """
    import keras

    kind = plain_class(optimizer)
    if kind is keras.optimizers.SGD:
        return SGD(optimizer.momentum, optimizer.nesterov)
    if kind is keras.optimizers.RMSprop:
        return RMSprop(optimizer.rho, optimizer.momentum, optimizer.epsilon, optimizer.centered)
    if kind in {keras.optimizers.Adam, keras.optimizers.AdamW}:
        return Adam(optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.amsgrad)
    return None


def _fusible(weights: torch.Tensor, gradient: torch.Tensor) -> bool:
    """Return whether torch's fused Adam, which wants one learning rate for all, takes such memory."""
    return weights.is_contiguous() and gradient.is_contiguous() and weights.dtype == torch.float32


def _fused_adam(
    weights: torch.Tensor,
    gradient: torch.Tensor,
    moments: tuple[torch.Tensor, torch.Tensor],
    *,
    learning_rate: float,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Apply torch's fused Adam without its own bias correction, which stands elsewhere than Keras'."""
    # Private in torch since 2.4, used by torch.optim.Adam(fused=True); a test compares it with Keras.
    # A step count at which its own correction is 1 in float32, since Keras' correction is in the rate already.
    first, second = moments
    steps = [torch.full((), _LONG_AGO, device=weights.device)]
    torch._fused_adam_(
        [weights], [gradient], [first], [second], [], steps,
        lr=learning_rate, beta1=betas[0], beta2=betas[1], weight_decay=0.0, eps=epsilon, amsgrad=False, maximize=False,
    )  # fmt: skip
