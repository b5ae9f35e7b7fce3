"""What a model of the table is: how it is made, on which cases, and what is known of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TRAIN, HELD_OUT = 40, 20


@dataclass(frozen=True)
class Example:
    """A model in the manner of one of Keras' own examples.

    Attributes:
        build: Makes the compiled model; its argument is 1 with noise, 0 with every noise off.
        cases: Makes `(x, y)` of a number of cases from a generator.
        noisy: Whether it holds noise.
        study: Further arguments of `Study`.
        draws_in_constructor: Whether a constructor draws what no weight holds.
        never_rests: Whether its noise is on in inference.
        adds_losses: Whether layers add to the objective.
        slow: Whether its laws take seconds.
    """

    build: Callable[[float], Any]
    cases: Callable[[int, np.random.Generator], tuple[Any, Any]]
    noisy: bool = False
    study: Mapping[str, Any] = field(default_factory=dict)
    draws_in_constructor: bool = False
    never_rests: bool = False
    adds_losses: bool = False
    slow: bool = False
