"""A study's folder -> Result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets.dates import in_nanoseconds
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.split import Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Array
from gengap.errors import StoreError
from gengap.results import Result
from gengap.results.remembered import first_cases
from gengap.storage import Store
from gengap.study.assembly import assemble
from gengap.study.beside import stored_references, with_references
from gengap.study.passes import Passes, pack_division, unpack_division

ANSWERS = "answers"
"""Name under which a store keeps the answers of the held-out cases."""

_INPUTS = "first inputs"
_UNIT = "unit of times"
_FOLDS = "folds of seed "


def load(folder: str | Path, *, custom_objects: Mapping[str, Any] | None = None) -> Result:
    """Return the result of a study that lies in a folder, finished or still running.

    Args:
        folder: What `Study.run(storage=)` was given, or a folder that `Result.save` wrote.
        custom_objects: The user's own classes and functions by name, for models that are rebuilt.

    Returns:
        The result; runs that have not finished are empty, with the status "not trained". Weights stay on disk until
        they are looked at.

    Raises:
        StoreError: The folder holds neither.
    """
    if not Store.exists(folder) and (Path(folder) / "result.nc").exists():
        return Result.load(folder, custom_objects=custom_objects)
    with Store.open(folder) as store:
        return stored_result(store, objects=dict.fromkeys(store.manifest["variants"], custom_objects or {}))


def stored_result(
    store: Store,
    *,
    variants: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    objects: Mapping[str, Mapping[str, Any]] | None = None,
) -> Result:
    """Assemble the result of what a store holds.

    Args:
        store: The study's folder.
        variants: Which variants; None takes all that the study has.
        seeds: Which seeds; None takes all.
        objects: The user's classes and functions by variant and name.
    """
    manifest = store.manifest
    variants = list(manifest["variants"]) if variants is None else list(variants)
    seeds = list(manifest["seeds"]) if seeds is None else list(seeds)
    told = {**manifest, "seeds": seeds, "variants": {name: manifest["variants"][name] for name in variants}}
    passes = _passes(store, seeds) if manifest.get("resampling") else None
    keys = _by_seed if passes is None else passes.keys
    wanted = {key for variant in variants for seed in seeds for key in keys(variant, seed)}
    networks = assemble(
        (record for record in store.records() if (record.variant, record.seed) in wanted),
        _data(store),
        OutputKind(**manifest["output"]),
        variants=variants,
        seeds=seeds,
        manifest=told,
        cases=_cases(store),
        objects=objects,
        passes=passes,
    )
    return with_references(networks, stored_references(store, seeds))


def _by_seed(variant: str, seed: int) -> list[tuple[str, int]]:
    return [(variant, seed)]


def put_passes(store: Store, passes: Passes | None) -> None:
    """Keep the divisions of a resampled study that a store lacks, before anything is trained on them."""
    for seed, division in ({} if passes is None else passes.divisions).items():
        try:
            known = store.study(f"{_FOLDS}{seed}") is not None
        except StoreError:
            known = False
        if passes is not None and not known:
            store.put_study(f"{_FOLDS}{seed}", *pack_division(division, passes.climatology[seed]))


def _passes(store: Store, seeds: Sequence[int]) -> Passes:
    packed = {}
    for seed in seeds:
        try:
            packed[seed] = store.study(f"{_FOLDS}{seed}")
        except StoreError as error:
            what = f"the folds of seed {seed} in {store.folder} are damaged ({error})"
            raise StoreError(f"{what}; run the study again, which writes them anew") from error
        if packed[seed] is None:
            raise StoreError(f"the folds of seed {seed} are missing in {store.folder}; run the study again")
    known = {seed: one for seed, one in packed.items() if one is not None}
    return Passes(
        {seed: unpack_division(*one) for seed, one in known.items()},
        {seed: one[1]["climatology"] for seed, one in known.items()},
    )


def pack_answers(data: TrainingData, kind: OutputKind) -> tuple[dict[str, Array], dict[str, Any]]:
    """Take apart what a result says about held-out cases: answers, weights, groups, times.

    Returns:
        Arrays by name, and JSON values by name, as `Store.put_study` takes them.
    """
    arrays: dict[str, Array] = {}
    values: dict[str, Any] = {"splits": list(data.held_out())}
    for name, split in data.held_out().items():
        arrays[f"{name}/y"] = np.asarray(scored_answers(split.y, kind))
        arrays |= {f"{name}/{_INPUTS}/{part}": rows for part, rows in first_cases(split.x).items()}
        if split.sample_weight is not None:
            arrays[f"{name}/sample_weight"] = np.asarray(split.sample_weight)
        if split.groups is not None:
            values[f"{name}/groups"] = np.asarray(split.groups).tolist()
        if split.times is not None:
            times = in_nanoseconds(split.times)
            arrays[f"{name}/times"], values[f"{name}/{_UNIT}"] = times.view(np.int64), str(times.dtype)
    return arrays, values


def _cases(store: Store) -> dict[str, dict[str, Array]]:
    """Return the inputs of a few cases; stores of earlier versions have none."""
    arrays, values = store.study(ANSWERS) or ({}, {"splits": []})
    starts = {name: f"{name}/{_INPUTS}/" for name in values["splits"]}
    return {
        name: {key.removeprefix(start): part for key, part in arrays.items() if key.startswith(start)}
        for name, start in starts.items()
    }


def _data(store: Store) -> TrainingData:
    """Put together what `pack_answers` took apart; inputs and training cases are not stored."""
    try:
        arrays, values = store.study(ANSWERS) or ({}, {"splits": []})
    except StoreError as error:
        what = f"the held-out answers of {store.folder} are damaged ({error})"
        raise StoreError(f"{what}; run the study again, which writes them anew") from error
    splits = {}
    for name in values["splits"]:
        groups, times = values.get(f"{name}/groups"), arrays.get(f"{name}/times")
        unit = values.get(f"{name}/{_UNIT}", "datetime64[ns]")  # all that earlier versions wrote
        splits[name] = Split(
            None,
            arrays[f"{name}/y"],
            sample_weight=arrays.get(f"{name}/sample_weight"),
            groups=None if groups is None else np.array(groups),
            times=None if times is None else times.view(unit),
        )
    return TrainingData(Split(None, np.empty(0)), splits.get("validation"), splits.get("test"))
