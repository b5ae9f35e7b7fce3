"""A ceiling on each unit's weights instead of a penalty on all."""

from dataclasses import dataclass, field
from typing import Any

import keras

from gengap.errors import RemedyError
from gengap.keras_models.anatomy import Anatomy, On
from gengap.remedies.base import Edit, Surgery
from gengap.remedies.checks import check_positive
from gengap.remedies.explanation import Change, grouped
from gengap.remedies.kernels import edited


@dataclass(frozen=True, eq=False)
class MaxNorm(Surgery):
    """After each step, the weights into a unit are scaled back to a Euclidean norm of at most `limit`.

    Nothing happens to units below the ceiling, and no term enters the objective. Often used with dropout and a high
    learning rate.

    Attributes:
        limit: The ceiling, above 0.
        on: Which layers. Default `"hidden"`: a ceiling on the output layer bounds the logits, hence how sure the model
            may be, which is another remedy.

    References:
        Srivastava, N. et al. (2014). Dropout, section 5.1. JMLR 15, 1929-1958.
    """

    limit: float
    on: On = field(default="hidden", kw_only=True)

    def __post_init__(self) -> None:
        check_positive(self, self.limit)

    def edit(self, anatomy: Anatomy) -> Edit:
        """Put a constraint into the configuration of each chosen layer that has none."""
        configs: dict[int, dict[str, Any]] = {}
        changes: dict[str, Change] = {}
        for call in anatomy.select(self.on, head=True):
            config = edited(call.operation, "constraint", self._constraint)
            if config is None:
                changes[call.path] = Change(str(self), call.path, reason="it has no kernel that Keras can constrain")
            elif config == call.operation.get_config():
                changes[call.path] = Change(str(self), call.path, reason="it has a constraint of its own")
            else:
                configs[id(call.operation)] = config
                changes[call.path] = Change(str(self), call.path, f"norm of the weights into a unit <= {self.limit:g}")
        if not configs:
            raise RemedyError(f"{self} constrains nothing. {grouped(changes.values())}.")
        return Edit(configs=configs, changes=tuple(changes.values()))

    def _constraint(self, old: Any, part: str, config: dict[str, Any]) -> Any:
        """Return the serialized constraint; the norm runs over all axes but that of the units."""
        if old is not None:
            return old
        spatial = len(config.get("kernel_size", ()))
        axes = {"embeddings": [1], "depthwise": list(range(spatial))}
        axis = axes.get(part, list(range(spatial + 1)))
        limit = float(self.limit)
        return keras.constraints.serialize(keras.constraints.MaxNorm(limit, axis=axis if len(axis) > 1 else axis[0]))
