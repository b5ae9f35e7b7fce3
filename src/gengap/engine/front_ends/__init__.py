"""Two ways to the first layer: batches of arrays, and sparse rows that stay sparse."""

from collections.abc import Mapping, Sequence
from typing import Any

from gengap.engine.front_ends.base import FrontEnd, StepCases
from gengap.engine.front_ends.dense import DenseFrontEnd
from gengap.engine.front_ends.sparse import SparseFrontEnd, sparse_kernel_place
from gengap.engine.frozen import Frozen
from gengap.engine.loader import read_splits
from gengap.engine.optimizers import InPlace, Updater, choose_updater
from gengap.layers.stack import Stack


def make_front_end(
    models: Sequence[Any],
    weights: Sequence[Sequence[Any]],
    splits: Mapping[str, Any],
    *,
    seeds: Sequence[int],
    batch_size: int,
    device: str,
    threads: int = 1,
    frozen: Frozen | None = None,
    rates_differ: bool = False,
) -> tuple[FrontEnd, Stack, Updater]:
    """Return the front end that suits model and data, the stack of all other weights, and their updater.

    They are made together, since sparse rows take the kernel that they meet out of the stack.

    Args:
        models: The model of each run.
        weights: What each run starts from, in the order of `model.weights`.
        splits: Inputs of every split, by name; `"train"` is among them.
        seeds: Seed of each run.
        batch_size: Cases a step.
        device: Where the runs train.
        threads: Cores that may share the work on sparse rows.
        frozen: What was computed once of the cases, in place of inputs; None where they enter the model as they are.
        rates_differ: Whether runs will have learning rates of their own.
    """
    if frozen is not None:
        stack = Stack(models[0], weights, device=device, shared=frozen.places)
        return (
            DenseFrontEnd(frozen.loaders, batch_size=batch_size),
            stack,
            choose_updater(models, stack, rates_differ=rates_differ),
        )
    place = sparse_kernel_place(models, splits["train"])
    if place is not None:
        stack = Stack(models[0], weights, device=device, outside=[place])
        updater = choose_updater(models, stack, rates_differ=rates_differ)
        if isinstance(updater, InPlace):  # else weights of several number formats: nobody would update the kernel
            sparse = SparseFrontEnd(
                models, seeds, stack, updater, place=place, splits=splits, batch_size=batch_size, threads=threads
            )
            return sparse, stack, updater
    stack = Stack(models[0], weights, device=device)
    dense = DenseFrontEnd(read_splits(models[0], splits, device=device), batch_size=batch_size)
    return dense, stack, choose_updater(models, stack, rates_differ=rates_differ)


__all__ = ["DenseFrontEnd", "FrontEnd", "SparseFrontEnd", "StepCases", "make_front_end"]
