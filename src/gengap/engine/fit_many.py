"""Trains many Keras models as fast as one, in place: the engine without a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gengap.datasets.split import Task
from gengap.deprecated import old_arguments
from gengap.engine.computation import OF_TRAINING, Computation, check_computation
from gengap.engine.fit_inputs import as_runs, as_training
from gengap.engine.fused import train_fused
from gengap.engine.runs import Array, Collector
from gengap.errors import DataError
from gengap.remedies.stopping import StoppingRule


@dataclass(frozen=True, eq=False)
class History:
    """What one model's training leaves, as Keras' own `History` has it.

    Attributes:
        history: Per epoch, by name: `loss` and `val_loss` without penalties, `penalty`, `train_score`, `val_score`, and
            the model's metrics under Keras' names.
        epoch: Epochs, from 0 as in Keras.
        status: `"completed"`, or a sentence: diverged or stopped, and when.
        best_epoch: Epoch (from 1) of the best held-out score.
    """

    history: Mapping[str, list[float]]
    epoch: list[int]
    status: str
    best_epoch: int


@old_arguments("gengap.fit_many")
def fit_many(  # noqa: PLR0913  `Model.fit` has as many, and all but three are keywords with defaults
    models: Sequence[Any],
    x: Any,
    y: Any = None,
    *,
    seeds: Sequence[int],
    epochs: int = 1,
    batch_size: int = 32,
    validation_data: Any = None,
    sample_weight: Array | None = None,
    class_weight: Mapping[int, float] | None = None,
    shuffle: bool = True,
    initial_weights: Literal["fresh", "keep"] = "fresh",
    stopping: StoppingRule | None = None,
    restore_best_weights: bool = False,
    task: Task | None = None,
    score: str | None = None,
    output: str | None = None,
    from_logits: bool | None = None,
    training_score: bool = True,
    computation: Computation = Computation(),  # noqa: B008  a frozen value
) -> list[History]:
    """Train compiled Keras models in place, each with its own seed, those of equal architecture as one program.

    Args:
        models: Compiled, built models. Every one ends with the weights that it was trained to.
        x: Inputs: NumPy arrays, memory maps, tensors, data frames, SciPy CSR matrices, or a list or mapping of these;
            or what yields batches, which is read once: `keras.utils.PyDataset`, `tf.data.Dataset`, torch `DataLoader`,
            a finite generator.
        y: Answers, shape `(n,)` or as the models' losses want them; None with what yields batches.
        seeds: One seed per model; models of equal seed share batches, noise and initial weights where shapes allow.
        epochs: How many times each model sees the cases.
        batch_size: Cases a step.
        validation_data: `(x, y)`, `(x, y, sample_weight)`, or what yields batches.
        sample_weight: What each case counts, shape `(n,)`.
        class_weight: What each label counts.
        shuffle: Whether each epoch sees the cases in a new order.
        initial_weights: `"fresh"` draws each model's weights from its seed, `"keep"` starts from what it has.
        stopping: When a model stops by itself.
        restore_best_weights: Whether models end with the weights of their best epoch instead of the last.
        task: What the models predict; None reads it from loss and last activation.
        score: The held-out score that says which epoch is best; None takes the task's own.
        output: Name of the output that is scored, for models with several.
        from_logits: Whether outputs under a loss of your own still need a sigmoid or softmax; None reads it from the
            last activation.
        training_score: Whether histories hold `train_score`, for which the cases are predicted once more every epoch.
        computation: How it is computed: number format, compilation, device, plan.

    Returns:
        One history per model.

    Raises:
        DataError: Lengths of `models` and `seeds`, or of `x` and `y`, differ; or what needs validation data has none.
        ModelError: A model is not compiled or not built.
        ValueError: `computation` holds a memory limit.

    Example:
        >>> from gengap.engine.fit_many import fit_many
        >>> import keras, numpy as np
        >>> models = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(3)]
        >>> for model in models:
        ...     model.compile("sgd", "mse")
        >>> x = np.linspace(-1, 1, 40).reshape(20, 2).astype("float32")
        >>> histories = fit_many(models, x, x.sum(axis=1), seeds=range(3), epochs=4)
        >>> [len(one.history["loss"]) for one in histories]
        [4, 4, 4]
    """
    check_computation(computation, *OF_TRAINING, "plan", by="fit_many")
    if validation_data is None and (stopping is not None or restore_best_weights):
        raise DataError("`stopping` and `restore_best_weights` look at a validation split: give `validation_data=`.")
    runs = as_runs(models, seeds, stopping=stopping)
    data, settings = as_training(
        models,
        x,
        y,
        validation_data=validation_data,
        sample_weight=sample_weight,
        task=task,
        score=score,
        output=output,
        from_logits=from_logits,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        class_weight=class_weight,
        initial_weights=initial_weights,
        training_score=training_score,
        **computation.of_training(),
    )
    collector = Collector()
    train_fused(runs, data, settings, collector, plan=computation.plan, device=computation.device)
    records = {int(record.variant): record for record in collector.records}
    histories = []
    for position, model in enumerate(models):
        record = records[position]
        model.set_weights(list(record.weights_best if restore_best_weights else record.weights_last))
        history = {name: np.asarray(values).tolist() for name, values in record.history.items()}
        trained = list(range(len(next(iter(history.values())))))
        histories.append(History(history, trained, record.status, record.best_epoch))
    return histories
