"""`predict_distribution`: one model's dropout, a study's seeds, or both, as a predictive distribution."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, get_args

import keras
import numpy as np
import xarray as xr

from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Task
from gengap.deprecated import old_arguments
from gengap.engine.computation import Computation, check_computation
from gengap.engine.memory import keep_freed_memory
from gengap.errors import ModelError
from gengap.keras_models.graph import input_specs
from gengap.keras_models.loss_kinds import read_loss
from gengap.keras_models.outputs import describe_output, output_position, read_activation, to_predictions
from gengap.randomness import key
from gengap.results import Result
from gengap.sampling.cases import count_cases, flat_cases
from gengap.sampling.found_noise import ModelNoise
from gengap.sampling.members import Array, draw_members, look_for_noise, predict_deterministic, say_what_is_off
from gengap.sampling.noise_layers import NoiseStrength, noise_layers
from gengap.sampling.progress import RowProgress

Method = Literal["dropout", "ensemble", "ensemble+dropout"]

MEMORY_LIMIT = 1 << 29
"""Bytes that activations may take: 512 MiB."""


@old_arguments("gengap.predict_distribution")
def predict_distribution(  # noqa: PLR0913  what is sampled, how strongly, how it is computed
    source: Any,
    x: Any,
    *,
    num_members: int = 1000,
    method: Method = "dropout",
    variant: str | None = None,
    rate: float | Mapping[str, float] | None = None,
    scale: float | Mapping[str, float] = 1.0,
    seed: int = 0,
    fixed_mask: bool = False,
    computation: Computation = Computation(),  # noqa: B008  a frozen value
    task: Task | None = None,
    output: str | None = None,
    progress: bool = True,
) -> PredictiveDistribution:
    """Predict the distribution of possible forecasts of every case.

    Whatever makes noise in training is on (dropout of every kind, Gaussian noise, attention, recurrent dropout,
    stochastic depth, layers of one's own: they are found by calling the model on two cases), everything else is in
    inference mode, and nothing of the model is changed. Augmentation stays off, since a forecast is not augmented; what
    else has to stay off is named in a warning and in `settings["noise_off"]`. What precedes the noise is computed once
    per case. A member's noise depends on (seed, layer, case, member) alone: neither the memory limit nor what stands
    beside a case changes it, and more members extend fewer. Rates are rounded to 1 / 65,536. Layers that mix the cases
    of a batch see the cases of one member, 32 at a time as in `predict`, never other members.

    Args:
        source: A built Keras model, or a `Result` whose networks were kept.
        x: Cases, as the model takes them; CSR rows stay sparse up to the first Dense layer.
        num_members: Number of members; `"ensemble+dropout"` shares them out equally among the seeds (rounding up), and
            `"ensemble"` has one per seed, whatever is asked.
        method: `"dropout"` draws masks of one network (of a result: of its run of median score), `"ensemble"` takes one
            forecast of every seed, `"ensemble+dropout"` draws masks of every seed.
        variant: Which variant of a result; None takes its baseline.
        rate: Rate of all dropout layers at inference, or rates by layer name; None leaves the trained ones.
        scale: Factor on the trained strength of all noise layers, or factors by layer name.
        seed: Fixes all masks.
        fixed_mask: Whether member m is one network for all cases, so that differences between cases within a member
            are differences between cases; else every case has masks of its own.
        computation: How it is computed. The precision `"bfloat16"` computes convolutions and pooling after the noise in
            half the bits where that is faster (not where Numba computes them), and is then off by about a fiftieth of
            the spread; the last layers stay in float32. The memory limit decides how much is computed at once.
        task: What the model predicts; None reads it from its loss and last activation.
        output: Name of the output of a model with several; None takes the first.
        progress: Whether to show a bar when the work takes longer than a moment.

    Raises:
        ModelError: No layer makes noise, its strength cannot be set, it cannot be seeded, or the kind of output cannot
            be read.
        DataError: There is no case, or inputs have shapes that are not the model's or different numbers of cases.
        UnknownNameError: `rate` or `scale` names no noise layer; the result has no such variant.
        ValueError: A rate is outside [0, 1), a scale negative, fewer than two members, or a method that needs a result.

    Example:
        >>> import gengap as gg, keras, numpy as np
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1, "sigmoid")])
        >>> model.compile(loss="binary_crossentropy")
        >>> forecast = gg.predict_distribution(model, np.ones((3, 4), "float32"), num_members=200)
        >>> forecast.members.sizes
        Frozen({'member': 200, 'sample': 3})

    References:
        Gal, Y. and Ghahramani, Z. (2016). Dropout as a Bayesian approximation. ICML. arXiv 1506.02142

        Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017). Simple and scalable predictive uncertainty estimation
        using deep ensembles. NeurIPS. arXiv 1612.01474
    """
    check_settings(num_members, task)
    check_computation(computation, "precision", "memory_limit", by="predict_distribution")
    networks = _networks(source, method, variant)
    first = next(iter(networks.values()))
    kind = output_kind(first, task, output)
    strength = NoiseStrength(rate, scale)
    each = 1 if method == "ensemble" else -(-num_members // len(networks))
    total = count_cases(flat_cases(first, x)) * each * len(networks)
    deterministic, members = [], []
    found: dict[int, ModelNoise] = {}
    if method != "ensemble":
        found = {network_seed: look_for_noise(model, x) for network_seed, model in networks.items()}
        say_what_is_off(next(iter(found.values())))
    with keep_freed_memory(), RowProgress(total, shown=progress) as bar:
        for network_seed, model in networks.items():
            if method == "ensemble":
                deterministic.append(predict_deterministic(model, x, partial(to_predictions, kind=kind)))
                members.append(deterministic[-1][None])
                continue
            centre, drawn = draw_members(
                model,
                x,
                [strength],
                noise=found[network_seed],
                num_members=each,
                seed=seed if len(networks) == 1 else key(seed, "network", network_seed),
                fixed_mask=fixed_mask,
                precision=computation.precision,
                memory_limit=computation.memory_limit or MEMORY_LIMIT,
                read=partial(to_predictions, kind=kind),
                advance=bar.advance,
            )
            deterministic.append(centre)
            members += drawn
    settings = {
        "method": method,
        "variant": variant,
        "seed": seed,
        "fixed_mask": fixed_mask,
        "precision": computation.precision,
        "rates": {} if method == "ensemble" else {n.layer.name: strength.of(n) for n in noise_layers(first)},
        **noise_settings(next(iter(found.values()), None)),
    }
    return assemble(members, deterministic, list(networks), kind.task, settings)


def noise_settings(noise: ModelNoise | None) -> dict[str, Any]:
    """Return what a distribution tells of its noise beside rates: what else is on, what is off and why."""
    if noise is None:
        return {}
    return {"noise": noise.names, "noise_off": dict(noise.off), "noise_always": noise.always}


def check_settings(num_members: int, task: Task | None) -> None:
    """Raise where a setting cannot be meant.

    Raises:
        ValueError: A setting is not among its choices or out of its range.
        TypeError: The number of members is not a whole number.
    """
    if not isinstance(num_members, int | np.integer):
        raise TypeError(f"`num_members` must be a whole number; received {num_members!r}.")
    if num_members < 2:
        raise ValueError(f"`num_members` must be at least 2, or there is no distribution; received {num_members}.")
    if task is not None and task not in get_args(Task):
        raise ValueError(f"`task` must be one of {get_args(Task)} or None; received {task!r}.")


def output_kind(model: Any, task: Task | None, output: str | None = None) -> OutputKind:
    """Return how a model's output is read: from its loss, or without one from its last activation, or as declared.

    Raises:
        ModelError: The model is not compiled or subclassed, its last activation says nothing, and `task` is None.
    """
    if not isinstance(model, keras.Model):
        raise ModelError(f"A Keras model or a Result is needed; received {type(model).__name__}.")
    if not model.built:
        raise ModelError("The model is not built: call it on a batch, or `model.build(shape)`, before sampling it.")
    if model.compiled and model.loss is not None and (task is None or input_specs(model) is not None):
        return describe_output(model, output, task=task)
    found = task or read_activation(model, output)
    if found is None:
        raise ModelError(
            "Neither a loss (the model is not compiled) nor its last activation says what the model predicts: give "
            '`task`, "binary", "multiclass" or "regression".'
        )
    position = 0 if output is None else output_position(model, output)
    width = int(tuple(model.outputs[position].shape)[-1] or 0) if getattr(model, "outputs", None) else 0
    if task is None and found == "multiclass" and width == 2:
        found = "binary"
    loss = getattr(model, "loss", None)
    from_logits = isinstance(loss, keras.losses.Loss) and read_loss(loss, width=1).from_logits
    return OutputKind(found, from_logits=from_logits, one_hot=False, width=width, name=output, position=position)


def _networks(source: Any, method: Method, variant: str | None) -> dict[int, Any]:
    """Return the networks to sample by their seed; 0 for a model that was given by itself."""
    if method not in get_args(Method):
        raise ValueError(f"`method` must be one of {get_args(Method)}; received {method!r}.")
    if not isinstance(source, Result):
        if method != "dropout":
            raise ValueError(f"method={method!r} needs a Result with several seeds; received one model.")
        return {0: source}
    name = source.baseline if variant is None else variant
    seeds = [source.median_seed(name)] if method == "dropout" else source.seeds
    if method != "dropout" and len(seeds) < 2:
        raise ValueError(f"method={method!r} needs at least two seeds; the result has {len(seeds)}.")
    return {seed: source.model(name, seed=seed) for seed in seeds}


def assemble(
    members: Sequence[Array],
    deterministic: Sequence[Array],
    seeds: Sequence[int],
    task: Task,
    settings: Mapping[str, Any],
) -> PredictiveDistribution:
    """Put the members of each network together, each `(members, cases[, labels])`, deterministic forecasts likewise."""
    values = np.concatenate(members)
    dims = ("member", "sample", "label")[: values.ndim]
    network = np.repeat(list(seeds), [len(part) for part in members])
    coords = {"member": np.arange(len(values)), "sample": np.arange(values.shape[1]), "seed": ("member", network)}
    if values.ndim == 3:
        coords["label"] = np.arange(values.shape[2])
    plain = {name: coords[name] for name in dims[1:]}
    forecast = deterministic[0] if len(deterministic) == 1 else np.mean(deterministic, axis=0, dtype=np.float64)
    centre = xr.DataArray(forecast, dims=dims[1:], coords=plain)
    return PredictiveDistribution(xr.DataArray(values, dims=dims, coords=coords), centre, task, settings)
