"""A result in TensorBoard: scalars of every run, and of every variant the mean over seeds with its band."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.analysis.curves import learning_curve
from gengap.engine.events import Events, folder_of, require_tensorboard
from gengap.errors import DataError
from gengap.results.checks import check_is_result
from gengap.tracking.records import tracked_runs

if TYPE_CHECKING:
    from gengap.results import Result

BAND = ("low", "high")
"""Folders beside `mean` that hold the ends of the band."""


def to_tensorboard(result: "Result", folder: str | Path) -> Path:
    """Write a result as TensorBoard's event files, and return the folder: `tensorboard --logdir FOLDER`.

    `VARIANT/seed-K` holds the curves of a run; `VARIANT/mean`, `VARIANT/low` and `VARIANT/high` their mean over seeds
    and the ends of its 95 % interval, under the same names, so that one chart shows them together. The step is the
    epoch, from 1. Names of folders keep letters, digits and `.+-`.

    Args:
        result: The result.
        folder: An empty folder, or one that does not exist.

    Raises:
        DataError: The folder holds files already: TensorBoard would mix them.
        MissingExtraError: TensorBoard is not installed.
    """
    check_is_result(result, "to_tensorboard")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not an empty folder, and TensorBoard would mix what it holds: choose another.")
    require_tensorboard()
    folders: dict[str, str] = {}
    for run in tracked_runs(result):
        with scalars(folder / folder_of(run.variant, folders) / f"seed-{run.seed}") as write:
            for name, curve in run.curves.items():
                for epoch, value in curve.items():
                    write(name, value, epoch)
            for name, value in run.metrics.items():
                write(f"final/{name}", value, 0)
    for variant in result.variants:
        _bands(result, variant, folder / folder_of(variant, folders))
    return folder


def _bands(result: "Result", variant: str, folder: Path) -> None:
    curves = [learning_curve(result, variant, str(name)) for name in result.history.data_vars]
    for part in ("mean", *BAND):
        with scalars(folder / part) as write:
            for curve in curves:
                for epoch, value in zip(curve.epoch.tolist(), getattr(curve, part).tolist(), strict=True):
                    if np.isfinite(value):
                        write(curve.name, value, epoch)


@contextmanager
def scalars(folder: Path) -> Iterator[Any]:
    """Give a function `(name, value, step)` that writes scalars into a folder of their own."""
    events = Events(folder)
    try:
        yield lambda name, value, step: events.add({name: value}, step)
    finally:
        events.close()
