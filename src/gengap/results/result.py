"""A result: what a study leaves, as named arrays that open without Keras or torch."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from gengap.datasets.folds import fold_seed
from gengap.deprecated import old_arguments
from gengap.errors import UnknownNameError
from gengap.naming import did_you_mean
from gengap.results.files import PARTS, Folder, WeightKey, read_netcdf, write_netcdf
from gengap.results.foreign import curves_of_others, forecasts_of_others
from gengap.results.remembered import Remembered

Array = NDArray[Any]
EpochRule = Literal["best", "last"]


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
        fold: int | None = None,
        custom_objects: Mapping[str, Any] | None = None,
        check: bool = True,
        **custom: Any,
    ) -> Any:
        """Rebuild a trained model.

        Args:
            variant: Name of the variant.
            seed: Seed of the run; None takes the run of median validation score (of the lower median, if even).
            epoch: Weights of the epoch of best validation score, or of the last.
            fold: Which fold's model, from 0, for a resampled study; `result.test["fold"]` says which cases it has not
                seen.
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
        key = (variant, self._run_seed(seed, fold), epoch)
        if key not in self.weights:
            raise UnknownNameError(self._why_no_weights(variant, seed, epoch))
        remembered = self.objects.get(variant, {})
        known = {**remembered, **(custom_objects or {}), **custom}
        config, weights = self.manifest["variants"][variant]["model"], self.weights[key]
        # by name: a result is data that opens without Keras, and this method a convenience that leads upwards
        rebuilding = import_module("gengap.keras_models.rebuilding")
        model = rebuilding.rebuild(config, weights, known, variant=variant, remembered=remembered)
        if check:
            for split, cases in self.cases.items():
                stored = self.splits[split][f"prediction_{epoch}"].sel(variant=variant, seed=seed).to_numpy()
                precise = self.manifest.get("settings", {}).get("precision") != "bfloat16"
                rebuilding.check(model, cases, stored, precise=precise, what=f"The model of variant {variant!r}")
        return model

    def _run_seed(self, seed: int, fold: int | None) -> int:
        """Return the seed under which a run's weights are kept: that of its fold, in a resampled study."""
        told = self.manifest.get("resampling")
        if not told and fold is not None:
            raise UnknownNameError(f"This result has no folds: leave out `fold={fold}`.")
        if told and fold is None:
            raise UnknownNameError(
                f"This study is resampled, so a seed has {told['folds']} models of each variant, none of which learned "
                "from all cases: give `fold=`, or train the variant on all cases."
            )
        return seed if fold is None else fold_seed(seed, fold)

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
        write_netcdf(Path(path), self._parts(), self.manifest)

    @classmethod
    def from_netcdf(cls, path: str | Path) -> "Result":
        """Read what `to_netcdf` wrote.

        Raises:
            StoreError: The file is missing, damaged or not written by gengap, or lacks what a result needs.
        """
        parts, manifest = read_netcdf(path)
        return cls(parts["history"], parts["runs"], parts["validation"], parts["test"], manifest)

    def save(self, folder: str | Path) -> None:
        """Write the result and its weights into a folder: `result.nc` and `weights/*.safetensors`.

        Raises:
            StoreError: The folder holds a file of one of these names that gengap did not write.
        """
        Folder(folder, self.variants).save(self._parts(), self.manifest, self.weights, self.cases)

    @classmethod
    def load(cls, folder: str | Path, *, custom_objects: Mapping[str, Any] | None = None) -> "Result":
        """Read what `save` wrote; weights are read when they are asked for.

        Args:
            folder: The folder.
            custom_objects: The user's own classes and functions by name, for models that are rebuilt.

        Raises:
            StoreError: The folder holds no result.
        """
        bare = cls.from_netcdf(Folder(folder).result)
        files, rules = Folder(folder, bare.variants), ("best", "last")
        return replace(
            bare,
            weights=files.weights(list(product(bare.variants, run_seeds(bare), rules))),  # type: ignore[arg-type]
            cases=files.cases(list(bare.splits)),
            objects=Remembered(dict.fromkeys(bare.variants, custom_objects or {})),
        )

    @classmethod
    @old_arguments("gengap.Result.from_histories")
    def from_histories(
        cls,
        histories: Mapping[str, Sequence[Any]],
        *,
        task: str,
        score: str = "loss",
        larger_is_better: bool = False,
        models: Mapping[str, Any] | None = None,
    ) -> "Result":
        """Make a result from curves that another tool recorded.

        Args:
            histories: For each variant, the baseline first, one history per seed: a Keras `History`, or a mapping from
                names to values per epoch. Runs at the same place of each list count as paired.
            task: What is predicted: `"binary"`, `"multiclass"` or `"regression"`.
            score: Name of the curve to compare on; its held-out twin is `"val_" + score`. Mind that Keras 3 counts
                penalties in `loss` and `val_loss`, and that its training curves are taken with noise on.
            larger_is_better: Whether the curve is to be maximized, as accuracy is; it is negated then, and called
                "negative accuracy".
            models: The Keras models that the histories are of, by variant, so that an audit can say in what they
                differ; variants may be missing.

        Raises:
            DataError: A curve is missing or not one number for each epoch, or lists are empty, or a model belongs to
                no variant; or `larger_is_better` contradicts what the curve's name means.
        """
        return cls(
            *curves_of_others(histories, task=task, score=score, larger_is_better=larger_is_better, models=models or {})
        )

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
            UnknownNameError: There is no such task, score or split.
            DataError: Shapes do not fit, predictions of labels are not probabilities, or a group is missing.
        """
        return cls(*forecasts_of_others(y_true, predictions, task=task, score=score, groups=groups, split=split))

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
        return {name: getattr(self, name) for name in PARTS}

    def _why_no_weights(self, variant: str, seed: int, epoch: str) -> str:
        if epoch not in get_args(EpochRule):
            return f"`epoch` must be one of {', '.join(get_args(EpochRule))}; received {epoch!r}."
        if not self.weights:
            return "This result has no networks: it was made from other tools' numbers, or loaded without `weights/`."
        return f"There are no weights of variant {variant!r} with seed {seed}; seeds are {list(self.seeds)}."

    def _check_variant(self, name: str) -> None:
        if name not in self.variants:
            near = did_you_mean(name, self.variants)
            raise UnknownNameError(f"There is no variant {name!r}{near}; variants are {', '.join(self.variants)}.")


def run_seeds(result: Result) -> list[int]:
    """Return the seeds under which the runs of a result are kept: one for each fold, in a resampled study."""
    folds = (result.manifest.get("resampling") or {}).get("folds")
    return [fold_seed(seed, fold) for seed in result.seeds for fold in range(folds)] if folds else list(result.seeds)


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
