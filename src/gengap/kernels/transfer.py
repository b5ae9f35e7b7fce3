"""Copies to a device that do not wait for it."""

import torch


def upload(values: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Return a tensor on a device, without waiting for what the device is doing.

    A plain `.to` waits until a GPU has done everything that it was asked before, so that nothing can be asked of it
    while it works; from pinned memory the copy takes its turn like any other operation.
    """
    where = torch.device(device)
    if where.type == "cpu" or values.device.type != "cpu":
        return values.to(where)
    if where.type == "cuda":
        values = values.pin_memory()
    return values.to(where, non_blocking=True)
