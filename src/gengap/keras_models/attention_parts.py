"""What an attention layer with projections is made of, under names of our own."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class AttentionParts:
    """What an attention layer with projections is made of.

    Attributes:
        query: The layer that projects queries; `key`, `value` and `output` likewise.
        key: That of the keys.
        value: That of the values.
        output: That of the result.
        dropout: The dropout of the weights.
        scale: Factor of the products of queries and keys.
        has_window: Whether a step sees its neighbourhood only.
        heeds_masks: Whether the mask on its query is heeded and handed on.
    """

    query: Any
    key: Any
    value: Any
    output: Any
    dropout: Any
    scale: float
    has_window: bool
    heeds_masks: bool
