"""The plain Keras loop, one run after another: the oracle of the tests and the fallback of the fused engine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gengap.datasets.cases import count_cases, take
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.training_data import TrainingData
from gengap.engine.batches import batches_of, epoch_order, subset
from gengap.engine.examination import as_tensor, examine_run
from gengap.engine.kinds import kind_of
from gengap.engine.log import RunLog
from gengap.engine.rates import LEARNING_RATE, RunRates, rate_of
from gengap.engine.runs import Listener, Run, RunRecord, TrainingSettings
from gengap.errors import DataError, GengapError
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.compile_state import judge_logits_at_zero, named_values
from gengap.keras_models.frozen import num_trained
from gengap.keras_models.fusable import leaves_more_than_an_output
from gengap.keras_models.heads import as_returned, as_taken
from gengap.keras_models.initial_weights import draw_initial_weights
from gengap.keras_models.outputs import targets, to_predictions
from gengap.keras_models.separability import may_mix_samples
from gengap.layers.moment import INFERENCE
from gengap.layers.noise_hooks import HookedNoise

_CASES_PER_PREDICTION = 4096
_LOST = (
    "In Keras' own loop torch's loss met a probability that is no number, and on a GPU that ends what a process can do "
    "there. Runs that were finished are kept where the study has a store; go on in a new process with "
    "CUDA_VISIBLE_DEVICES='' set: on the CPU such a run gets the status 'diverged', and the others go on."
)


def train_reference(runs: Sequence[Run], data: TrainingData, settings: TrainingSettings, listener: Listener) -> None:
    """Train every run by Keras' own `train_on_batch`, on whatever backend Keras has.

    Args:
        runs: The runs; their models stay as they are.
        data: Validated splits.
        settings: What the runs have in common.
        listener: Is told of every finished epoch and run.
    """
    for run in {id(run.model): run for run in runs}.values():
        examine_run(run, data, settings)  # what it says of training together is nothing to this loop
    for run in runs:
        listener.on_record(train_alone(run, data, settings, listener))


def train_alone(run: Run, data: TrainingData, settings: TrainingSettings, listener: Listener) -> RunRecord:
    """Train one run on a clone of its model and return its record."""
    data, run = bound(data.of(run.fold), run.model), replace(run, fold=None)
    model = clone_compiled(run.model)
    fresh = settings.initial_weights == "fresh"
    model.set_weights(draw_initial_weights(run.model, run.seed, run.kept) if fresh else run.model.get_weights())
    _as_in_fit(model)
    kind = kind_of(model, settings)
    judge_logits_at_zero(model, kind)
    num_cases = count_cases(data.train.x)
    chosen = subset(run.seed, num_cases, share=run.share) if run.share < 1 else None
    log = RunLog(run, kind, data, settings, training_cases=chosen, parameters=num_trained(model))
    noise = HookedNoise(model, run.seed)
    at_once = settings.batch_size if may_mix_samples(model) else max(settings.batch_size, _CASES_PER_PREDICTION)
    x_own = data.train.x if chosen is None else take(data.train.x, np.flatnonzero(chosen))
    rates = RunRates(settings.rates, rate_of(model.optimizer) if settings.rates else 0.0)
    for epoch in range(1, settings.epochs + 1):
        if settings.rates:
            model.optimizer.learning_rate = rates.begin(epoch)
        logs = _train_epoch(model, kind, run, data, settings, noise, epoch)
        logs |= {LEARNING_RATE: rates.rate} if settings.rates else {}
        with _averaged(model):
            logs["penalty"] = logs.get("penalty", 0.0) + weight_penalty(model)
            raw = {name: predict(model, split.x, noise, at_once) for name, split in data.held_out().items()}
            if "validation" in raw and np.isfinite(logs["loss"]) and _finite(raw["validation"]):
                with noise.at(INFERENCE, 0):
                    logs |= _evaluate(model, kind, data, raw["validation"], settings.batch_size)
            goes_on = log.end_epoch(
                logs,
                to_predictions(predict(model, x_own, noise, at_once), kind),
                {name: to_predictions(values, kind) for name, values in raw.items()},
                model.get_weights,
            )
        rates.end(log.latest())
        listener.on_epoch(run, epoch, log.latest())
        if not goes_on:
            break
    with _averaged(model):
        return log.record(model.get_weights())


def predict(model: keras.Model, x: Any, noise: HookedNoise, at_once: int = _CASES_PER_PREDICTION) -> Any:
    """Return the raw output of a model for all cases, in inference mode and batches of `at_once`, as NumPy arrays."""
    num_cases = count_cases(x)
    slices = [slice(start, start + at_once) for start in range(0, num_cases, at_once)]
    parts = []
    for place, one in enumerate(slices, start=1):
        with noise.at(INFERENCE, place):
            parts.append(model.predict_on_batch(take(x, one)))
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def bound(data: TrainingData, model: keras.Model) -> TrainingData:
    """Return data whose inputs have the structure that a model was made with."""
    splits = (data.train, data.validation, data.test)
    return TrainingData(*(None if one is None else replace(one, x=as_taken(model, one.x)) for one in splits))  # type: ignore[arg-type]


def case_weights(data: TrainingData, settings: TrainingSettings) -> NDArray[np.float32] | None:
    """Return what each training case counts in the objective: its own weight times that of its label."""
    weight = None if data.train.sample_weight is None else np.asarray(data.train.sample_weight, dtype=np.float32)
    if settings.class_weight is None:
        return weight
    if isinstance(data.train.y, Mapping):
        raise DataError(
            "`class_weight` weighs the labels of one output, and these models have several, all of which a case's "
            "weight counts in: give `sample_weight`, one number for each case, made from the labels."
        )
    of_label = np.array([settings.class_weight.get(int(label), 1.0) for label in data.train.y], dtype=np.float32)
    return of_label if weight is None else weight * of_label


def weight_penalty(model: keras.Model) -> float:
    """Return the sum of the L1 and L2 penalties on a model's weights as they are now."""
    penalized = [weight for weight in model.trainable_weights if weight.regularizer is not None]
    return sum(_number(weight.regularizer(weight)) for weight in penalized)


@contextmanager
def _averaged(model: keras.Model) -> Iterator[None]:
    """Put the moving averages of the weights, where the optimizer keeps them, in the place of the weights.

    Keras does so only when `fit` ends; a study scores them at every epoch.
    """
    if not getattr(model.optimizer, "use_ema", False):
        yield
        return
    trained = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    yield
    model.set_weights(trained)


def _train_epoch(  # noqa: PLR0917  private, and every argument is what its name says
    model: keras.Model,
    kind: OutputKind,
    run: Run,
    data: TrainingData,
    settings: TrainingSettings,
    noise: HookedNoise,
    epoch: int,
) -> dict[str, float]:
    """Run one epoch; `loss` and metrics are running means with noise on, penalties are taken out of the loss.

    `penalty` is the running mean of what layers added to the objective, where any did.
    """
    order = epoch_order(run.seed, epoch, count_cases(data.train.x), share=run.share, shuffle=settings.shuffle)
    y, weight = as_returned(model, targets(data.train.y, kind)), case_weights(data, settings)
    penalized = any(one.regularizer is not None for one in model.trainable_weights)
    penalty, added = 0.0, 0.0
    with _running(model):
        for step, batch in enumerate(batches_of(order, settings.batch_size), start=1):
            if penalized:
                penalty += weight_penalty(model) * len(batch) / len(order)
            given = take(data.train.x, batch), take(y, batch), None if weight is None else weight[batch]
            try:
                with noise.at(epoch, step):
                    model.train_on_batch(*(keras.tree.map_structure(as_tensor, one) for one in given))
            except RuntimeError as error:
                if "device-side assert" in str(error):
                    raise GengapError(_LOST) from error
                if _is_finite(model, given[0]):
                    raise
                return {"loss": np.nan}  # torch's cross-entropy refuses the NaN that the outputs have become
            added += added_losses(model) * len(batch) / len(order)
        logs = _flat_logs(model.get_metrics_result())
    return {**logs, "loss": logs["loss"] - penalty - added, "penalty": added}


def _is_finite(model: keras.Model, x: Any) -> bool:
    """Tell whether weights are, and what they make of a batch: huge ones give NaN as infinity less infinity."""
    outputs = keras.tree.flatten(model.predict_on_batch(keras.tree.map_structure(as_tensor, x)))
    return all(np.isfinite(one).all() for one in (*model.get_weights(), *outputs))


@contextmanager
def _running(model: keras.Model) -> Iterator[None]:
    """Let metrics run on through an epoch, as in `fit`: `train_on_batch` resets them at every step."""
    model.reset_metrics()
    model.reset_metrics = lambda: None
    try:
        yield
    finally:
        del model.reset_metrics


def _flat_logs(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for metric, result in logs.items() for name, value in named_values(metric, result).items()}


def _as_in_fit(model: keras.Model) -> None:
    """Hand a `train_step` of the user's own what `fit` would: `(x, y)` where cases have no weights."""
    if type(model).train_step is keras.Model.train_step:
        return
    own = model.train_step

    def train_step(*state_and_data: Any) -> Any:
        *state, data = state_and_data
        return own(*state, keras.utils.pack_x_y_sample_weight(*data))

    model.train_step = train_step


def _evaluate(model: keras.Model, kind: OutputKind, data: TrainingData, raw: Any, batch_size: int) -> dict[str, float]:
    """Return the objective without penalties and the metrics on the validation split, batch by batch as Keras does."""
    split = data.validation
    if split is None:
        return {}
    y, total, objective = as_returned(model, targets(split.y, kind)), count_cases(split.x), 0.0
    again = leaves_more_than_an_output(model)
    metrics: Mapping[str, Any] = {}
    model.reset_metrics()
    for start in range(0, total, batch_size):
        batch = slice(start, min(start + batch_size, total))
        own_y, y_pred = (keras.tree.map_structure(as_tensor, take(one, batch)) for one in (y, raw))
        if again:
            y_pred = model(take(split.x, batch), training=False)
        weight = None if split.sample_weight is None else keras.ops.convert_to_tensor(split.sample_weight[batch])
        loss = model.compute_loss(y=own_y, y_pred=y_pred, sample_weight=weight, training=False)  # heads keep theirs
        data_loss = _number(loss) - sum(_number(keras.ops.sum(one)) for one in model.losses)
        objective += data_loss * (batch.stop - batch.start) / total
        metrics = model.compute_metrics(None, own_y, y_pred, sample_weight=weight)
    idle = {"loss", *(one.name for one in model.metrics if one.variables and not any(map(_moved, one.variables)))}
    logs = _flat_logs({name: value for name, value in metrics.items() if name not in idle})
    return {"val_loss": objective, **{f"val_{name}": value for name, value in logs.items()}}


def _moved(variable: Any) -> bool:
    """Tell whether a metric's variable holds anything: those that only a `train_step` writes would be logged as 0."""
    return bool(np.any(keras.ops.convert_to_numpy(variable)))


def _finite(raw: Any) -> bool:
    return all(np.isfinite(one).all() for one in keras.tree.flatten(raw))


def added_losses(model: keras.Model) -> float:
    """Return what layers added to the objective in the last call: penalties on activities, `add_loss`.

    Other backends than torch train in functions of their own, after which no layer holds what it added: 0 there.
    """
    if keras.config.backend() != "torch":
        return 0.0
    penalized = sum(weight.regularizer is not None for weight in model.trainable_weights)
    losses = model.losses  # those of weights come last
    return sum(_number(keras.ops.sum(one)) for one in losses[: len(losses) - penalized])


def _number(scalar: Any) -> float:
    return float(keras.ops.convert_to_numpy(scalar))
