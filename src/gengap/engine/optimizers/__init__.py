"""The three doors of optimizers: kernels in place, Keras' own on the stack, one Keras optimizer per run."""

from collections.abc import Sequence
from typing import Any

from gengap.engine.optimizers.apart import Apart
from gengap.engine.optimizers.base import Updater
from gengap.engine.optimizers.in_place import InPlace
from gengap.engine.optimizers.stacked import StackedOptimizer
from gengap.layers.stack import Stack


def choose_updater(models: Sequence[Any], stack: Stack, *, rates_differ: bool = False) -> Updater:
    """Return the fastest door that is right for the optimizers of these runs.

    Args:
        models: The compiled model of each run.
        stack: Their weights.
        rates_differ: Whether runs will have learning rates of their own, which Keras' optimizer on a stack cannot.
    """
    for door in (InPlace,) if rates_differ else (InPlace, StackedOptimizer):
        if door.fits(models, stack):
            return door(models, stack)
    return Apart(models, stack)


__all__ = ["Apart", "InPlace", "StackedOptimizer", "Updater", "choose_updater"]
