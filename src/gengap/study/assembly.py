"""Records of runs -> Result."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from gengap.datasets.dates import in_nanoseconds
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Array, RunRecord
from gengap.results import EpochRule, Result
from gengap.results.intake import fine_enough
from gengap.results.remembered import Remembered
from gengap.study.passes import Passes

SPARSE_BELOW = 1e-3
"""Weights smaller than this count as zero: gradient training with L1 gives no exact zeros."""


def assemble(
    records: Iterable[RunRecord],
    data: TrainingData,
    kind: OutputKind,
    *,
    variants: Sequence[str],
    seeds: Sequence[int],
    manifest: Mapping[str, Any],
    cases: Mapping[str, Mapping[str, Array]] | None = None,
    objects: Mapping[str, Mapping[str, Any]] | None = None,
    passes: Passes | None = None,
) -> Result:
    """Put records into named arrays.

    Args:
        records: Records of finished runs, in any order; runs without one stay empty, with the status "not trained".
        data: The study's data, whose answers, weights, groups and times go along.
        kind: How the scored output is read.
        variants: Names of the variants, the baseline first.
        seeds: Seeds of the study.
        manifest: The study's account.
        cases: Inputs of a few held-out cases, see `Result.cases`.
        objects: The user's classes and functions by variant and name, see `Result.objects`.
        passes: The folds of a resampled study, whose runs become one for each seed.

    Returns:
        The result, with weights of the best and of the last epoch of every run in memory.
    """
    rules: tuple[EpochRule, ...] = ("best", "last")
    by_run = {(record.variant, record.seed): record for record in records}
    of = _by_seed(by_run) if passes is None else partial(passes.join, by_run)
    grid = [[of(variant, seed) for seed in seeds] for variant in variants]
    num_epochs = max((len(one.history["loss"]) for row in grid for one in row if one is not None), default=0)
    coords = {"variant": list(variants), "seed": list(seeds)}
    splits = {name: _held_out(name, grid, getattr(data, name), kind, coords) for name in ("validation", "test")}
    kernels = _Kernels()
    runs = _runs(grid, kernels)
    if passes is not None:
        splits = {name: passes.coordinates(one, name, seeds) if one.sizes else one for name, one in splits.items()}
        norms = {
            name: _of_folds(by_run, passes, variants, seeds, of_one)
            for name, of_one in {"weight_norm": kernels.norm, "sparsity": kernels.sparsity}.items()
        }
        runs = runs.assign({**passes.describe_runs(by_run, variants, seeds), **norms})
        manifest = {**manifest, "resampling": {**manifest["resampling"], **passes.told()}}
    return Result(
        history=_history(grid, num_epochs).assign_coords(coords),
        runs=runs.assign_coords(coords),
        **splits,
        manifest=manifest,
        weights={
            (record.variant, record.seed, rule): record.weights_best if rule == "best" else record.weights_last
            for record in by_run.values()
            for rule in rules
        },
        cases=cases or {},
        objects=Remembered(objects or {}),
    )


Grid = Sequence[Sequence[RunRecord | None]]
Runs = Mapping[tuple[str, int], RunRecord]


def _by_seed(by_run: Runs) -> Callable[[str, int], RunRecord | None]:
    return lambda variant, seed: by_run.get((variant, seed))


def _history(grid: Grid, num_epochs: int) -> xr.Dataset:
    names = {name: None for row in grid for one in row if one is not None for name in one.history}
    arrays = {}
    for name in names:
        values = np.full((len(grid), len(grid[0]), num_epochs), np.nan)
        for v, row in enumerate(grid):
            for s, one in enumerate(row):
                if one is not None and name in one.history:
                    values[v, s, : len(one.history[name])] = one.history[name]
        arrays[name] = (("variant", "seed", "epoch"), values)
    return xr.Dataset(arrays, coords={"epoch": np.arange(1, num_epochs + 1)})


def _runs(grid: Grid, kernels: "_Kernels") -> xr.Dataset:
    dims = ("variant", "seed")
    columns: dict[str, list[list[Any]]] = {
        "parameters": [[0 if one is None else one.parameters for one in row] for row in grid],
        "best_epoch": [[0 if one is None else one.best_epoch for one in row] for row in grid],
        "epochs": [[0 if one is None else len(one.history["loss"]) for one in row] for row in grid],
        "seconds": [[np.nan if one is None else one.seconds for one in row] for row in grid],
        "status": [["not trained" if one is None else one.status for one in row] for row in grid],
        "weight_norm": [[np.nan if one is None else kernels.norm(one.weights_last) for one in row] for row in grid],
        "sparsity": [[np.nan if one is None else kernels.sparsity(one.weights_last) for one in row] for row in grid],
    }
    return xr.Dataset({name: (dims, np.array(values)) for name, values in columns.items()})


def _kernels(weights: Sequence[Array]) -> list[Array]:
    """Matrices and filters; vectors are biases, scales and moving statistics."""
    return [weight for weight in weights if weight.ndim > 1 and weight.dtype.kind == "f"]


class _Kernels:
    """Norm and sparsity of the kernels of runs; an array that many runs share, a frozen one, is looked at once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Array, float, int]] = {}  # with the array, so that no other can take its `id`

    def norm(self, weights: Sequence[Array]) -> float:
        return float(np.sqrt(sum(self._measured(kernel)[1] for kernel in _kernels(weights))))

    def sparsity(self, weights: Sequence[Array]) -> float:
        kernels = _kernels(weights)
        return sum(self._measured(kernel)[2] for kernel in kernels) / max(1, sum(kernel.size for kernel in kernels))

    def _measured(self, kernel: Array) -> tuple[Array, float, int]:
        if id(kernel) not in self._known:
            squares, small = np.square(kernel, dtype=np.float64).sum(), (np.abs(kernel) < SPARSE_BELOW).sum()
            self._known[id(kernel)] = kernel, float(squares), int(small)
        return self._known[id(kernel)]


def _of_folds(
    by_run: Runs, passes: Passes, variants: Sequence[str], seeds: Sequence[int], value: Callable[[Any], float]
) -> tuple[tuple[str, str], Array]:
    """Return a property of weights as the mean over the folds of each pass; NaN where one was not trained."""

    def mean(variant: str, seed: int) -> float:
        records = [by_run.get(key) for key in passes.keys(variant, seed)]
        return float(np.mean([np.nan if one is None else value(one.weights_last) for one in records]))

    return ("variant", "seed"), np.array([[mean(variant, seed) for seed in seeds] for variant in variants])


def _held_out(name: str, grid: Grid, split: Split | None, kind: OutputKind, coords: Mapping[str, Any]) -> xr.Dataset:
    if split is None:
        return xr.Dataset()
    y_true = np.asarray(scored_answers(split.y, kind))
    shape = (len(y_true), kind.width) if kind.task == "multiclass" else y_true.shape
    case_dims = ("sample", "label")[: len(shape)]
    predictions = [[None if one is None else one.predictions[name] for one in row] for row in grid]
    known = [one for row in predictions for one in row if one is not None]
    num_epochs = max((len(one.epochs) for one in known if one.epochs is not None), default=0)

    def stacked(what: str, case_shape: tuple[int, ...], dtype: Any) -> Array:
        values = np.full((len(grid), len(grid[0]), *case_shape), np.nan, dtype)
        for v, row in enumerate(predictions):
            for s, one in enumerate(row):
                array = getattr(one, what, None)
                if array is None:
                    continue
                with np.errstate(over="ignore"):  # in half precision, beside runs of an older version
                    values[v, s][: len(array)] = array  # a run that stopped early leaves its later epochs empty
        return values

    held_out = xr.Dataset(
        {
            "y_true": (case_dims[: y_true.ndim], y_true),
            "prediction_last": (("variant", "seed", *case_dims), stacked("last", shape, np.float32)),
            "prediction_best": (("variant", "seed", *case_dims), stacked("best", shape, np.float32)),
        },
        coords=dict(coords),
    )
    if num_epochs:
        kept = [one.epochs for one in known if one.epochs is not None]
        # runs of an older version are in a store in half precision: then all are read as coarsely
        every = stacked("epochs", (num_epochs, *shape), min((array.dtype for array in kept), key=lambda d: d.itemsize))
        held_out["prediction_epochs"] = (("variant", "seed", "epoch", *case_dims), every)
        held_out = fine_enough(held_out.assign_coords(epoch=np.arange(1, num_epochs + 1)), kind.task)
    extras = {"sample_weight": split.sample_weight, "group": split.groups, "time": split.times}
    return held_out.assign_coords({key: ("sample", in_nanoseconds(v)) for key, v in extras.items() if v is not None})
