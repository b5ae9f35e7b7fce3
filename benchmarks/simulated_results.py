"""Results with known truth: losses, curves or probabilities drawn from named laws instead of trained networks."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gengap.results import Result

Floats = NDArray[np.float64]
Law = Literal["normal", "gamma(2)", "lognormal"]
LAWS: tuple[Law, ...] = ("normal", "gamma(2)", "lognormal")


def draw(rng: np.random.Generator, law: Law, shape: tuple[int, ...]) -> Floats:
    """Draws of mean 0 and variance 1."""
    if law == "normal":
        return rng.standard_normal(shape)
    if law == "gamma(2)":
        return (rng.gamma(2.0, size=shape) - 2) / np.sqrt(2)
    return (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt(np.e * (np.e - 1))


def result_from_losses(
    losses: Mapping[str, Floats],
    *,
    validation: Mapping[str, Floats] | None = None,
    groups: Sequence[Any] | None = None,
    looks: Sequence[int] = (),
    **manifest: Any,
) -> Result:
    """A regression result whose squared error of every run and case is exactly as given, `(seeds, cases)` >= 0."""
    names = list(losses)
    seeds, cases = losses[names[0]].shape
    test = _squared(losses, groups)
    history = xr.Dataset(
        {"val_score": (("variant", "seed", "epoch"), np.stack([losses[n].mean(-1) for n in names])[..., None])},
        coords={"variant": names, "seed": np.arange(seeds), "epoch": [1]},
    )
    history["train_score"] = history["val_score"] * 0
    ones = (("variant", "seed"), np.ones((len(names), seeds), dtype=int))
    runs = xr.Dataset(
        {"best_epoch": ones, "epochs": ones, "parameters": ones}, coords=dict(history.drop_dims("epoch").coords)
    )
    held = {"n_test": cases, "training_climatology": 1.0}
    account = _manifest("regression", "squared_error", names, seeds, looks) | {"data": held} | manifest
    return Result(history, runs, _squared(validation, None) if validation else xr.Dataset(), test, account)


def _squared(losses: Mapping[str, Floats], groups: Sequence[Any] | None) -> xr.Dataset:
    names = list(losses)
    seeds, cases = losses[names[0]].shape
    root = np.sqrt(np.stack([losses[name] for name in names]))
    coords: dict[str, Any] = {"variant": names, "seed": np.arange(seeds)}
    if groups is not None:
        coords["group"] = ("sample", np.asarray(groups))
    dims = ("variant", "seed", "sample")
    arrays = {"prediction_last": (dims, root), "prediction_best": (dims, root), "y_true": ("sample", np.zeros(cases))}
    return xr.Dataset(arrays, coords=coords)


def result_from_curves(
    val_score: Mapping[str, Floats],
    *,
    train_score: Mapping[str, Floats] | None = None,
    parameters: Mapping[str, int] | None = None,
    task: str = "binary",
    score: str = "log_loss",
    **data: Any,
) -> Result:
    """A result with the given curves, `(seeds, epochs)` per variant, and no predictions."""
    names = list(val_score)
    curves = {"val_score": val_score, "train_score": train_score or {n: val_score[n] * 0 for n in names}}
    seeds, epochs = val_score[names[0]].shape
    coords = {"variant": names, "seed": np.arange(seeds)}
    stacked = {
        key: (("variant", "seed", "epoch"), np.stack([curve[n] for n in names])) for key, curve in curves.items()
    }
    history = xr.Dataset(stacked, coords=coords | {"epoch": np.arange(1, epochs + 1)})
    best = history["val_score"].fillna(np.inf).argmin("epoch") + 1
    runs = xr.Dataset({"best_epoch": best, "epochs": history["val_score"].notnull().sum("epoch")})
    runs["status"] = xr.full_like(best, "completed", dtype="<U40")
    if parameters:
        runs["parameters"] = xr.full_like(best, 0) + xr.DataArray([parameters[n] for n in names], dims="variant")
    account = _manifest(task, score, names, seeds, ()) | {"data": data}
    return Result(history, runs, xr.Dataset(), xr.Dataset(), account)


def _manifest(task: str, score: str, names: list[str], seeds: int, looks: Sequence[int]) -> dict[str, Any]:
    return {
        "format": 1,
        "task": task,
        "score": score,
        "primary": {"score": score, "epoch": "best"},
        "seeds": list(range(seeds)),
        "looks": [{"seeds": n, "time": "2026-01-01T00:00:00"} for n in looks],
        "settings": {"epochs": 20},
        "variants": {name: {} for name in names},
        "data": {},
    }


def losses(
    rng: np.random.Generator,
    variants: Mapping[str, float],
    *,
    seeds: int,
    cases: int,
    seed_sd: float,
    case_sd: float,
    both_sd: float = 0.0,
    law: Law = "normal",
    groups: NDArray[np.int64] | None = None,
) -> dict[str, Floats]:
    """Losses of runs and cases: the variant's mean, its seeds, its cases (or groups of them), and their interaction.

    Standard deviations are of one variant; paired differences have sqrt(2) times as much. The common part, 100, keeps
    losses above 0.
    """
    shape = (len(variants), seeds, 1)
    units = cases if groups is None else int(groups.max()) + 1
    of_units = draw(rng, law, (len(variants), 1, units))
    of_cases = of_units if groups is None else of_units[..., groups]
    values = 100 + seed_sd * draw(rng, law, shape) + case_sd * of_cases
    values = values + both_sd * draw(rng, law, (len(variants), seeds, cases))
    return {name: values[index] + mean for index, (name, mean) in enumerate(variants.items())}
