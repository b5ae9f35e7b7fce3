"""A result in files: one netCDF file of its datasets and manifest, and its weights beside it, as safetensors."""

import hashlib
import json
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.numpy
import xarray as xr
from numpy.typing import NDArray
from safetensors import SafetensorError

from gengap.errors import DataError, StoreError
from gengap.results.checks import check_manifest, check_parts
from gengap.results.intake import fine_enough

Array = NDArray[Any]
WeightKey = tuple[str, int, Literal["best", "last"]]

PARTS = ("history", "runs", "validation", "test")
_SAVED = "gengap_weights"
_PRECISION = "gengap_precision"


def write_netcdf(
    path: Path, parts: Mapping[str, xr.Dataset], manifest: Mapping[str, Any], *, saved: Mapping[str, str] | None = None
) -> None:
    """Write datasets and manifest as one file, which also names the files that were saved with it, and their digests.

    Args:
        path: The file.
        parts: The datasets.
        manifest: The account of the result.
        saved: From the names of the files beside it to digests of what they hold.
    """
    tree = xr.DataTree.from_dict({name: _for_file(part) for name, part in parts.items()})
    tree.attrs["gengap"] = json.dumps(manifest)
    tree.attrs[_SAVED] = json.dumps(saved or {})
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
        with _opened(path) as tree:
            manifest = json.loads(tree.attrs["gengap"])
            check_manifest(manifest)
            parts = {name: _from_file(tree[name].to_dataset().load()) for name in PARTS}
        check_parts(parts, manifest["task"])
    except DataError as reason:
        raise StoreError(f"The result in {path} cannot be used: {reason}.") from reason
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as reason:  # the last is h5py's
        raise StoreError(f"{path} is not a result of gengap, or it is damaged: {reason}.") from reason
    return {name: fine_enough(part, manifest["task"]) for name, part in parts.items()}, manifest


def _opened(path: str | Path) -> xr.DataTree:
    """Open a file; times that xarray's nanoseconds do not reach are read in microseconds, where it can."""
    try:
        return xr.open_datatree(path, engine="h5netcdf")
    except ValueError as error:
        if "decode time units" not in str(error) or not hasattr(xr, "coders"):
            raise
        return xr.open_datatree(path, engine="h5netcdf", decode_times=xr.coders.CFDatetimeCoder(time_unit="us"))


class Folder:
    """The files of one result in a folder.

    Args:
        path: The folder.
        variants: Names of the variants: files are named by place, since names are free text and may hold anything.
    """

    def __init__(self, path: str | Path, variants: Sequence[str] = ()) -> None:
        self._path = Path(path).absolute()  # weights are read when asked for, from wherever the process has gone
        self._variants = list(variants)
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
        files = {self._of_weights(key): _numbered(weights[key]) for key in weights if key[0] in self._variants}
        files |= {
            self._of_cases(split): dict(named) for split, named in cases.items()
        }  # `select` leaves other variants
        known = is_result(self.result)
        if strangers := [f for f in (self.result, *files) if (f.exists() and not known) or f.is_symlink()]:
            raise StoreError(
                f"{strangers[0]} was not written by gengap and would be written over: choose another folder"
            )
        if self._path.exists() and not self._path.is_dir():
            raise StoreError(f"{self._path} is a file; a result is saved in a folder: choose another name")
        (self._path / "weights").mkdir(parents=True, exist_ok=True)
        digests = {file.name: _digest(_content(arrays)) for file, arrays in files.items()}
        part = self._path / f"result.nc.{uuid.uuid4().hex}.part"
        try:
            write_netcdf(part, parts, manifest, saved=digests)
            part.replace(self.result)
        finally:
            part.unlink(missing_ok=True)
        for file, arrays in files.items():
            file.write_bytes(_content(arrays))

    def weights(self, keys: Sequence[WeightKey]) -> Mapping[WeightKey, Sequence[Array]]:
        """Return the weights of some runs, read when they are asked for; runs without are left out."""
        files = {key: file for key in keys if (file := self._own(self._of_weights(key))) is not None}
        return _WeightFiles(files, self._saved or {})

    def cases(self, splits: Sequence[str]) -> dict[str, dict[str, Array]]:
        """Return the stored inputs of a few cases by split."""
        files = {split: self._own(self._of_cases(split)) for split in splits}
        digests = self._saved or {}
        return {split: _read_arrays(file, digests.get(file.name)) for split, file in files.items() if file is not None}

    def _own(self, file: Path) -> Path | None:
        """Return a file, or the one of the same content that older versions wrote, if this result was saved with it."""
        both = (file, file.with_suffix(".npz"))
        return next((one for one in both if one.exists() and (self._saved is None or one.name in self._saved)), None)

    @cached_property
    def _saved(self) -> dict[str, str | None] | None:
        """Names and digests of the files saved with this result: others may lie there from one saved before."""
        named = _attribute(self.result, _SAVED)
        if named is None:
            return None
        told = json.loads(named)
        return dict(told) if isinstance(told, dict) else dict.fromkeys(told)  # older versions wrote names alone

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
    except (OSError, ValueError, KeyError, RuntimeError):
        return None


class _WeightFiles(Mapping[WeightKey, Sequence[Array]]):
    """Weights that lie in files and are read one by one."""

    def __init__(self, files: Mapping[WeightKey, Path], digests: Mapping[str, str | None]) -> None:
        self._files, self._digests = dict(files), dict(digests)

    def __getitem__(self, key: WeightKey) -> list[Array]:
        file = self._files[key]
        return list(_read_arrays(file, self._digests.get(file.name)).values())

    def __iter__(self) -> Iterator[WeightKey]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _numbered(arrays: Sequence[Array]) -> dict[str, Array]:
    return {f"{place:04d}": array for place, array in enumerate(arrays)}


def _content(arrays: Mapping[str, Array]) -> bytes:
    """Return the content of a file; equal arrays are equal bytes."""
    return safetensors.numpy.save({name: np.require(array, requirements="C") for name, array in arrays.items()})


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _read_arrays(file: Path, digest: str | None) -> dict[str, Array]:
    """Read the arrays of a file.

    Raises:
        StoreError: It is not there any more, or does not hold what was saved.
    """
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        if digest is not None and _digest(file.read_bytes()) != digest:
            raise StoreError(f"{file} is damaged: it does not hold what was saved with this result; take a copy of it")
        arrays = safetensors.numpy.load_file(file)  # not `load`, which has no bfloat16 (0.8)
    except (SafetensorError, ValueError, KeyError, EOFError, FileNotFoundError, zipfile.BadZipFile) as reason:
        raise StoreError(f"{file} is damaged and cannot be read: {reason}") from reason
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
