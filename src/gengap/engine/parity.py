"""The parity certificate: how far a fused training is from Keras' own, run by run, over a few steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from keras import tree

from gengap.datasets.cases import count_cases, take
from gengap.datasets.training_data import TrainingData
from gengap.engine.batches import batches_of, training_order
from gengap.engine.fused import prepare_runs
from gengap.engine.loader import read_cases
from gengap.engine.reference import case_weights
from gengap.engine.runs import Run, TrainingSettings
from gengap.engine.trainer import PreparedRun, Trainer
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.devices import computing_as_told, current_device, device_of
from gengap.keras_models.graph import Step, walk
from gengap.keras_models.outputs import targets
from gengap.layers.noise_hooks import HookedNoise


@dataclass(frozen=True)
class Parity:
    """How far one run is from Keras.

    Attributes:
        variant: Name of the variant.
        seed: Seed of the run.
        steps: How many steps were taken.
        difference: Largest absolute difference of any weight afterwards, relative to the largest weight or 1.
        tolerance: What rounding may explain.
    """

    variant: str
    seed: int
    steps: int
    difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= self.tolerance


def certify_runs(
    runs: Sequence[Run], data: TrainingData, settings: TrainingSettings, *, steps: int = 20, tolerance: float = 1e-4
) -> list[Parity]:
    """Train runs together and each by Keras' layers, losses and optimizer, on the same batches with the same noise.

    Both compute where Keras does, on a GPU where there is one. Rounding grows with every step, chaotically in the end:
    after hundreds nothing can be certified.

    Args:
        runs: Runs of one architecture.
        data: Validated splits.
        settings: What the runs have in common; noise is the fused engine's on both sides.
        steps: How many steps, at most 50 and at most one epoch.
        tolerance: Largest difference that counts as rounding.
    """
    with computing_as_told():
        return _certify(runs, data, settings, steps, tolerance)


def _certify(
    runs: Sequence[Run], data: TrainingData, settings: TrainingSettings, steps: int, tolerance: float
) -> list[Parity]:
    prepared = prepare_runs(runs, data, settings)
    trainer = Trainer("certificate", prepared, data, settings, device=current_device())
    steps = min(steps, 50, trainer.steps_per_epoch)
    for _ in range(steps):
        trainer.advance()
    certificates = []
    for k, one in enumerate(prepared):
        alone = _train_alone(one, data, settings, steps)
        pairs = list(zip(trainer.stack.of_run(k), alone, strict=True))
        largest = max(1.0, *(float(np.abs(one).max(initial=0.0)) for _, one in pairs))
        difference = max(float(np.abs(np.asarray(a, float) - b).max(initial=0.0)) for a, b in pairs) / largest
        certificates.append(Parity(one.run.variant, one.run.seed, steps, difference, tolerance))
    return certificates


def _train_alone(one: PreparedRun, data: TrainingData, settings: TrainingSettings, steps: int) -> list[Any]:
    """Train one run by Keras' own layers, loss and optimizer; only the noise layers' draws are the fused engine's."""
    model = clone_compiled(one.model)
    model.set_weights(list(one.weights))
    noise = HookedNoise(model, one.run.seed)
    order = training_order(one.run, 1, count_cases(data.train.x), shuffle=settings.shuffle)
    y, weight = targets(data.train.y, one.kind), case_weights(data, settings)
    for step, cases in zip(range(1, steps + 1), batches_of(order, settings.batch_size), strict=False):
        batch = read_cases(model, take(data.train.x, cases), device=device_of(model))
        with noise.at(1, step):
            y_pred = walk(model, batch.span(0, len(cases)), _call_in_training)
        y_true = tree.map_structure(keras.ops.convert_to_tensor, take(y, cases))
        own_weight = None if weight is None else keras.ops.convert_to_tensor(weight[cases])
        loss = model.compute_loss(y=y_true, y_pred=y_pred, sample_weight=own_weight, training=True)
        trained = model.trainable_weights
        gradients = torch.autograd.grad(model.optimizer.scale_loss(loss), [w.value for w in trained], allow_unused=True)
        with torch.no_grad():
            model.optimizer.apply(list(gradients), trained)
    return list(model.get_weights())


def _call_in_training(step: Step, *args: Any, **kwargs: Any) -> Any:
    return step.operation(*args, **kwargs, **({"training": True} if step.takes_training else {}))
