"""One Keras optimizer per run, over views of the stack: always right, some Python per run and step."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch

from gengap.engine.optimizers.base import Array, Updater
from gengap.engine.optimizers.variables import bind, load_optimizer, moving_averages, numpy_state, variable_over
from gengap.keras_models.clone import copy_optimizer, excluded_from_decay, innermost, rate_factors
from gengap.keras_models.layer_rates import listed
from gengap.layers.stack import Stack


@final
class Apart(Updater):
    """For optimizers that take norms or look at shapes, scale losses, are the user's own, or differ between runs.

    Args:
        models: The compiled model of each run.
        stack: Their weights.
    """

    name = "apart"

    def __init__(self, models: Sequence[Any], stack: Stack) -> None:
        self._stack = stack
        self._optimizers: list[Any] = []
        self._variables: list[list[Any]] = []
        for k, model in enumerate(models):
            optimizer = copy_optimizer(model.optimizer)
            places = stack.trained()
            variables = [variable_over(stack.values[place].detach()[k], stack.names[place]) for place in places]
            excluded = {id(variable) for variable in excluded_from_decay(model)}
            own = [v for v, place in zip(variables, places, strict=True) if id(model.weights[place]) in excluded]
            if own:
                innermost(optimizer).exclude_from_weight_decay(var_list=own)
            if factors := rate_factors(model):
                innermost(optimizer).factors = listed([model.weights[place] for place in places], factors)
            with torch.no_grad():
                optimizer.build(variables)
            self._optimizers.append(optimizer)
            self._variables.append(variables)

    def update(self) -> None:
        """Let every optimizer update its run."""
        gradients = [self._stack.gradient(place) for place in self._stack.trained()]
        with torch.no_grad():
            for k, (optimizer, variables) in enumerate(zip(self._optimizers, self._variables, strict=True)):
                optimizer.apply([gradient[k] for gradient in gradients], variables)

    def set_rates(self, rates: Sequence[float], *, differ: bool) -> None:  # noqa: ARG002  they are apart anyway
        """Set the rate of every optimizer."""
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.learning_rate = rate

    def loss_scales(self) -> torch.Tensor | None:
        """Return the loss scale of each run, where any scales."""
        one = self._stack.flat.new_ones(())
        scales = [optimizer.scale_loss(one) for optimizer in self._optimizers]
        return None if all(scale is one for scale in scales) else torch.stack([scale.detach() for scale in scales])

    def averages(self) -> list[torch.Tensor] | None:
        """Return the averages that each run's optimizer keeps with `use_ema`; all runs of a chunk keep them or none."""
        each = [averages for one in self._optimizers if (averages := moving_averages(one)) is not None]
        return [torch.stack(same) for same in zip(*each, strict=True)] if len(each) == len(self._optimizers) else None

    def keep(self, runs: Sequence[int]) -> None:
        """Keep these optimizers, and let their variables see the new stack."""
        self._optimizers = [self._optimizers[k] for k in runs]
        self._variables = [self._variables[k] for k in runs]
        for k, variables in enumerate(self._variables):
            for place, variable in zip(self._stack.trained(), variables, strict=True):
                bind(variable, self._stack.values[place].detach()[k])

    def state(self) -> dict[str, Array]:
        """Return the variables of every optimizer, by position of the run."""
        return {
            f"{k}/{name}": value
            for k, optimizer in enumerate(self._optimizers)
            for name, value in numpy_state(optimizer).items()
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Assign the variables of every optimizer."""
        for k, optimizer in enumerate(self._optimizers):
            own = {name.split("/", 1)[1]: value for name, value in state.items() if name.startswith(f"{k}/")}
            load_optimizer(optimizer, own)
