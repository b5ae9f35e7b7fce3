"""A result in files: one netCDF file of its datasets and manifest, and its weights beside it, as safetensors."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.numpy
import xarray as xr
from numpy.typing import NDArray

from gengap.errors import DataError, StoreError
from gengap.results.checks import check_manifest, check_parts
from gengap.results.intake import fine_enough

Array = NDArray[Any]
WeightKey = tuple[str, int, Literal["best", "last"]]

PARTS = ("history", "runs", "validation", "test")
_SAVED = "gengap_weights"
_PRECISION = "gengap_precision"


def write_netcdf(
    path: Path, parts: Mapping[str, xr.Dataset], manifest: Mapping[str, Any], *, saved: Sequence[str] = ()
) -> None:
    """Write datasets and manifest as one file, which also names the files that were saved with it."""
    tree = xr.DataTree.from_dict({name: _for_file(part) for name, part in parts.items()})
    tree.attrs["gengap"] = json.dumps(manifest)
    tree.attrs[_SAVED] = json.dumps(list(saved))
    packed = {"zlib": True, "complevel": 1, "shuffle": True}
    encoding = {
        f"/{name}": {variable: packed for variable in part.data_vars if part[variable].dtype.kind == "f"}
        for name, part in parts.items()
    }
    tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def read_netcdf(path: str | Path) -> tuple[dict[str, xr.Dataset], dict[str, Any]]:
    """Read datasets and manifest.

    Raises:
        StoreError: The file is missing, damaged or not written by gengap, or lacks what a result needs.
    """
    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            manifest = json.loads(tree.attrs["gengap"])
            check_manifest(manifest)
            parts = {name: _from_file(tree[name].to_dataset().load()) for name in PARTS}
        check_parts(parts, manifest["task"])
    except DataError as reason:
        raise StoreError(f"The result in {path} cannot be used: {reason}.") from reason
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as reason:
        raise StoreError(f"{path} is not a result of gengap, or it is damaged: {reason}.") from reason
    return {name: fine_enough(part, manifest["task"]) for name, part in parts.items()}, manifest


class Folder:
    """The files of one result in a folder.

    Args:
        path: The folder.
        variants: Names of the variants: files are named by place, since names are free text and may hold anything.
    """

    def __init__(self, path: str | Path, variants: Sequence[str] = ()) -> None:
        self._path, self._variants = Path(path), list(variants)
        self.result = self._path / "result.nc"

    def save(
        self,
        parts: Mapping[str, xr.Dataset],
        manifest: Mapping[str, Any],
        weights: Mapping[WeightKey, Sequence[Array]],
        cases: Mapping[str, Mapping[str, Array]],
    ) -> None:
        """Write everything; a crash leaves the old result or the new one.

        Raises:
            StoreError: The folder holds a file of one of these names that gengap did not write.
        """
        own = {key: self._of_weights(key) for key in weights if key[0] in self._variants}  # `select` leaves others
        of_cases = {split: self._of_cases(split) for split in cases}
        written = [*own.values(), *of_cases.values()]
        known = is_result(self.result)
        if strangers := [f for f in (self.result, *written) if (f.exists() and not known) or f.is_symlink()]:
            raise StoreError(
                f"{strangers[0]} was not written by gengap and would be written over: choose another folder"
            )
        (self._path / "weights").mkdir(parents=True, exist_ok=True)
        part = self._path / f"result.nc.{uuid.uuid4().hex}.part"
        try:
            write_netcdf(part, parts, manifest, saved=[file.name for file in written])
            part.replace(self.result)
        finally:
            part.unlink(missing_ok=True)
        for key, file in own.items():
            numbered = {f"{place:04d}": np.require(array, requirements="C") for place, array in enumerate(weights[key])}
            safetensors.numpy.save_file(numbered, file)
        for split, file in of_cases.items():
            named = {name: np.require(array, requirements="C") for name, array in cases[split].items()}
            safetensors.numpy.save_file(named, file)

    def weights(self, keys: Sequence[WeightKey]) -> Mapping[WeightKey, Sequence[Array]]:
        """Return the weights of some runs, read when they are asked for; runs without are left out."""
        return _WeightFiles({key: file for key in keys if (file := self._own(self._of_weights(key))) is not None})

    def cases(self, splits: Sequence[str]) -> dict[str, dict[str, Array]]:
        """Return the stored inputs of a few cases by split."""
        files = {split: self._own(self._of_cases(split)) for split in splits}
        return {split: _read_arrays(file) for split, file in files.items() if file is not None}

    def _own(self, file: Path) -> Path | None:
        """Return a file, or the one of the same content that older versions wrote, if this result was saved with it."""
        both = (file, file.with_suffix(".npz"))
        return next((one for one in both if one.exists() and (self._saved is None or one.name in self._saved)), None)

    @cached_property
    def _saved(self) -> frozenset[str] | None:
        """Names of the files that were saved with this result: others may lie there from one saved before."""
        named = _attribute(self.result, _SAVED)
        return None if named is None else frozenset(json.loads(named))

    def _of_weights(self, key: WeightKey) -> Path:
        variant, seed, epoch = key
        return self._path / "weights" / f"{self._variants.index(variant):03d}-{seed}-{epoch}.safetensors"

    def _of_cases(self, split: str) -> Path:
        return self._path / f"cases-{split}.safetensors"


def is_result(path: Path) -> bool:
    """Say whether a file is a result that gengap wrote."""
    return _attribute(path, "gengap") is not None


def _attribute(path: Path, name: str) -> str | None:
    import h5netcdf  # it takes a moment, and most who hold a result never ask

    try:
        with h5netcdf.File(path, "r") as file:
            return str(file.attrs[name]) if name in file.attrs else None
    except (OSError, ValueError, KeyError):
        return None


class _WeightFiles(Mapping[WeightKey, Sequence[Array]]):
    """Weights that lie in files and are read one by one."""

    def __init__(self, files: Mapping[WeightKey, Path]) -> None:
        self._files = dict(files)

    def __getitem__(self, key: WeightKey) -> list[Array]:
        return list(_read_arrays(self._files[key]).values())

    def __iter__(self) -> Iterator[WeightKey]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _read_arrays(file: Path) -> dict[str, Array]:
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    arrays = safetensors.numpy.load_file(file)
    return {name: arrays[name] for name in sorted(arrays)}


def _for_file(part: xr.Dataset) -> xr.Dataset:
    """NetCDF knows no half precision, in which older versions kept predictions: it travels as float32, and says so."""
    if "prediction_epochs" in part:
        every = part["prediction_epochs"]
        wide = every.astype(np.float32) if every.dtype == np.float16 else every
        part = part.assign(prediction_epochs=wide.assign_attrs({_PRECISION: str(every.dtype)}))
    return part


def _from_file(part: xr.Dataset) -> xr.Dataset:
    if "prediction_epochs" in part:
        every = part["prediction_epochs"]
        with np.errstate(over="ignore"):
            part["prediction_epochs"] = every.astype(every.attrs.pop(_PRECISION, "float16"))
    for name in part.variables:
        if part[name].dtype == object:
            part[name] = part[name].astype(str)
    return part
