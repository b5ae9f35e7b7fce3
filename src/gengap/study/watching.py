"""A stored study under way as a table, for `gengap show` in another terminal."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from gengap.analysis.numbers import write_score
from gengap.datasets.folds import fold_seed
from gengap.storage import Progress, Store

SCORES = ("val_score", "train_score")


def progress_table(folder: str | Path) -> tuple[Table, bool]:
    """Return how far every variant of a stored study has come, and whether the study is finished.

    Args:
        folder: The study's folder; a process may be writing to it.

    Returns:
        A table with a row for each variant, and whether every run is stored.

    Raises:
        StoreError: The folder contains no study.
    """
    with Store.open(folder) as store:
        manifest, progress = store.manifest, store.progress()
    folds = (manifest.get("resampling") or {}).get("folds")
    of = f" x {folds} folds" if folds else ""
    title = f"{len(manifest['variants'])} variants x {len(manifest['seeds'])} seeds{of}"
    seeds = [own for seed in manifest["seeds"] for own in _run_seeds(seed, folds)]
    table = Table(title=f"{folder}: {manifest['score']} of {title}")
    for column in ("variant", "stored", "under way", "epoch", *SCORES):
        table.add_column(column, justify="left" if column == "variant" else "right", no_wrap=True)
    for variant in manifest["variants"]:
        own = [one for one in progress if one.variant == variant]
        stored = sum(one.finished for one in own)
        running = [one for one in own if not one.finished]
        epochs = sorted({one.epoch for one in running})
        table.add_row(
            variant.replace("[", r"\["),  # rich reads brackets as markup
            f"{stored}/{len(seeds)}",
            str(len(running)) if running else "",
            "-".join(str(epoch) for epoch in dict.fromkeys((epochs[0], epochs[-1]))) if epochs else "",
            *(_mean(own, score) for score in SCORES),
        )
    wanted = {(variant, seed) for variant in manifest["variants"] for seed in seeds}
    return table, wanted <= {(one.variant, one.seed) for one in progress if one.finished}


def _run_seeds(seed: int, folds: int | None) -> list[int]:
    """Return the seeds of the runs of a seed: one for each fold, in a resampled study."""
    return [fold_seed(seed, place) for place in range(folds)] if folds else [seed]


def tables(folder: str | Path, *, seconds: float = 1.0) -> Iterator[Table]:
    """Yield the table again and again until the study is finished."""
    while True:
        table, finished = progress_table(folder)
        yield table
        if finished:
            return
        time.sleep(seconds)


def _mean(runs: Sequence[Progress], score: str) -> str:
    values = [one.logs[score] for one in runs if score in one.logs]
    return write_score(float(np.mean(values))) if values else ""
