"""Results of studies with the same seeds and held-out cases, side by side as one result."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from gengap.analysis.decision.matching import aligned, same_cases
from gengap.analysis.decision.recommendation import reading_of
from gengap.errors import DataError
from gengap.results import Result
from gengap.results.files import PARTS
from gengap.results.remembered import Remembered
from gengap.results.resampled import resampling_of

_ACROSS = ("prediction_epochs",)
"""Left out: studies of different lengths would pad it, and it is the largest thing that a result holds."""


def joined(results: Sequence[Result]) -> Result:
    """Put the variants of several results into one; runs stay paired by seed and by held-out case.

    Args:
        results: Results of studies that differ in their variants (and perhaps epochs) only, one or more.

    Returns:
        A result with all variants, in order; the manifest is the first one's, with the variants and seconds of all.
    """
    first = results[0]
    if len(results) == 1:
        return first
    parts = {name: _side_by_side([getattr(one, name) for one in results]) for name in PARTS}
    manifest = dict(first.manifest) | {
        "variants": {name: facts for one in results for name, facts in one.manifest["variants"].items()},
        "plan": None,
        "settings": (first.manifest.get("settings") or {}) | {"epochs": int(parts["history"].sizes.get("epoch", 0))},
    }
    weights = {key: value for one in results for key, value in one.weights.items()}
    objects = Remembered((name, known) for one in results for name, known in one.objects.items())
    return Result(**parts, manifest=manifest, weights=weights, cases=first.cases, objects=objects)


def beside(first: Result, second: Result, *, names: tuple[str, str]) -> tuple[Result, tuple[str, ...]]:
    """Put the variants of two studies into one result, to be compared; runs are paired by seed, cases by place.

    Variants whose names both have are told apart by the names of the results.

    Args:
        first: A result; its baseline stays the baseline.
        second: Another one, on the same held-out cases.
        names: Names of the two results.

    Returns:
        The result without weights, and what a reader has to know.

    Raises:
        DataError: The two do not hold forecasts of the same held-out cases, or one is resampled.
    """
    if any(resampling_of(one) is not None for one in (first, second)):
        raise DataError("Resampled results are not compared side by side: train all variants in one resampled study.")
    notes = same_cases(reading_of(first, score=None, claim=None), reading_of(second, score=None, claim=None))
    runs = aligned(first.seeds, second.seeds)
    both = set(first.variants) & set(second.variants)
    labels = names if names[0] != names[1] else (f"{names[0]} (1)", f"{names[1]} (2)")
    looks = max((one.manifest.get("looks") or [] for one in (first, second)), key=len)
    seeds = [first.seeds[place] for place in runs.first]
    parts = [
        _renamed(_of_runs(one, places, seeds), {name: f"{label}: {name}" for name in both})
        for one, places, label in zip((first, second), (runs.first, runs.second), labels, strict=True)
    ]
    result = joined(parts)
    return replace(result, manifest={**result.manifest, "looks": looks}), (*notes, *runs.notes)


def _of_runs(result: Result, places: Sequence[int], seeds: Sequence[int]) -> Result:
    """Return some runs of a result under the seeds of their partners, without what belongs to single runs."""
    parts: dict[str, Any] = {
        name: part.isel(seed=list(places)).assign_coords(seed=seeds) if "seed" in part.dims else part
        for name, part in ((name, getattr(result, name)) for name in PARTS)
    }
    manifest = {**result.manifest, "seeds": list(seeds)}
    return replace(result, **parts, manifest=manifest, weights={}, cases={}, objects=Remembered())


def _renamed(result: Result, names: Mapping[str, str]) -> Result:
    new = [names.get(name, name) for name in result.variants]
    parts: dict[str, Any] = {
        name: part.assign_coords(variant=new) if "variant" in part.dims else part
        for name, part in ((name, getattr(result, name)) for name in PARTS)
    }
    facts = {names.get(name, name): told for name, told in result.manifest["variants"].items()}
    return replace(result, **parts, manifest={**result.manifest, "variants": facts})


def _side_by_side(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    if not parts[0].sizes:
        return parts[0]
    bare = [part.drop_vars(_ACROSS, errors="ignore") for part in parts]
    arguments: dict[str, Any] = {"coords": "minimal", "compat": "override", "join": "outer"}
    return xr.concat(bare, dim="variant", data_vars="minimal", **arguments)
