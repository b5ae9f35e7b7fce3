"""A result: what a study leaves, as named arrays that open without Keras or torch."""

import html
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from gengap.errors import DataError, StoreError, UnknownNameError
from gengap.intake import answers_of, fine_enough, groups_of, runs_of
from gengap.naming import check_names
from gengap.rebuilding import Remembered, rebuild
from gengap.rebuilding import check as check_model
from gengap.result_file import FORMAT, check_manifest, check_parts

Array = NDArray[Any]
EpochRule = Literal["best", "last"]
WeightKey = tuple[str, int, EpochRule]

_SAVED = "gengap_weights"
_PARTS = ("history", "runs", "validation", "test")
_PRECISION = "gengap_precision"


@dataclass(frozen=True, eq=False)
class Result:
    """What a study leaves; every function of the analysis acts on it.

    Attributes:
        history: Curves over `(variant, seed, epoch)`: `loss` (objective without penalties), `penalty`, `train_score`,
            `val_score`, `val_loss` and the model's metrics. Epochs count from 1; epochs not trained are NaN.
        runs: Facts over `(variant, seed)`: `parameters`, `best_epoch`, `epochs`, `seconds`, `status`, `weight_norm`,
            `sparsity`.
        validation: Held-out predictions over `(variant, seed, sample[, label])`: `prediction_last`,
            `prediction_best`, `prediction_epochs`, and `y_true` over `sample`. Empty where there is no such split.
        test: The same for the test split.
        manifest: JSON-able account of how the result came about, see `docs/architecture.md`.
        weights: Weights by `(variant, seed, "best" | "last")`; empty where they were not kept.
        cases: Inputs of a few cases by held-out split, on which rebuilt models are checked.
        objects: The user's classes and functions by variant and name, in the process that trained.
    """

    history: xr.Dataset
    runs: xr.Dataset
    validation: xr.Dataset
    test: xr.Dataset
    manifest: Mapping[str, Any]
    weights: Mapping[WeightKey, Sequence[Array]] = field(default_factory=dict)
    cases: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    objects: Mapping[str, Mapping[str, Any]] = field(default_factory=Remembered)

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, the baseline first."""
        return tuple(str(name) for name in self.history["variant"].values)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(int(seed) for seed in self.history["seed"].values)

    @property
    def baseline(self) -> str:
        """Name of the variant that the others are compared with."""
        return self.variants[0]

    @property
    def task(self) -> str:
        """What is predicted: `"binary"`, `"multiclass"` or `"regression"`."""
        return str(self.manifest["task"])

    @property
    def score(self) -> str:
        """Name of the common score; smaller is better."""
        return str(self.manifest["score"])

    @property
    def splits(self) -> Mapping[str, xr.Dataset]:
        """The held-out splits that exist, by name."""
        return {name: part for name, part in self._parts().items() if name in {"validation", "test"} and part.sizes}

    def select(self, variants: Sequence[str]) -> "Result":
        """Return the result of some variants, the first of which becomes the baseline.

        Raises:
            UnknownNameError: A variant does not exist.
        """
        for name in variants:
            self._check_variant(name)
        parts: dict[str, Any] = {
            name: part.sel(variant=list(variants)) if "variant" in part.dims else part
            for name, part in self._parts().items()
        }
        return replace(self, **parts)

    def model(
        self,
        variant: str,
        *,
        seed: int | None = None,
        epoch: EpochRule = "best",
        custom_objects: Mapping[str, Any] | None = None,
        check: bool = True,
        **custom: Any,
    ) -> Any:
        """Rebuild a trained model.

        Args:
            variant: Name of the variant.
            seed: Seed of the run; None takes the run of median validation score (of the lower median, if even).
            epoch: Weights of the epoch of best validation score, or of the last.
            custom_objects: The user's own classes and functions by name, as Keras takes them; a result remembers them
                in the process that trained.
            check: Whether the model must predict for a few held-out cases what was stored for them.
            **custom: The same as `custom_objects`, one by one.

        Returns:
            An ordinary compiled `keras.Model`.

        Raises:
            UnknownNameError: No such variant or seed, or its weights were not kept.
            ModelError: The model's classes cannot be rebuilt from their configuration, or what is rebuilt predicts
                something else than the trained network.
        """
        self._check_variant(variant)
        seed = self.median_seed(variant, epoch=epoch) if seed is None else seed
        if (variant, seed, epoch) not in self.weights:
            raise UnknownNameError(
                f"There are no weights of variant {variant!r} with seed {seed}; seeds are {list(self.seeds)}."
            )
        remembered = self.objects.get(variant, {})
        known = {**remembered, **(custom_objects or {}), **custom}
        config, weights = self.manifest["variants"][variant]["model"], self.weights[variant, seed, epoch]
        model = rebuild(config, weights, known, variant=variant, remembered=remembered)
        if check:
            self._check_model(model, variant, seed, epoch)
        return model

    def _check_model(self, model: Any, variant: str, seed: int, epoch: EpochRule) -> None:
        for split, cases in self.cases.items():
            stored = self.splits[split][f"prediction_{epoch}"].sel(variant=variant, seed=seed).to_numpy()
            precise = self.manifest.get("settings", {}).get("precision") != "bfloat16"
            check_model(model, cases, stored, precise=precise, what=f"The model of variant {variant!r}")

    def median_seed(self, variant: str, *, epoch: EpochRule = "best") -> int:
        """Return the seed whose run has the median validation score (training score without validation)."""
        score = "val_score" if "val_score" in self.history else "train_score"
        curves = self.history[score].sel(variant=variant)
        at = self.runs["best_epoch" if epoch == "best" else "epochs"].sel(variant=variant)
        values = [
            float(curves.sel(seed=seed, epoch=int(at.sel(seed=seed)))) if int(at.sel(seed=seed)) > 0 else np.nan
            for seed in self.seeds
        ]
        order = np.argsort(values)
        finite = int(np.isfinite(values).sum())
        return self.seeds[int(order[max(finite - 1, 0) // 2])]

    def to_dataframe(self, part: Literal["history", "runs"] = "history") -> pd.DataFrame:
        """Return curves (one row per variant, seed and epoch) or runs (one row per variant and seed)."""
        return self._parts()[part].to_dataframe().reset_index()

    def to_netcdf(self, path: str | Path) -> None:
        """Write datasets and manifest, not the weights, as one netCDF-4 file with a group for each dataset."""
        self._write(Path(path))

    def _write(self, path: Path, *, saved: Sequence[str] = ()) -> None:
        """Write `to_netcdf`'s file, which also names the files of weights that were saved with it."""
        tree = xr.DataTree.from_dict({name: _for_file(part) for name, part in self._parts().items()})
        tree.attrs["gengap"] = json.dumps(self.manifest)
        tree.attrs[_SAVED] = json.dumps(list(saved))
        packed = {"zlib": True, "complevel": 1, "shuffle": True}
        encoding = {
            f"/{name}": {variable: packed for variable in part.data_vars if part[variable].dtype.kind == "f"}
            for name, part in self._parts().items()
        }
        tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)

    @classmethod
    def from_netcdf(cls, path: str | Path) -> "Result":
        """Read what `to_netcdf` wrote.

        Raises:
            StoreError: The file is missing, damaged or not written by gengap, or lacks what a result needs.
        """
        try:
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                manifest = json.loads(tree.attrs["gengap"])
                check_manifest(manifest)
                parts: dict[str, Any] = {name: _from_file(tree[name].to_dataset().load()) for name in _PARTS}
            check_parts(parts, manifest["task"])
        except DataError as reason:
            raise StoreError(f"The result in {path} cannot be used: {reason}.") from reason
        except (OSError, KeyError, ValueError, TypeError, AttributeError) as reason:
            raise StoreError(f"{path} is no result of gengap, or it is damaged: {reason}.") from reason
        parts = {name: fine_enough(part, manifest["task"]) for name, part in parts.items()}
        return cls(**parts, manifest=manifest, weights={})

    def save(self, folder: str | Path) -> None:
        """Write the result and its weights into a folder: `result.nc` and `weights/*.npz`.

        Raises:
            StoreError: The folder holds a file of one of these names that gengap did not write.
        """
        folder = Path(folder)
        path, keys = folder / "result.nc", [key for key in self.weights if key[0] in self.variants]
        files = {key: _weight_file(folder, self.variants, key) for key in keys}  # `select` leaves others where they lie
        cases = {split: folder / f"cases-{split}.npz" for split in self.cases}
        known, written = is_result(path), (path, *files.values(), *cases.values())
        if strangers := [one for one in written if (one.exists() and not known) or one.is_symlink()]:
            raise StoreError(
                f"{strangers[0]} was not written by gengap and would be written over: choose another folder"
            )
        (folder / "weights").mkdir(parents=True, exist_ok=True)
        part = folder / f"result.nc.{uuid.uuid4().hex}.part"  # a crash leaves the old file or the new one
        try:
            self._write(part, saved=[file.name for file in (*files.values(), *cases.values())])
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        for key, file in files.items():
            np.savez(file, *self.weights[key])
        for split, file in cases.items():
            np.savez(file, **dict[str, Any](self.cases[split]))

    @classmethod
    def load(cls, folder: str | Path, *, custom_objects: Mapping[str, Any] | None = None) -> "Result":
        """Read what `save` wrote; weights are read when they are asked for.

        Args:
            folder: The folder.
            custom_objects: The user's own classes and functions by name, for models that are rebuilt.

        Raises:
            StoreError: The folder holds no result.
        """
        bare = cls.from_netcdf(Path(folder) / "result.nc")
        rules: tuple[EpochRule, ...] = ("best", "last")
        keys: list[WeightKey] = list(product(bare.variants, bare.seeds, rules))
        files = {key: _weight_file(Path(folder), bare.variants, key) for key in keys}
        named = _attribute(Path(folder) / "result.nc", _SAVED)  # others may lie there from a result saved before
        saved = None if named is None else set(json.loads(named))

        def is_own(file: Path) -> bool:
            return file.exists() and (saved is None or file.name in saved)

        splits = {name: Path(folder) / f"cases-{name}.npz" for name in bare.splits}
        return replace(
            bare,
            weights=_WeightFiles({key: file for key, file in files.items() if is_own(file)}),
            cases={name: _read_arrays(file) for name, file in splits.items() if is_own(file)},
            objects=Remembered(dict.fromkeys(bare.variants, custom_objects or {})),
        )

    @classmethod
    def from_histories(
        cls,
        histories: Mapping[str, Sequence[Any]],
        *,
        task: str,
        score: str = "loss",
        higher_is_better: bool = False,
        models: Mapping[str, Any] | None = None,
    ) -> "Result":
        """Make a result from curves that another tool recorded.

        Args:
            histories: For each variant, the baseline first, one history per seed: a Keras `History`, or a mapping from
                names to values per epoch. Runs at the same place of each list count as paired.
            task: What is predicted: `"binary"`, `"multiclass"` or `"regression"`.
            score: Name of the curve to compare on; its held-out twin is `"val_" + score`. Mind that Keras 3 counts
                penalties in `loss` and `val_loss`, and that its training curves are taken with noise on.
            higher_is_better: Whether the curve is to be maximized, as accuracy is; it is negated then.
            models: The Keras models that the histories are of, by variant, so that an audit can say in what they
                differ; variants may be missing.

        Raises:
            DataError: A curve is missing, or lists are empty, or a model belongs to no variant.
        """
        written = dict(zip(histories, check_names(histories, "variants"), strict=True))
        curves = {
            written[name]: [dict(getattr(one, "history", one)) for one in runs] for name, runs in histories.items()
        }
        if not curves or not all(curves.values()):
            raise DataError("`histories` needs at least one variant, and one history for each of its seeds.")
        if missing := [name for name, runs in curves.items() for run in runs if score not in run]:
            raise DataError(f"The histories of {sorted(set(missing))} have no curve {score!r}.")
        names = sorted({curve for runs in curves.values() for run in runs for curve in run})
        num_epochs = max(len(run[score]) for runs in curves.values() for run in runs)
        num_seeds = max(map(len, curves.values()))
        history = xr.Dataset(
            {
                name: (("variant", "seed", "epoch"), np.full((len(curves), num_seeds, num_epochs), np.nan))
                for name in names
            },
            coords={"variant": list(curves), "seed": np.arange(num_seeds), "epoch": np.arange(1, num_epochs + 1)},
        )
        for variant, runs in curves.items():
            for seed, run in enumerate(runs):
                for name, values in run.items():
                    history[name].loc[variant, seed, : len(values)] = np.asarray(values, dtype=np.float64)
        sign = -1 if higher_is_better else 1
        history["train_score"] = sign * history[score]
        if f"val_{score}" in history:
            history["val_score"] = sign * history[f"val_{score}"]
        manifest = _foreign_manifest(list(curves), num_seeds, task, score, "histories")
        models = {written.get(name, str(name)): model for name, model in (models or {}).items()}
        if unknown := sorted(set(models) - set(curves)):
            raise DataError(f"`models` names {', '.join(unknown)}, of which there are no histories.")
        manifest["variants"] |= {name: _described(model) for name, model in models.items()}
        told = _runs_of(history)
        if set(models) == set(curves):
            counts = [manifest["variants"][name]["parameters"] for name in curves]
            told["parameters"] = xr.full_like(told["epochs"], 0) + xr.DataArray(counts, dims="variant")
        return cls(history, told, xr.Dataset(), xr.Dataset(), manifest)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        predictions: Mapping[str, Any],
        *,
        task: str,
        score: str,
        groups: Any = None,
        split: Literal["validation", "test"] = "test",
    ) -> "Result":
        """Make a result from held-out predictions that another tool made.

        Args:
            y_true: Answers in plain form, shape `(n,)`, or `(n, targets)` for a regression of several numbers.
            predictions: For each variant, the baseline first, predictions of shape `(seeds, n)`, `(seeds, n, labels)`
                or `(seeds, n, targets)`; a single run may lack the axis of the seeds. Double precision is kept where
                all have it.
            task: What is predicted: `"binary"`, `"multiclass"` or `"regression"`.
            score: The common score: `"log_loss"`, `"brier_score"` or `"squared_error"`.
            groups: Labels of groups of cases that are not independent, shape `(n,)`, none of them missing.
            split: Which split the cases are.

        Raises:
            UnknownNameError: There is no such task.
            DataError: Shapes do not fit, predictions of labels are no probabilities, or a group is missing.
        """
        named = dict(zip(check_names(predictions, "variants"), predictions.values(), strict=True))
        answers = answers_of(y_true, task)
        arrays = runs_of(named, answers, task)
        stacked = np.stack(list(arrays.values()))
        dims = ("variant", "seed", "sample", "label")[: stacked.ndim]
        coords = {"variant": list(arrays), "seed": np.arange(stacked.shape[1])}
        answer_dims = ("sample", "label")[: answers.ndim]
        held_out = xr.Dataset(
            {"prediction_last": (dims, stacked), "prediction_best": (dims, stacked), "y_true": (answer_dims, answers)},
            coords=coords | ({} if groups is None else {"group": ("sample", groups_of(groups, len(answers)))}),
        )
        empty_history = xr.Dataset(coords=coords | {"epoch": np.arange(1, 1)})
        empty_history["train_score"] = (("variant", "seed", "epoch"), np.empty((*stacked.shape[:2], 0)))
        manifest = _foreign_manifest(list(arrays), stacked.shape[1], task, score, "predictions")
        other: Literal["validation", "test"] = "validation" if split == "test" else "test"
        splits = {split: held_out, other: xr.Dataset()}
        runs = _runs_of(empty_history)
        lost = ~np.isfinite(stacked).all(axis=tuple(range(2, stacked.ndim)))
        runs["status"] = runs["status"].astype("<U60").where(~lost, "diverged: forecasts are NaN or infinite")
        return cls(empty_history, runs, splits["validation"], splits["test"], manifest)

    def __repr__(self) -> str:
        names = ", ".join(self.variants)
        return f"Result({len(self.variants)} variants x {len(self.seeds)} seeds on {self.score}: {names})"

    def _repr_html_(self) -> str:
        title = html.escape(repr(self).partition(":")[0] + ")")
        hint = "mean ± sd over seeds; <code>gg.compare(result)</code> says what of it is sure"
        return f"<p>{title}, {hint}</p>{self._overview().to_html(border=0)}"

    def _overview(self) -> pd.DataFrame:
        """What a reader wants to see first of every variant, as text: sizes, and scores at the best and last epoch."""
        table = pd.DataFrame(index=pd.Index(self.variants, name="variant"))
        if "parameters" in self.runs:
            table["parameters"] = [f"{count:,}" for count in self.runs["parameters"].max("seed").astype(int).to_numpy()]
        for rule, counted in (("best", "best_epoch"), ("last", "epochs")) if self.history.sizes.get("epoch") else ():
            epochs = self.runs[counted]
            table[f"{rule} epoch"] = _told(epochs.astype(float), 1)
            for name, split in (("val_score", "validation"), ("train_score", "training")):
                if name in self.history:
                    values = self.history[name].sel(epoch=epochs.clip(min=1).astype(int))
                    table[f"{split} {self.score.replace('_', ' ')} at the {rule} epoch"] = _told(values, 4)
        return table

    def _parts(self) -> dict[str, xr.Dataset]:
        return {name: getattr(self, name) for name in _PARTS}

    def _check_variant(self, name: str) -> None:
        if name not in self.variants:
            raise UnknownNameError(f"There is no variant {name!r}; variants are {', '.join(self.variants)}.")


def _told(values: xr.DataArray, decimals: int) -> list[str]:
    """Write mean ± standard deviation over seeds, variant by variant; runs without a value count in neither."""
    rows = [row[np.isfinite(row)] for row in values.transpose("variant", "seed").to_numpy().astype(float)]
    return [
        "–"
        if not len(row)
        else f"{row.mean():.{decimals}f} ± {row.std(ddof=1):.{decimals}f}"
        if len(row) > 1 and np.ptp(row) > 0
        else f"{row.mean():.{decimals}f}"
        for row in rows
    ]


def _refuse_strangers(path: Path, files: Iterable[Path]) -> None:
    known = is_result(path)
    for one in (path, *files):
        if one.is_symlink() or (one.exists() and not known):
            raise StoreError(f"{one} was not written by gengap and would be written over: choose another folder")


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


def _weight_file(folder: Path, variants: Sequence[str], key: WeightKey) -> Path:
    variant, seed, epoch = key  # the place, not the name: names are free text and may hold anything
    return folder / "weights" / f"{variants.index(variant):03d}-{seed}-{epoch}.npz"


class _WeightFiles(Mapping[WeightKey, Sequence[Array]]):
    """Weights that lie in files and are read one by one."""

    def __init__(self, files: Mapping[WeightKey, Path]) -> None:
        self._files = dict(files)

    def __getitem__(self, key: WeightKey) -> list[Array]:
        with np.load(self._files[key], allow_pickle=False) as archive:
            return [archive[name] for name in archive.files]

    def __iter__(self) -> Iterator[WeightKey]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _read_arrays(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


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


def _runs_of(history: xr.Dataset) -> xr.Dataset:
    """Read best epoch and length of every run off its curves."""
    scored = history["val_score"] if "val_score" in history else history["train_score"]
    filled = scored.fillna(np.inf)
    epochs = scored.notnull().sum("epoch")
    best = filled.argmin("epoch") + 1 if scored.sizes["epoch"] else epochs
    runs = xr.Dataset({"best_epoch": best, "epochs": epochs})
    runs["status"] = xr.full_like(epochs, "completed", dtype="<U9")
    return runs


def _described(model: Any) -> dict[str, Any]:
    """What a manifest says of a Keras model: its configuration and size."""
    import keras

    try:
        configuration = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    except (TypeError, ValueError, NotImplementedError):
        configuration = None
    return {"model": configuration, "parameters": int(model.count_params())}


def _foreign_manifest(variants: list[str], num_seeds: int, task: str, score: str, origin: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "origin": origin,
        "task": task,
        "score": score,
        "primary": {"score": score, "epoch": "best"},
        "seeds": list(range(num_seeds)),
        "looks": [],
        "settings": {},
        "variants": {name: {} for name in variants},
        "data": {},
        "engine": "other",
    }
