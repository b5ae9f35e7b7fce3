"""Storm patches of the AMS short course (NCAR, 2019): will this storm rotate strongly within the hour?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Dataset, Split
from gengap.datasets.standardization import Standardization
from gengap.errors import DataError

PATTERN = "NCARSTORM_*_d01_model_patches.nc"
FIELDS = ("REFL_COM_curr", "U10_curr", "V10_curr")
ANSWER = "RVORT1_MAX_future"
STRONG_ROTATION = 0.005
"""Vorticity in 1/s above which rotation is called strong, as in the course."""

CHANNELS = (("composite reflectivity", "dBZ"), ("10 m U wind", "m/s"), ("10 m V wind", "m/s"))
COURSE_MEAN = (22.437, -0.620, 0.314)
COURSE_DEVIATION = (15.818, 4.429, 5.117)
"""Moments over all training pixels that the course prints: what `storms` must find in the whole archive."""

DESCRIPTION = """\
A case is a thunderstorm in a forecast model: reflectivity and wind in a patch around it. The answer is 1 if relative
vorticity 1 km above ground exceeds 0.005 1/s in the following hour. A group is a model run.
"""

CITATION = """\
Gagne, D. J., A. McGovern, S. E. Haupt and J. K. Williams, 2019: AMS machine learning in Python for environmental
science problems (short course), track_data_ncar_ams_3km_nc_small; forecasts of the NCAR ensemble (Schwartz et al. 2015,
doi 10.1175/WAF-D-15-0103.1).
"""


@dataclass(frozen=True, eq=False)
class _Patches:
    """Patches of one file or of many: fields, answers, valid times, and the model run that they belong to."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    times: NDArray[np.datetime64]
    runs: NDArray[np.int32]


def storms(
    path: str | PathLike[str],
    *,
    validation_start: str = "2014-01-01",
    test_start: str = "2015-01-01",
    area: Literal["patch", "storm"] = "patch",
    standardize: bool = True,
) -> Dataset:
    """Thunderstorms in a 3-km forecast model, strong rotation against none; real, from the course's netCDF files.

    Model runs before `validation_start` are for training, those before `test_start` for validation, the rest for test;
    a run is never divided. The course has no validation split: with `validation_start=test_start` everything before is
    for training and the test split serves as validation, with `test` None.

    Args:
        path: Folder of the files `NCARSTORM_<run>_d01_model_patches.nc`.
        validation_start: Date of the first run of the validation split.
        test_start: Date of the first run of the test split; the course's is the default.
        area: Where vorticity must exceed 0.005 1/s within the hour: anywhere in the `"patch"`, or only in pixels of the
            tracked `"storm"` (variable `masks`).
        standardize: Whether each channel is shifted and scaled to mean 0 and standard deviation 1 over all training
            pixels; False leaves dBZ and m/s.

    Returns:
        A binary data set. `x` has shape `(n, rows, columns, 3)`, float32: reflectivity, U, V; `groups` are model runs
        as `yyyymmdd`, `times` are valid times.

    Raises:
        ValueError: The dates are not in order, or `area` is neither word.
        FileNotFoundError: The folder does not exist or holds no such file.
        DataError: A file is damaged or lacks a variable, holds missing values, or a split is empty.
    """
    starts = np.datetime64(validation_start, "D"), np.datetime64(test_start, "D")
    if starts[0] > starts[1]:
        raise ValueError(f"`validation_start` must not be after `test_start`, got {starts[0]} and {starts[1]}")
    if area not in {"patch", "storm"}:
        raise ValueError(f'`area` must be "patch" or "storm", got {area!r}')
    files: dict[str, list[Path]] = {"train": [], "validation": [], "test": []}
    for file in _files(Path(path)):
        files[("train", "validation", "test")[sum(bool(_run_date(file) >= start) for start in starts)]].append(file)
    if starts[0] == starts[1]:
        files = {"train": files["train"], "validation": files["test"]}
    if empty := [name for name, members in files.items() if not members]:
        raise DataError(f"no model run in {path} falls into {', '.join(empty)}: choose other dates than {starts}")
    patches = {name: _join([_read(file, area) for file in members]) for name, members in files.items()}
    if standardize:
        scale = Standardization.of(patches["train"].x)
        for part in patches.values():
            scale.in_place(part.x)
    splits = {name: Split(part.x, part.y, groups=part.runs, times=part.times) for name, part in patches.items()}
    return Dataset(
        name="storms",
        task="binary",
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        description=DESCRIPTION,
        feature_names=tuple(f"{name} ({'standardized' if standardize else unit})" for name, unit in CHANNELS),
        label_names=("no strong rotation", "strong rotation"),
        target_units="",
        synthetic=False,
        licence="given out by NCAR for the course, without terms: use it, do not pass it on",
        citation=CITATION,
    )


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob(PATTERN)) if folder.is_dir() else []
    if not files:
        raise FileNotFoundError(f"`path` must be a folder with files {PATTERN}, got {folder}")
    return files


def _run_date(file: Path) -> np.datetime64:
    """Return the date of the model run, which the file name holds."""
    match = re.search(r"NCARSTORM_(\d{4})(\d{2})(\d{2})-\d{4}_", file.name)
    if match is None:
        raise DataError(f"the file name must hold its run as yyyymmdd-hhmm, got {file.name}")
    return np.datetime64("-".join(match.groups()), "D")


def _read(file: Path, area: Literal["patch", "storm"]) -> _Patches:
    import xarray as xr

    needed = (*FIELDS, ANSWER, "time", *(("masks",) if area == "storm" else ()))
    try:
        with xr.open_dataset(file) as source:
            if missing := [name for name in needed if name not in source.variables]:
                raise DataError(f"{file} lacks {', '.join(missing)}; it holds {', '.join(map(str, source.variables))}")
            values = {name: source[name].to_numpy() for name in needed}
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} is not a netCDF file that can be read: {error}") from error
    x = np.stack([values[name] for name in FIELDS], axis=-1).astype(np.float32)
    vorticity = values[ANSWER]
    if values["time"].shape != (len(x),):
        raise DataError(f"{file} must hold one time for each of its {len(x)} patches, got {values['time'].shape}")
    if not (np.isfinite(x).all() and np.isfinite(vorticity).all()):
        raise DataError(f"{file} holds missing values in {', '.join((*FIELDS, ANSWER))}: mend or remove it")
    if area == "storm":
        vorticity = np.where(values["masks"] > 0, vorticity, 0)
    run = int(str(_run_date(file)).replace("-", ""))
    return _Patches(
        x=x,
        y=(vorticity.max(axis=(1, 2)) > STRONG_ROTATION).astype(np.float32),
        times=values["time"].astype("datetime64[ns]"),
        runs=np.full(len(x), run, dtype=np.int32),
    )


def _join(parts: Sequence[_Patches]) -> _Patches:
    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return _Patches(joined("x"), joined("y"), joined("times"), joined("runs"))
