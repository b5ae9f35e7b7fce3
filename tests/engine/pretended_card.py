"""A device that is none: tensors that lie on the CPU, say that they lie on a card, and mix with no others.

Most machines that run these tests have no CUDA device. What breaks on one is nearly always a tensor that was left on
the CPU, and what is slow is nearly always a step that waits for a number to come back; both show without a card.
"""

from collections import Counter
from typing import Any

import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

NAME = "card"
_HOST = torch.device("cpu")


class OnCard(torch.Tensor):
    """A tensor on the pretended card; `raw` holds its numbers."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw):
        return torch.Tensor._make_wrapper_subclass(
            cls, raw.size(), strides=raw.stride(), storage_offset=raw.storage_offset(), dtype=raw.dtype,
            layout=raw.layout, device=torch.device(NAME, 0),
        )  # fmt: skip

    def __init__(self, raw):
        self.raw = raw

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {}, None)


class Card(TorchDispatchMode):
    """Makes what is asked for on the card, and counts what crosses between it and the CPU.

    Attributes:
        waits: How often the program waited for a number or an array of the card, by operation.
        uploads: How often something was copied to the card.
    """

    def __init__(self):
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.uploads = 0

    def __enter__(self):
        self._before = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)  # `torch.tensor(..., device=...)` makes it here and copies it there
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        torch._C._set_only_lift_cpu_tensors(self._before)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {}, self)


def _run(func: Any, args: Any, kwargs: Any, card: Card | None) -> Any:
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
    ours = [one for one in tensors if isinstance(one, OnCard)]
    wanted = kwargs.get("device")
    wanted = None if wanted is None else torch.device(wanted)
    copies = func in {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}
    if ours and not copies:
        strange = [one for one in tensors if not isinstance(one, OnCard) and one.dim() > 0]
        assert not strange, f"{func}: a tensor of {tuple(strange[0].shape)} was left on the CPU"
    if ours and func is torch.ops.aten._local_scalar_dense.default and card is not None:
        card.waits[str(func)] += 1
    if copies and card is not None:
        _count(func, args, kwargs, card)
    to_card = bool(ours) if wanted is None else wanted.type == NAME
    if func is torch.ops.aten.copy_.default:
        to_card = isinstance(args[0], OnCard)
    plain_args, plain_kwargs = tree_map_only(OnCard, lambda one: one.raw, (args, kwargs))
    if wanted is not None:
        plain_kwargs["device"] = _HOST
    plain_kwargs.pop("pin_memory", None)
    result = func(*plain_args, **plain_kwargs)
    if not to_card:
        return result
    return return_and_correct_aliasing(func, args, kwargs, tree_map_only(torch.Tensor, OnCard, result))


def _count(func: Any, args: Any, kwargs: Any, card: Card) -> None:
    wanted = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    waitless = kwargs.get("non_blocking", False)
    source, target = (args[1], args[0]) if func is torch.ops.aten.copy_.default else (args[0], None)
    goes_there = isinstance(target, OnCard) if target is not None else wanted is not None and wanted.type == NAME
    if isinstance(source, OnCard) and wanted is not None and wanted.type == "cpu":
        card.waits["copy to the CPU"] += 1
    if not isinstance(source, OnCard) and goes_there and source.dim() > 0:
        card.uploads += 1
        if not waitless:
            card.waits["copy from the CPU"] += 1


_accelerators = getattr(torch._C, "_acc", None)  # torch 2.6 has none: who asks for a card must have 2.10


class _Guard(_accelerators.DeviceGuard if _accelerators else object):
    def type_(self):
        return torch._C._autograd.DeviceType.PrivateUse1


class _Module:
    """What torch asks a backend for."""

    @staticmethod
    def is_available():
        return True

    @staticmethod
    def current_device():
        return 0

    @staticmethod
    def device_count():
        return 1

    @staticmethod
    def _is_in_bad_fork():
        return False

    @staticmethod
    def manual_seed_all(seed):
        pass


def install() -> None:
    """Let this process have the device; it cannot be taken back."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, _Module())
