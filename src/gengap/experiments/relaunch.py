"""How a study of data files was asked for, kept beside what it left, so that the same cases can be read again."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gengap.datasets.table_files import Wanted
from gengap.errors import StoreError
from gengap.experiments.launch import Launch, study_from_files

FORMAT = "gengap run 1"
NAME = "run.json"


def keep(folder: Path, asked: Mapping[str, Any]) -> None:
    """Write the arguments of `study_from_files` into a folder; files by where they are, in full.

    Args:
        folder: The folder that a study's result was written to.
        asked: The arguments by name.
    """
    paths = {name: None if path is None else str(path.resolve()) for name, path in asked["data"].items()}
    model = None if asked["model"] is None else str(asked["model"].resolve())
    plain = {**asked, "model": model, "data": paths, "wanted": asdict(asked["wanted"])}
    (folder / NAME).write_text(json.dumps({"format": FORMAT, **plain}, indent=1) + "\n", encoding="utf-8")


def again(folder: Path) -> Launch:
    """Declare the study of a folder again, on the same files.

    Args:
        folder: What `gengap run --output` wrote to.

    Raises:
        StoreError: The folder does not say of which files its study was made.
        DataError: A file is gone or cannot be read.
    """
    where = folder / NAME
    try:
        told = json.loads(where.read_text(encoding="utf-8"))
        known = told.pop("format") == FORMAT
    except (OSError, ValueError, AttributeError, LookupError):
        known = False
    if not known:
        raise StoreError(
            f"{folder} does not say which data files its study was made of, as the folder that `gengap run --data` "
            "writes to (`--output`) does: name that one, or retrain in Python with `gg.ship(result, retrain_on=...)`."
        )
    data = {name: None if path is None else Path(path) for name, path in told.pop("data").items()}
    model, wanted = told.pop("model"), Wanted(**told.pop("wanted"))
    return study_from_files(None if model is None else Path(model), data, wanted=wanted, **told)
