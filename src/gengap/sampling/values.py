"""What flows through the sampled graph: the same for all members, one per member, or a base times a channel mask."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from gengap.keras_models.private import mask_of, put_mask
from gengap.kernels.small_planes import Ending


@dataclass(frozen=True, eq=False)
class PerCase:
    """A value that no noise has touched: `(cases, ...)`, as in inference mode. CSR rows stand for themselves."""

    tensor: Any


@dataclass(frozen=True, eq=False)
class PerMember:
    """A value for every case and member: `(cases * members, ...)`, ordered by case, then member."""

    tensor: torch.Tensor


@dataclass(frozen=True, eq=False)
class Deferred:
    """Planes of every member that are computed when they are first needed: what follows may be part of it by then.

    Attributes:
        compute: Returns `(cases * members, *plane, filters)`, what follows included.
        plane: Height and width before any pooling.
        filters: Number of channels.
        ending: What follows so far.
    """

    compute: Callable[[Ending], torch.Tensor]
    plane: tuple[int, int]
    filters: int
    ending: Ending = field(default_factory=Ending)

    @cached_property
    def tensor(self) -> torch.Tensor:
        """The planes; from here on they stay."""
        return self.compute(self.ending)

    @property
    def is_there(self) -> bool:
        """Whether they have been computed."""
        return "tensor" in self.__dict__


@dataclass(frozen=True, eq=False)
class Masked:
    """A value times a mask of its channels that is still to be multiplied: what comes next may be cheaper without.

    Attributes:
        base: Channels-last values, per case or per member.
        mask: Factors, `(cases or 1, members, channels)`, not negative.
    """

    base: PerCase | PerMember | Deferred
    mask: torch.Tensor


Value = PerCase | PerMember | Deferred | Masked


def row_shape(value: Value) -> tuple[int, ...]:
    """Return the shape of one row of a value, without computing what is still to come."""
    base = value.base if isinstance(value, Masked) else value
    if isinstance(base, Deferred):
        return (*base.ending.shape(base.plane), base.filters)
    return tuple(base.tensor.shape[1:])


def is_masked(value: Value) -> bool:
    """Tell whether a value carries a mask of Keras' (padded time steps), which layers after it heed."""
    base = value.base if isinstance(value, Masked) else value
    return not isinstance(base, Deferred) and mask_of(base.tensor) is not None


def carry_mask(mask: Any, tensor: Any) -> Any:
    """Return a tensor that carries a mask of Keras', as `Layer.__call__` leaves it on what a layer returns."""
    if mask is not None:
        put_mask(tensor, mask)
    return tensor


def per_member(value: Value, cases: int, members: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Return a value written out for every case and member, in `dtype` where that is given and it is real."""
    if isinstance(value, Masked):
        return _multiply(value, cases, members, dtype)
    mask = mask_of(value.tensor)
    tensor = value.tensor
    if dtype is not None and torch.is_floating_point(tensor):
        tensor = tensor.to(dtype)
    if isinstance(value, PerCase) and members > 1:
        tensor = torch.repeat_interleave(tensor, members, dim=0)
        mask = None if mask is None else torch.repeat_interleave(mask, members, dim=0)
    return carry_mask(mask, tensor) if mask is not None and tensor is not value.tensor else tensor


def add_noise(
    value: Value, factor: torch.Tensor | None, summand: torch.Tensor | None, *, cases: int, members: int
) -> PerMember:
    """Return `value * factor + summand`; noise is `(cases or 1, members, *shape)`, broadcastable to the value."""
    tensor = _by_case(value, cases, members)
    if factor is not None:
        tensor = tensor * factor.to(tensor.dtype)
    if summand is not None:
        tensor = tensor + summand.to(tensor.dtype)
    rows = tensor.reshape(cases * members, *tensor.shape[2:])
    return PerMember(carry_mask(mask_of(per_member(value, cases, members)), rows) if is_masked(value) else rows)


def _by_case(value: Value, cases: int, members: int) -> torch.Tensor:
    """Return a value as `(cases, members or 1, ...)`."""
    if isinstance(value, PerCase):
        return torch.unsqueeze(value.tensor, 1)
    return torch.unflatten(per_member(value, cases, members), 0, (cases, members))


def _multiply(value: Masked, cases: int, members: int, dtype: torch.dtype | None) -> torch.Tensor:
    base = value.base.tensor if dtype is None else value.base.tensor.to(dtype)
    base = base.unsqueeze(1) if isinstance(value.base, PerCase) else torch.unflatten(base, 0, (cases, members))
    space = (1,) * (base.ndim - 3)
    mask = value.mask.to(base.dtype)
    product = base * mask.view(*mask.shape[:2], *space, mask.shape[-1])
    return product.reshape(cases * members, *product.shape[2:])
