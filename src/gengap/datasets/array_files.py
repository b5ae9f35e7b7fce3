"""Arrays by name from files: NumPy archives and netCDF."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from gengap.errors import DataError


def read_npz(path: Path) -> dict[str, Any]:
    """Return the arrays of a NumPy archive; nothing is unpickled.

    Raises:
        DataError: It is damaged, or holds Python objects.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as reason:
        raise DataError(f"{path} cannot be read as a NumPy archive of plain arrays: {reason}.") from reason
    if broken := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise DataError(f"{path} cannot be read as a NumPy archive of plain arrays: {broken[0]!r} is none.")
    return arrays


def read_netcdf(path: Path) -> dict[str, Any]:
    """Return the variables of a netCDF file as arrays.

    Raises:
        DataError: It is damaged.
    """
    import xarray as xr

    try:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            return {str(name): data[name].to_numpy() for name in data.variables}
    except (OSError, ValueError) as reason:
        raise DataError(f"{path} cannot be read as netCDF: {reason}.") from reason
