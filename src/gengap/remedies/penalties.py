"""Penalties on large weights: L1, L2 and both, added to the objective."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

import keras

from gengap.errors import RemedyError
from gengap.keras_models.anatomy import Anatomy, On, closed_layers
from gengap.remedies.base import Edit, Surgery
from gengap.remedies.checks import check_choice, check_strength
from gengap.remedies.explanation import Change
from gengap.remedies.kernels import edited

Existing = Literal["add", "replace"]


class Penalty(Surgery):
    """A penalty on the kernels of chosen layers.

    Biases and the scales of normalizations are never penalized. A layer that has a penalty already keeps it beside
    the new one (`existing="add"`) or loses it (`existing="replace"`).
    """

    on: On
    existing: Existing

    @abstractmethod
    def strengths(self) -> tuple[float, float]:
        """Return the strengths of the absolute and of the squared penalty."""

    @final
    def edit(self, anatomy: Anatomy) -> Edit:
        """Put a regularizer into the configuration of each chosen layer."""
        l1, l2 = self.strengths()
        configs: dict[int, dict[str, Any]] = {}
        changes: dict[str, Change] = {}
        for call in anatomy.select(self.on, head=True):
            layer = call.operation
            config = edited(layer, "regularizer", lambda old, *_: self._regularizer(old, l1, l2))
            if config is None:
                changes[call.path] = Change(str(self), call.path, reason="it has no kernel that Keras can penalize")
            else:
                configs[id(layer)] = config
                changes[call.path] = Change(str(self), call.path, f"penalty {_formula(l1, l2)} on its kernel")
        if not configs:
            closed = closed_layers(anatomy.select(self.on, head=True))
            raise RemedyError(f"{self} penalizes nothing: none of {', '.join(changes)} has a kernel.{closed}")
        return Edit(configs=configs, changes=tuple(changes.values()))

    def _regularizer(self, old: Any, l1: float, l2: float) -> Any:
        """Return the serialized regularizer that takes the place of an old one."""
        if self.existing == "add" and l1 == l2 == 0:
            return old
        if old is not None and self.existing == "add":
            before = _strengths_of(old)
            if before is None:
                raise RemedyError(
                    f"{self} cannot be added to the regularizer {old.get('class_name', old)!r}: "
                    'choose existing="replace", or other layers with `on`.'
                )
            l1, l2 = l1 + before[0], l2 + before[1]
        return serialized(l1, l2)


def serialized(l1: float, l2: float) -> Any:
    """Return the configuration of the plainest Keras regularizer with these strengths; None where both are 0."""
    if l1 and l2:
        return keras.regularizers.serialize(keras.regularizers.L1L2(l1, l2))
    if l1 or l2:
        return keras.regularizers.serialize(keras.regularizers.L1(l1) if l1 else keras.regularizers.L2(l2))
    return None


def _strengths_of(config: Mapping[str, Any]) -> tuple[float, float] | None:
    regularizer = keras.regularizers.deserialize(config)
    if isinstance(regularizer, keras.regularizers.L1 | keras.regularizers.L2 | keras.regularizers.L1L2):
        return float(getattr(regularizer, "l1", 0.0)), float(getattr(regularizer, "l2", 0.0))
    return None


def _formula(l1: float, l2: float) -> str:
    terms = [f"{l1:g} * sum |w|"] * bool(l1) + [f"{l2:g} * sum w^2"] * bool(l2)
    return " + ".join(terms) or "0"


@dataclass(frozen=True, eq=False)
class L1(Penalty):
    r"""Penalty on absolute weights, $\lambda \sum |w|$: pulls every weight towards 0 with the same force.

    Unimportant weights end near zero; gradient training gives no exact zeros, so sparsity is the share of weights
    below a declared threshold.

    Attributes:
        strength: $\lambda$, at least 0; 0 is the identity.
        on: Which layers. Default `"hidden"`: the output layer maps few units to the answer and has few weights to
            overfit with; the reviews tutorial penalizes the hidden layers as well.
        existing: What becomes of a penalty that a layer has already.

    References:
        Tibshirani, R. (1996). Regression shrinkage and selection via the lasso. Journal of the Royal Statistical
        Society B 58. doi 10.1111/j.2517-6161.1996.tb02080.x
    """

    strength: float
    on: On = field(default="hidden", kw_only=True)
    existing: Existing = field(default="add", kw_only=True)

    def __post_init__(self) -> None:
        check_strength(self, self.strength)
        check_choice("existing", self.existing, Existing)

    def strengths(self) -> tuple[float, float]:
        """Return the strength and 0."""
        return float(self.strength), 0.0


@dataclass(frozen=True, eq=False)
class L2(Penalty):
    r"""Penalty on squared weights, $\lambda \sum w^2$: pulls every weight towards 0 in proportion to its size.

    It shrinks large weights most and makes none exactly zero. Under SGD it equals weight decay of $2\lambda$ times
    the learning rate; under Adam or RMSprop it does not, because those divide its gradient by the gradient's size:
    see `WeightDecay`.

    Attributes:
        strength: $\lambda$, at least 0; 0 is the identity.
        on: Which layers. Default `"hidden"`, as the reviews tutorial has it; `"kernels"` takes the output layer as
            well, as the storm tutorial has it.
        existing: What becomes of a penalty that a layer has already.

    References:
        Krogh, A. and Hertz, J. (1991). A simple weight decay can improve generalization. NIPS 4.
    """

    strength: float
    on: On = field(default="hidden", kw_only=True)
    existing: Existing = field(default="add", kw_only=True)

    def __post_init__(self) -> None:
        check_strength(self, self.strength)
        check_choice("existing", self.existing, Existing)

    def strengths(self) -> tuple[float, float]:
        """Return 0 and the strength."""
        return 0.0, float(self.strength)


@dataclass(frozen=True, eq=False)
class L1L2(Penalty):
    r"""Both penalties, $\lambda_1 \sum |w| + \lambda_2 \sum w^2$ (elastic net).

    Attributes:
        l1: $\lambda_1$, at least 0.
        l2: $\lambda_2$, at least 0.
        on: Which layers, as for `L2`.
        existing: What becomes of a penalty that a layer has already.

    References:
        Zou, H. and Hastie, T. (2005). doi:10.1111/j.1467-9868.2005.00503.x
    """

    l1: float
    l2: float
    on: On = field(default="hidden", kw_only=True)
    existing: Existing = field(default="add", kw_only=True)

    def __post_init__(self) -> None:
        check_strength(self, self.l1)
        check_strength(self, self.l2)
        check_choice("existing", self.existing, Existing)

    def strengths(self) -> tuple[float, float]:
        """Return both strengths."""
        return float(self.l1), float(self.l2)
