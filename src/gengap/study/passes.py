"""The runs of the folds of a pass as one: every case predicted by the run that has not seen it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from gengap.datasets.cases import rows_of
from gengap.datasets.climatology import climatology
from gengap.datasets.folds import Division, Fold, Rows, fold_seed
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.resampling import Folds
from gengap.datasets.split import Split
from gengap.engine.runs import Array, Predictions, RunRecord


@dataclass(frozen=True, eq=False)
class Passes:
    """What an assembly must know of the divisions of a study.

    Attributes:
        divisions: The division of each seed.
        climatology: For each seed, the climatology of each fold's training cases.
    """

    divisions: Mapping[int, Division]
    climatology: Mapping[int, Sequence[Any]]

    def keys(self, variant: str, seed: int) -> list[tuple[str, int]]:
        """Return the runs that a pass of a variant consists of, fold by fold."""
        return [(variant, fold_seed(seed, place)) for place in range(len(self.divisions[seed].folds))]

    def join(self, by_run: Mapping[tuple[str, int], RunRecord], variant: str, seed: int) -> RunRecord | None:
        """Return the record of a pass; None where a fold has not been trained.

        Curves are means over the folds, as far as all reach; the best epoch is that of the mean curve, while the
        predictions at the best epoch are each fold's at its own. A pass of which a fold diverged has diverged.
        """
        found = [by_run.get(key) for key in self.keys(variant, seed)]
        records = [record for record in found if record is not None]
        if len(records) < len(found):
            return None
        division, length = self.divisions[seed], min(len(one.history["loss"]) for one in records)
        history = {
            name: np.mean([one.history[name][:length] for one in records], axis=0)
            for name in records[0].history
            if all(name in one.history for one in records)
        }
        splits = ("validation", "test") if division.validates_all else ("test",)
        return RunRecord(
            variant=variant,
            seed=seed,
            history=history,
            predictions={name: _placed(name, records, division, length) for name in splits},
            weights_last=(),
            weights_best=(),
            best_epoch=_best(history),
            parameters=records[0].parameters,
            seconds=sum(one.seconds for one in records),
            status=_status(records),
        )

    def describe_runs(
        self, by_run: Mapping[tuple[str, int], RunRecord], variants: Sequence[str], seeds: Sequence[int]
    ) -> dict[str, Any]:
        """Return what each fold's run left, over `(variant, seed, fold)`; 0 where one was not trained."""
        records = [[[by_run.get(key) for key in self.keys(v, s)] for s in seeds] for v in variants]
        dims = ("variant", "seed", "fold")

        def each(value: Any) -> Array:
            return np.array([[[0 if one is None else value(one) for one in row] for row in rows] for rows in records])

        train = [[len(fold.train) for fold in self.divisions[seed].folds] for seed in seeds]
        return {
            "fold_best_epoch": (dims, each(lambda one: one.best_epoch)),
            "fold_epochs": (dims, each(lambda one: len(one.history["loss"]))),
            "fold_training_cases": (("seed", "fold"), np.array(train)),
        }

    def coordinates(self, split: xr.Dataset, name: str, seeds: Sequence[int]) -> xr.Dataset:
        """Return a held-out split that says which fold predicted a case, and what that fold's climatology is."""
        tested = self.divisions[seeds[0]].tested
        fold = np.full((len(seeds), len(tested)), -1, np.int64)
        reference = None
        for row, seed in enumerate(seeds):
            for place, one in enumerate(self.divisions[seed].folds):
                at, value = np.searchsorted(tested, one.rows(name)), np.asarray(self.climatology[seed][place], float)
                value = value.reshape(-1) if value.size > 1 else value.reshape(())
                if reference is None:
                    reference = np.full((len(seeds), len(tested), *value.shape), np.nan)
                fold[row, at], reference[row, at] = place, value
        dims = ("seed", "sample", "label")
        assert reference is not None  # noqa: S101  a study has seeds, and a division folds
        split["climatology"] = (dims[: reference.ndim], reference)
        return split.assign_coords(fold=(("seed", "sample"), fold), case=("sample", tested))

    def told(self) -> dict[str, Any]:
        """Return what a manifest says of the passes that a result holds: training cases, the fewest and the most."""
        sizes = [len(fold.train) for division in self.divisions.values() for fold in division.folds]
        return {"training_cases": [min(sizes), max(sizes)]}


def passes_of(folds: Folds, kind: OutputKind) -> Passes:
    """Return what an assembly must know of the folds of a study: its divisions, and what each fold learned from."""
    climatologies = {
        seed: [_climatology(folds.pool, fold.train, kind) for fold in division.folds]
        for seed, division in folds.divisions.items()
    }
    return Passes(folds.divisions, climatologies)


def pack_division(division: Division, climatology: Sequence[Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Take apart what a stored study must know of one pass: cases by fold, and each fold's climatology."""
    arrays: dict[str, Array] = {}
    for place, fold in enumerate(division.folds):
        arrays |= {f"{place:04d}/{name}": fold.rows(name) for name in ("train", "validation", "test")}
    return arrays, {"validates_all": division.validates_all, "climatology": list(climatology)}


def unpack_division(arrays: Mapping[str, Array], values: Mapping[str, Any]) -> Division:
    """Put together what `pack_division` took apart."""
    places = sorted({path.split("/")[0] for path in arrays})
    folds = tuple(
        Fold(*(np.asarray(arrays[f"{place}/{name}"], np.int64) for name in ("train", "validation", "test")))
        for place in places
    )
    return Division(folds, bool(values["validates_all"]))


def _climatology(pool: Split, rows: Rows, kind: OutputKind) -> Any:
    weight = None if pool.sample_weight is None else np.asarray(pool.sample_weight)[rows]
    return climatology(Split(None, rows_of(pool.y, rows), weight), kind)["training_climatology"]


def _placed(name: str, records: Sequence[RunRecord], division: Division, length: int) -> Predictions:
    """Put the predictions of the folds where their cases stand."""
    parts = [one.predictions[name] for one in records]
    places = [np.searchsorted(division.tested, fold.rows(name)) for fold in division.folds]
    keep = all(part.epochs is not None for part in parts)
    return Predictions(
        last=_scattered([part.last for part in parts], places, axis=0),
        best=_scattered([part.best for part in parts], places, axis=0),
        epochs=_scattered([np.asarray(part.epochs)[:length] for part in parts], places, axis=1) if keep else None,
    )


def _scattered(parts: Sequence[Array], places: Sequence[Rows], *, axis: int) -> Array:
    number = sum(map(len, places))
    shape = (*parts[0].shape[:axis], number, *parts[0].shape[axis + 1 :])
    whole = np.full(shape, np.nan, np.result_type(*parts))
    for part, place in zip(parts, places, strict=True):
        if axis:
            whole[:, place] = part
        else:
            whole[place] = part
    return whole


def _best(history: Mapping[str, Array]) -> int:
    """Return the epoch of the best mean validation score; a pass without any finite one has none."""
    curve = history["val_score"]
    return int(np.nanargmin(curve)) + 1 if np.isfinite(curve).any() else 0


def _status(records: Sequence[RunRecord]) -> str:
    diverged = [place for place, one in enumerate(records) if one.status.startswith("diverged")]
    if diverged:
        return f"diverged in fold {', '.join(map(str, diverged))}: {records[diverged[0]].status}"
    stopped = sorted({len(one.history["loss"]) for one in records if one.status.startswith("stopped")})
    return f"stopped between epochs {stopped[0]} and {stopped[-1]}, fold by fold" if stopped else "completed"
