"""A result with references among its variants, and references on their way through a store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gengap.results import Result
from gengap.storage import Store
from gengap.study.references import FittedReference

REFERENCES = "references"
"""Name under which a store keeps them."""


def with_references(result: Result, fitted: Sequence[FittedReference]) -> Result:
    """Return a result whose last variants are references.

    Their forecasts stand at the best and at the last epoch alike; they have no curves (NaN), and 0 epochs.

    Args:
        result: What networks left.
        fitted: The references, of as many seeds.
    """
    if not fitted:
        return result
    names = [*result.variants, *(one.name for one in fitted)]
    fill = {
        "parameters": 0,
        "best_epoch": 0,
        "epochs": 0,
        "status": "completed",
        "fold_best_epoch": 0,
        "fold_epochs": 0,
    }
    runs = result.runs.reindex(variant=names, fill_value={**dict.fromkeys(result.runs.data_vars, np.nan), **fill})
    for one in fitted:
        runs["parameters"].loc[{"variant": one.name}] = one.parameters
        runs["seconds"].loc[{"variant": one.name}] = one.seconds
    described = {one.name: {"remedy": "", "parameters": one.parameters, "reference": dict(one.said)} for one in fitted}
    return replace(
        result,
        history=result.history.reindex(variant=names),
        runs=runs,
        validation=_forecasts(result.validation, "validation", fitted, names),
        test=_forecasts(result.test, "test", fitted, names),
        manifest={**result.manifest, "variants": {**result.manifest["variants"], **described}},
    )


def _forecasts(part: xr.Dataset, name: str, fitted: Sequence[FittedReference], names: Sequence[str]) -> xr.Dataset:
    if not part.sizes:
        return part
    wider = part.reindex(variant=names)
    for rule in ("last", "best"):
        array = wider[f"prediction_{rule}"]
        for one in fitted:
            dims = [dim for dim in array.dims if dim != "variant"]
            array.loc[{"variant": one.name}] = xr.DataArray(one.forecasts[name], dims=dims)
    return wider


def keep_references(store: Store, fitted: Sequence[FittedReference], seeds: Sequence[int]) -> None:
    """Put references into a store, in place of those that it has of these seeds; those of its other seeds stay."""
    others = [seed for seed in (store.study(REFERENCES) or ({}, {"seeds": []}))[1]["seeds"] if seed not in seeds]
    before = stored_references(store, others) if others else ()
    if [one.name for one in before] == [one.name for one in fitted]:
        fitted = [_stacked(old, new) for old, new in zip(before, fitted, strict=True)]
        seeds = [*others, *seeds]
    arrays = {
        f"{place}/{part}": np.ascontiguousarray(forecast)
        for place, one in enumerate(fitted)
        for part, forecast in one.forecasts.items()
    }
    told = [
        {"name": one.name, "parameters": one.parameters, "seconds": one.seconds, "said": dict(one.said)}
        for one in fitted
    ]
    store.put_study(REFERENCES, arrays, {REFERENCES: told, "seeds": list(seeds)})


def _stacked(old: FittedReference, new: FittedReference) -> FittedReference:
    """One reference of the seeds of two fits, those of the first first."""
    both = {part: np.concatenate([old.forecasts[part], forecast]) for part, forecast in new.forecasts.items()}
    return replace(new, forecasts=both)


def stored_references(store: Store, seeds: Sequence[int]) -> tuple[FittedReference, ...]:
    """Put references together again that a store keeps, for some of its seeds; none where it lacks any of them."""
    kept = store.study(REFERENCES)
    if kept is None or not set(seeds) <= set(kept[1]["seeds"]):
        return ()
    arrays, values = kept
    places = [values["seeds"].index(seed) for seed in seeds]
    return tuple(
        FittedReference(
            told["name"],
            {part: arrays[f"{place}/{part}"][places] for part in _parts(arrays, place)},
            int(told["parameters"]),
            float(told["seconds"]),
            told["said"],
        )
        for place, told in enumerate(values[REFERENCES])
    )


def _parts(arrays: Mapping[str, NDArray[Any]], place: int) -> list[str]:
    return [name.partition("/")[2] for name in arrays if name.startswith(f"{place}/")]
