"""A result as plain tables: curves, runs and predictions, as CSV or Parquet."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
import xarray as xr

from gengap.errors import DataError, MissingExtraError, UnknownNameError
from gengap.naming import did_you_mean
from gengap.results.checks import check_is_result

if TYPE_CHECKING:
    from gengap.results import Result

_FORMS = ("csv", "parquet")


def write_tables(result: "Result", folder: str | Path, *, form: Literal["csv", "parquet"] = "csv") -> tuple[Path, ...]:
    """Write a result as tables: `history`, `runs`, and `validation` and `test` with the predictions.

    One row is a run and epoch (`history`), a run (`runs`), or a run and case (the splits, with a column for each label
    or target where there are several). Predictions of single epochs and weights stay behind.

    Args:
        result: The result.
        folder: Where to write; files of these names must not be there yet.
        form: `"csv"` or `"parquet"`.

    Returns:
        The files.

    Raises:
        UnknownNameError: There is no such form.
        DataError: A file is there already, or the folder is a file.
        MissingExtraError: Parquet needs pyarrow, which is not installed.
    """
    check_is_result(result, "write_tables")
    if form not in _FORMS:
        raise UnknownNameError(f"There is no form {form!r}{did_you_mean(form, _FORMS)}; choose 'csv' or 'parquet'.")
    folder = Path(folder)
    files = {folder / f"{name}.{form}": table for name, table in _tables(result).items()}
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: name a folder to write tables to.")
    if there := [file for file in files if file.exists()]:
        raise DataError(f"{there[0]} is there already: choose another folder, or remove it.")
    folder.mkdir(parents=True, exist_ok=True)
    for file, table in files.items():
        if form == "csv":
            table.to_csv(file, index=False)
        else:
            _write_parquet(table, file)
    return tuple(files)


def _tables(result: "Result") -> Mapping[str, pd.DataFrame]:
    tables = {"history": result.to_dataframe("history"), "runs": result.to_dataframe("runs")}
    return tables | {name: _cases(split) for name, split in result.splits.items()}


def _cases(split: xr.Dataset) -> pd.DataFrame:
    """Return a row for each run and case; what has labels or targets becomes a column for each."""
    kept = split.drop_vars("prediction_epochs", errors="ignore")
    flat = {}
    for name, values in kept.data_vars.items():
        if "label" not in values.dims:
            flat[str(name)] = values
            continue
        names = kept["label"].to_numpy() if "label" in kept.coords else range(values.sizes["label"])
        flat |= {
            f"{name}_{label}": values.isel(label=place).drop_vars("label", errors="ignore")
            for place, label in enumerate(names)
        }
    return xr.Dataset(flat).to_dataframe(dim_order=["variant", "seed", "sample"]).reset_index()


def _write_parquet(table: pd.DataFrame, file: Path) -> None:
    try:
        table.to_parquet(file, index=False)
    except ImportError as reason:
        raise MissingExtraError("Parquet files need pyarrow: pip install 'gengap[parquet]'.") from reason
