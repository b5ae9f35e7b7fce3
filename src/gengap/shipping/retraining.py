"""The chosen variant trained anew, on training and validation cases together, for as long as the study chose."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse

from gengap.datasets.split import Dataset, Split
from gengap.engine.computation import Computation
from gengap.engine.runs import TrainingData
from gengap.errors import DataError, ModelError
from gengap.shipping.choice import Chosen
from gengap.study import Study
from gengap.study.inputs import as_splits, check_data
from gengap.study.manifest import fingerprint

Length = Literal["epochs", "updates"]


@dataclass(frozen=True, eq=False)
class Retrained:
    """Models trained on all that is not test data.

    Attributes:
        models: One for each seed.
        cases: Cases that they saw.
        epochs: Epochs that they were trained for.
        updates: Steps of the optimizer in all.
        study_epochs: Epochs that the study's own runs took, in the median over seeds.
        study_updates: Steps that these are.
        length: What was kept equal.
    """

    models: tuple[Any, ...]
    cases: int
    epochs: int
    updates: int
    study_epochs: int
    study_updates: int
    length: Length

    @property
    def sentence(self) -> str:
        """What was done, in words."""
        kept = "epochs" if self.length == "epochs" else "updates, to a whole epoch"
        return (
            f"Retrained on the {self.cases:,} training and validation cases for {self.epochs} epochs "
            f"({self.updates:,} updates); the study's runs took {self.study_epochs} epochs ({self.study_updates:,} "
            f"updates) in the median, and the same number of {kept} was kept."
        )


def retrained(chosen: Chosen, data: Dataset, length: Length) -> Retrained:
    """Train the chosen variant anew, with the seeds that are shipped.

    Args:
        chosen: What is shipped.
        data: The study's own data.
        length: Whether each case is seen as often as in the study (`"epochs"`), or as many steps are made
            (`"updates"`, rounded to whole epochs): there are more cases now.

    Raises:
        DataError: These are not the study's data, or there is no validation split to add.
        ModelError: The study does not say how the variant can be trained on other cases.
    """
    if length not in {"epochs", "updates"}:
        raise DataError(f"`length` must be 'epochs' or 'updates'; received {length!r}.")
    settings, model = chosen.result.manifest.get("settings") or {}, _model(chosen)
    study = _study(chosen, model, settings)
    cases = joined(*_splits(data, study, chosen))
    own, batch = _median_epochs(chosen), int(settings["batch_size"])
    steps = _steps(int(chosen.result.manifest["data"]["n_train"]), batch)
    more = _steps(len(cases), batch)
    epochs = own if length == "epochs" else max(1, round(own * steps / more))
    weights = settings.get("class_weight")
    result = study.run(
        cases,
        epochs=epochs,
        batch_size=batch,
        shuffle=bool(settings.get("shuffle", True)),
        class_weight=None if weights is None else {int(label): float(one) for label, one in weights.items()},
        progress=False,
    )
    status = result.runs["status"].to_numpy().astype(str)
    if not np.char.startswith(status, "completed").all():
        raise ModelError("Retrained on training and validation cases a run diverged: ship the runs as trained.")
    models = tuple(result.model(chosen.variant, seed=seed, epoch="last") for seed in chosen.seeds)
    return Retrained(models, len(cases), epochs, epochs * more, own, own * steps, length)


def _model(chosen: Chosen) -> Any:
    manifest = chosen.result.manifest
    if manifest.get("origin") != "study":
        raise ModelError("Only a study's own result says how its models were trained: ship the runs as trained.")
    if manifest.get("preprocess"):
        raise ModelError(
            f"The study fitted {manifest['preprocess']} to its training cases (`preprocess=`), which a result does not "
            "hold: ship the runs as trained."
        )
    share = manifest["variants"][chosen.variant].get("share")
    if share not in {None, 1}:
        raise ModelError(
            f"Variant {chosen.variant!r} was trained on {share:.0%} of the training cases, on purpose: trained on more "
            "it would be another variant. Ship it as trained, or choose another."
        )
    kept = manifest["variants"][chosen.variant].get("kept")
    if manifest.get("settings", {}).get("initial_weights") == "keep" or kept:
        raise ModelError(
            "The study started from weights of the user's (`initial_weights='keep'`, or of layers that were trained "
            "before), which a result does not hold: ship the runs as trained."
        )
    return chosen.result.model(chosen.variant, seed=chosen.seeds[0], epoch=chosen.rule)


def _study(chosen: Chosen, model: Any, settings: Mapping[str, Any]) -> Study:
    manifest = chosen.result.manifest
    plain = manifest.get("engine") == "keras"
    return Study(
        {chosen.variant: model},
        initial_weights="fresh",
        seeds=list(chosen.seeds),
        score=str(manifest["score"]),
        primary_epoch="last",
        task=manifest["task"],
        output=settings.get("output"),
        from_logits=settings.get("from_logits"),
        engine="keras" if plain else "auto",
        computation=Computation() if plain else Computation(precision=settings.get("precision", "float32")),
    )


def _splits(data: Dataset, study: Study, chosen: Chosen) -> tuple[Split, Split]:
    """The training and validation split, if they are those of the study."""
    if not isinstance(data, Dataset):
        raise DataError(
            "`retrain_on` must be the study's own `Dataset`, or one made of its splits; received "
            f"{type(data).__name__}."
        )
    given: TrainingData = as_splits(
        data, None, validation_data=None, validation_split=0.0, test_data=None, sample_weight=None
    )
    if given.validation is None:
        raise DataError("`retrain_on` holds no validation split, so there is nothing to add to the training cases.")
    checked = check_data(given, [variant.model for variant in study.variants], study.kind)
    if fingerprint({"train": checked.train, **checked.held_out()}) != chosen.result.manifest["data"]["fingerprint"]:
        raise DataError(
            "`retrain_on` does not hold the data that the study was made from (their fingerprints differ): the length "
            "of training was chosen for those. Pass the same training, validation and test split."
        )
    return given.train, given.validation


def _median_epochs(chosen: Chosen) -> int:
    counted = chosen.result.runs["best_epoch" if chosen.rule == "best" else "epochs"].sel(variant=chosen.variant)
    epochs = counted.to_numpy()
    return max(1, math.floor(float(np.median(epochs[epochs > 0])) + 0.5))


def _steps(cases: int, batch_size: int) -> int:
    return math.ceil(cases / batch_size)


def joined(first: Split, second: Split) -> Split:
    """Return one split of the cases of two; weights of 1 where only one has weights.

    Groups and times matter only where cases are held out, so they are left behind.
    """
    weight = None
    if first.sample_weight is not None or second.sample_weight is not None:
        weight = np.concatenate(
            [
                np.ones(len(one)) if one.sample_weight is None else np.asarray(one.sample_weight)
                for one in (first, second)
            ]
        )
    return Split(_joined(first.x, second.x), _joined(first.y, second.y), weight)


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, Mapping):
        return {name: _joined(part, second[name]) for name, part in first.items()}
    if isinstance(first, list | tuple):
        return [_joined(*pair) for pair in zip(first, second, strict=True)]
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    if hasattr(first, "detach"):
        return np.concatenate([part.detach().cpu().numpy() for part in (first, second)])
    return np.concatenate([np.asarray(first), np.asarray(second)])
