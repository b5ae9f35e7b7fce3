"""Batch normalization between a layer and its activation."""

from dataclasses import dataclass, field
from typing import Any

import keras

from gengap.errors import RemedyError
from gengap.keras_models.anatomy import NORMALIZATIONS, Anatomy, Call, On, own_activation
from gengap.remedies.base import Edit, Layer, Surgery
from gengap.remedies.checks import check_rate
from gengap.remedies.explanation import Change, grouped


@dataclass(frozen=True, eq=False)
class BatchNorm(Surgery):
    """Batch normalization after each hidden layer and before its activation, as Ioffe and Szegedy put it.

    An activation inside the layer is taken out and put behind the normalization, which changes nothing else: the
    layer's weights are kept, its bias becomes redundant but stays. Recurrent and wrapped layers cannot be opened that
    way and are normalized after their output. Layers that are normalized already are left alone.

    Attributes:
        momentum: How much of the moving mean and variance is kept at each step, in [0, 1). Keras' own default of .99
            takes hundreds of steps to arrive: for short trainings less is better.
        on: Which layers. Default `"hidden"`: the output's scale is the answer's.

    References:
        Ioffe, S. and Szegedy, C. (2015). Batch normalization. arXiv:1502.03167
    """

    momentum: float = field(default=0.99, kw_only=True)
    on: On = field(default="hidden", kw_only=True)

    def __post_init__(self) -> None:
        check_rate(self, self.momentum)

    def edit(self, anatomy: Anatomy) -> Edit:
        """Choose the layers, and open those that have an activation inside."""
        configs: dict[int, dict[str, Any]] = {}
        follow: dict[int, list[Layer]] = {}
        changes: list[Change] = []
        names: set[str] = set()
        for call in anatomy.select(self.on):
            if reason := _why_not(anatomy, call):
                changes.append(Change(str(self), call.path, reason=reason))
                continue
            follow[id(call.node)] = [self._layer(call, _name(anatomy, call, "batch_norm", names))]
            how = f"followed by BatchNormalization {follow[id(call.node)][0].name!r}"
            if own_activation(call.operation) and _can_open(call.operation):
                configs[id(call.operation)] = {**call.operation.get_config(), "activation": "linear"}
                name = _name(anatomy, call, "activation", names)
                policy = call.operation.dtype_policy
                follow[id(call.node)].append(
                    keras.layers.Activation(call.operation.activation, name=name, dtype=policy)
                )
                how += ", then its activation"
            changes.append(Change(str(self), call.path, how))
        if not follow:
            raise RemedyError(f"{self} finds no place in model {anatomy.model.name!r}. {grouped(changes)}.")
        return Edit(configs=configs, follow=follow, changes=tuple(changes))

    def _layer(self, call: Call, name: str) -> Layer:
        policy = call.operation.dtype_policy
        axis = 1 if getattr(call.operation, "data_format", None) == "channels_first" else -1
        return keras.layers.BatchNormalization(axis=axis, momentum=float(self.momentum), name=name, dtype=policy)


def _name(anatomy: Anatomy, call: Call, word: str, names: set[str]) -> str:
    name = anatomy.free_name(f"{call.operation.name}_{word}", names)
    names.add(name)
    return name


def _can_open(layer: Layer) -> bool:
    return not isinstance(layer, keras.layers.RNN | keras.layers.Wrapper) and not isinstance(
        layer.activation, keras.Layer
    )


def _why_not(anatomy: Anatomy, call: Call) -> str:
    if call.is_output or not anatomy.is_hidden(call):
        return "its output is an output of the model"
    if not isinstance(call.operation, keras.Layer):
        return "it is not a layer"
    if any(isinstance(other.operation, NORMALIZATIONS) for other in anatomy.consumers(call)):
        return "it is normalized already"
    if isinstance(getattr(call.operation, "activation", None), keras.Layer):
        return "its activation is a layer inside the layer: write it as a layer behind it"
    return ""
