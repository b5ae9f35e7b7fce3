"""Remedies that live in the optimizer: weight decay, the learning rate, an average of the weights along the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from gengap.errors import RemedyError
from gengap.keras_models.anatomy import Anatomy, On
from gengap.keras_models.clone import innermost, optimizer_config
from gengap.remedies.base import Edit, Model, Surgery
from gengap.remedies.checks import check_rate, check_strength
from gengap.remedies.explanation import Change


def with_config(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the edit of compile arguments that gives the optimizer another configuration."""

    def edit(arguments: dict[str, Any]) -> dict[str, Any]:
        optimizer = arguments["optimizer"]
        if optimizer is None or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            raise RemedyError(
                f"The optimizer is {optimizer!r}: compile the model with a plain one, Keras scales losses by itself."
            )
        return {**arguments, "optimizer": type(optimizer).from_config({**optimizer_config(optimizer), **changes})}

    return edit


@dataclass(frozen=True, eq=False)
class WeightDecay(Surgery):
    r"""Decoupled weight decay: each step takes $\eta \lambda w$ off every kernel, whatever its gradient was.

    Under SGD this equals an L2 penalty of $\lambda / 2$. Under Adam or RMSprop it does not: there a penalty's gradient
    is divided by the size of recent gradients like any other, so weights with large gradients are hardly shrunk.
    Here they are. Biases and the scales of normalizations are excluded, which plain `AdamW` does not do. Keras does not
    write exclusions into a `.keras` file: after loading one to train on, exclude again.

    Attributes:
        strength: $\lambda$; Keras multiplies it by the learning rate $\eta$. 0 is the identity.
        on: Which layers decay. Default `"kernels"`: decay is a property of the optimizer and by custom takes all.

    References:
        Loshchilov, I. and Hutter, F. (2019). Decoupled weight decay regularization. ICLR. arXiv:1711.05101
    """

    strength: float
    on: On = field(default="kernels", kw_only=True)

    def __post_init__(self) -> None:
        check_strength(self, self.strength)

    def edit(self, anatomy: Anatomy) -> Edit:
        """Give the optimizer its decay, and exclude all that is not a kernel of a chosen layer."""
        if self.strength == 0:
            return Edit(changes=(Change(str(self), "(optimizer)", reason="a strength of 0 changes nothing"),))
        chosen = [call.operation for call in anatomy.select(self.on)]
        kernels = {
            id(variable) for layer in chosen for variable in getattr(layer, "weights", ()) if _is_kernel(variable)
        }
        if not kernels:
            raise RemedyError(f"{self}: the chosen layers of model {anatomy.model.name!r} have no kernels.")
        variables = anatomy.model.trainable_variables
        changes = [
            Change(str(self), variable.path, f"decays by {self.strength:g} * learning rate")
            if id(variable) in kernels
            else Change(str(self), variable.path, reason=_why_not(variable))
            for variable in variables
        ]

        def exclude(model: Model, _: Sequence[tuple[Any, Any]]) -> None:
            # the graph is unchanged, so variables correspond one to one
            pairs = zip(variables, model.trainable_variables, strict=True)
            excluded = [new for old, new in pairs if id(old) not in kernels]
            innermost(model.optimizer).exclude_from_weight_decay(var_list=excluded)

        edit = with_config(weight_decay=float(self.strength))
        return Edit(compile=edit, finish=exclude, changes=tuple(changes))


def _is_kernel(variable: Any) -> bool:
    return len(variable.shape) >= 2 and "bias" not in variable.name


def _why_not(variable: Any) -> str:
    return "`on` leaves it out" if _is_kernel(variable) else "biases and scales of normalizations do not decay"


@dataclass(frozen=True, eq=False)
class EMA(Surgery):
    """An exponential moving average of the weights: after training, the model takes the average of its last steps.

    The average follows the weights with a memory of about `1 / (1 - momentum)` steps. As Keras has it, it takes the
    place of the weights at the end of `fit`; training itself is not changed.

    Attributes:
        momentum: How much of the average is kept at each step, in [0, 1); 0 is the identity.

    References:
        Polyak, B. and Juditsky, A. (1992). doi:10.1137/0330046
    """

    momentum: float = 0.99

    def __post_init__(self) -> None:
        check_rate(self, self.momentum)

    def edit(self, anatomy: Anatomy) -> Edit:  # noqa: ARG002  the optimizer holds it, no layer does
        """Switch on the optimizer's own moving average."""
        if self.momentum == 0:
            return Edit(changes=(Change(str(self), "(optimizer)", reason="a momentum of 0 changes nothing"),))
        steps = 1 / (1 - self.momentum)
        change = Change(str(self), "(optimizer)", f"weights averaged over about {steps:.3g} steps")
        return Edit(compile=with_config(use_ema=True, ema_momentum=float(self.momentum)), changes=(change,))
