"""When a run stops by itself: a property of a variant, since no Keras model can hold it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StoppingRule:
    """When a run stops by itself: `patience` epochs without a held-out score better by more than `min_delta`."""

    patience: int
    min_delta: float = 0.0
