"""`predict_distribution`: one model's dropout, a study's seeds, or both, as a predictive distribution."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from gengap.datasets.split import Task
from gengap.engine.memory import keep_freed_memory
from gengap.engine.outputs import OutputKind, describe_output, to_predictions
from gengap.engine.randomness import key
from gengap.engine.walk import flat_inputs
from gengap.errors import ModelError
from gengap.results import Result
from gengap.sampling.distribution import PredictiveDistribution
from gengap.sampling.members import Array, count_cases, draw_members, predict_deterministic
from gengap.sampling.noise import NoiseStrength, noise_layers
from gengap.sampling.progress import RowProgress
from gengap.sampling.sampler import Precision

Method = Literal["dropout", "ensemble", "ensemble+dropout"]

MEMORY_LIMIT = 1 << 29
"""Bytes that activations may take: 512 MiB."""


def predict_distribution(  # noqa: PLR0913  what is sampled, how strongly, how it is computed
    source: Any,
    x: Any,
    *,
    num_samples: int = 1000,
    method: Method = "dropout",
    variant: str | None = None,
    rate: float | Mapping[str, float] | None = None,
    scale: float | Mapping[str, float] = 1.0,
    seed: int = 0,
    fixed_mask: bool = False,
    precision: Precision = "float32",
    memory_limit: int = MEMORY_LIMIT,
    task: Task | None = None,
    progress: bool = True,
) -> PredictiveDistribution:
    """Predict the distribution of possible forecasts of every case.

    Noise layers (dropout of every kind, Gaussian noise) are on, everything else is in inference mode. What precedes the
    noise is computed once per case. A member's masks depend on (seed, layer, case, member) alone: neither the memory
    limit nor what stands beside a case changes them, and more samples extend fewer. Rates are rounded to 1 / 65,536.

    Args:
        source: A built Keras model, or a `Result` whose networks were kept.
        x: Cases, as the model takes them; CSR rows stay sparse up to the first Dense layer.
        num_samples: Number of members; `"ensemble+dropout"` shares them out equally among the seeds (rounding up), and
            `"ensemble"` has one per seed, whatever is asked.
        method: `"dropout"` draws masks of one network (of a result: of its run of median score), `"ensemble"` takes one
            forecast of every seed, `"ensemble+dropout"` draws masks of every seed.
        variant: Which variant of a result; None takes its baseline.
        rate: Rate of all dropout layers at inference, or rates by layer name; None leaves the trained ones.
        scale: Factor on the trained strength of all noise layers, or factors by layer name.
        seed: Fixes all masks.
        fixed_mask: Whether member m is one network for all cases, so that differences between cases within a member
            are differences between cases; else every case has masks of its own.
        precision: `"bfloat16"` computes convolutions and pooling after the noise in half the bits: faster, and off by
            about a fiftieth of the spread; the last layers stay in float32.
        memory_limit: Bytes that activations may take; it decides how much is computed at once.
        task: What the model predicts; None reads it from its loss and last activation.
        progress: Whether to show a bar when the work takes longer than a moment.

    Raises:
        ModelError: No layer makes noise, its strength cannot be set, or the kind of output cannot be read.
        DataError: There is no case, or inputs have different numbers of them.
        UnknownNameError: `rate` or `scale` names no noise layer; the result has no such variant.
        ValueError: A rate is outside [0, 1), a scale negative, fewer than two samples, or a method that needs a result.

    Example:
        >>> import keras, numpy as np
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1, "sigmoid")])
        >>> model.compile(loss="binary_crossentropy")
        >>> forecast = predict_distribution(model, np.ones((3, 4), "float32"), num_samples=200)
        >>> forecast.members.sizes
        Frozen({'member': 200, 'sample': 3})

    References:
        Gal, Y. and Ghahramani, Z. (2016). Dropout as a Bayesian approximation. ICML. arXiv 1506.02142

        Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017). Simple and scalable predictive uncertainty estimation
        using deep ensembles. NeurIPS. arXiv 1612.01474
    """
    if num_samples < 2:
        raise ValueError(f"`num_samples` must be at least 2, or there is no distribution; received {num_samples}.")
    networks = _networks(source, method, variant)
    first = next(iter(networks.values()))
    kind = output_kind(first, task)
    strength = NoiseStrength(rate, scale)
    each = 1 if method == "ensemble" else -(-num_samples // len(networks))
    total = count_cases(flat_inputs(first, x)) * each * len(networks)
    deterministic, members = [], []
    with keep_freed_memory(), RowProgress(total, shown=progress) as bar:
        for network_seed, model in networks.items():
            deterministic.append(predict_deterministic(model, x, partial(to_predictions, kind=kind)))
            if method == "ensemble":
                members.append(deterministic[-1][None])
                continue
            members += draw_members(
                model,
                x,
                [strength],
                num_samples=each,
                seed=seed if len(networks) == 1 else key(seed, "network", network_seed),
                fixed_mask=fixed_mask,
                precision=precision,
                memory_limit=memory_limit,
                read=partial(to_predictions, kind=kind),
                deterministic=deterministic[-1],
                advance=bar.advance,
            )
    settings = {
        "method": method,
        "variant": variant,
        "seed": seed,
        "fixed_mask": fixed_mask,
        "precision": precision,
        "rates": {} if method == "ensemble" else {n.layer.name: strength.of(n) for n in noise_layers(first)},
    }
    return assemble(members, deterministic, list(networks), kind.task, settings)


def output_kind(model: Any, task: Task | None) -> OutputKind:
    """Return how a model's output is read; a subclassed one does not say, so its `task` is needed.

    Raises:
        ModelError: The model is not compiled or subclassed, and `task` is None.
    """
    if hasattr(model, "output_shape") and (model.compiled or task is None):
        return describe_output(model, task=task)
    if task is None:
        raise ModelError("A subclassed model does not say what its output is: give `task`.")
    from_logits = bool(getattr(getattr(model, "loss", None), "from_logits", False))
    return OutputKind(task, from_logits=from_logits, one_hot=False, width=0)


def _networks(source: Any, method: Method, variant: str | None) -> dict[int, Any]:
    """Return the networks to sample by their seed; 0 for a model that was given by itself."""
    if method not in get_args(Method):
        raise ValueError(f"`method` must be one of {get_args(Method)}; received {method!r}.")
    if not isinstance(source, Result):
        if method != "dropout":
            raise ValueError(f"method={method!r} needs a Result with several seeds; received one model.")
        if not getattr(source, "built", False):
            raise ModelError("The model is not built: call it on a batch, or `model.build(shape)`, before sampling it.")
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
