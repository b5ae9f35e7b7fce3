"""Trains many Keras models as fast as one, in place: the engine without a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gengap.datasets.split import Task
from gengap.deprecated import old_arguments
from gengap.engine.callbacks import Callbacks, read_callbacks
from gengap.engine.computation import OF_TRAINING, Computation, check_computation
from gengap.engine.fit_inputs import as_runs, as_training
from gengap.engine.fused import train_fused
from gengap.engine.rates import RateRule, check_followed, check_rates, describe_rates, rate_of
from gengap.engine.runs import Array, Collector
from gengap.errors import DataError
from gengap.remedies.stopping import StoppingRule

_CHECKPOINTS = (
    "`restore_best_weights=True` leaves each model with the weights of its best epoch, and "
    'gg.Study(models, storage="folder") keeps every run on disk and goes on after a crash'
)


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
    callbacks: Sequence[Any] = (),
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
        callbacks: Callbacks of Keras, which act on each model by itself, as in a study: EarlyStopping, LambdaCallback
            with `on_epoch_end`, CSVLogger, TensorBoard, TerminateOnNaN, ReduceLROnPlateau, LearningRateScheduler. They
            are told `model`, the place in `models`, and `seed`. Others are refused, with what to do instead.
        stopping: When a model stops by itself.
        restore_best_weights: Whether models end with the weights of their best epoch instead of the last; so does
            `EarlyStopping(restore_best_weights=True)`.
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
        ModelError: A model is not compiled or not built, or has a learning rate that no callback can change.
        ValueError: `computation` holds a memory limit, or a callback is set up as models that train together cannot
            have it.
        TypeError: A callback has no place where models train together.

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
    called = _read(callbacks, stopping)
    best = restore_best_weights or called.restores_best
    if validation_data is None and (called.stopping is not None or best):
        raise DataError("`stopping` and `restore_best_weights` look at a validation split: give `validation_data=`.")
    runs = as_runs(models, seeds, stopping=called.stopping)
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
        rates=called.rates,
        **computation.of_training(),
    )
    _check_rates(called.rates, models, epochs, held_out=data.validation is not None)
    collector = Collector()
    with called.heard(collector, lambda run: {"model": int(run.variant), "seed": run.seed}) as listener:
        train_fused(runs, data, settings, listener, plan=computation.plan, device=computation.device)
    records = {int(record.variant): record for record in collector.records}
    histories = []
    for position, model in enumerate(models):
        record = records[position]
        model.set_weights(list(record.weights_best if best else record.weights_last))
        history = {name: np.asarray(values).tolist() for name, values in record.history.items()}
        trained = list(range(len(next(iter(history.values())))))
        histories.append(History(history, trained, record.status, record.best_epoch))
    return histories


def _read(given: Sequence[Any], stopping: StoppingRule | None) -> Callbacks:
    """Read callbacks, among them the stopping rule, which can be given in either way."""
    found = read_callbacks(given, checkpoints=_CHECKPOINTS)
    if found.stopping is not None and stopping is not None:
        raise ValueError("Give `stopping` or the callback EarlyStopping: a model has one stopping rule.")
    return replace(found, stopping=found.stopping or stopping)


def _check_rates(rates: Sequence[RateRule], models: Sequence[Any], epochs: int, *, held_out: bool) -> None:
    """Check, before anything trains, that models which train together can share what changes their rates."""
    check_rates({f"model {place}": model for place, model in enumerate(models)}, rates)
    check_followed(rates, held_out=held_out)
    for model in models if rates else ():
        describe_rates(rates, rate_of(model.optimizer), epochs)
