"""The chosen variant trained anew on all cases that are no test cases, for as long as the study chose."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gengap.datasets.account import fingerprint
from gengap.datasets.cases import joined_cases
from gengap.datasets.intake import as_splits, check_data
from gengap.datasets.split import Dataset, Split
from gengap.datasets.training_data import TrainingData
from gengap.engine.computation import Computation
from gengap.errors import DataError, ModelError
from gengap.keras_models.layer_names import learning
from gengap.keras_models.preprocessing import Preprocessing
from gengap.keras_models.requirements import ModelRequirements
from gengap.results.resampled import resampling_of
from gengap.shipping.card_words import CardLanguage, say
from gengap.shipping.choice import Chosen
from gengap.study import Study

if TYPE_CHECKING:
    from gengap.results import Result

Length = Literal["epochs", "updates"]


@dataclass(frozen=True, eq=False)
class Retrained:
    """Models trained on all that is no test case; of a resampled study, whose cases are all tested, on all of them.

    Attributes:
        models: One for each seed.
        cases: Cases that they saw.
        epochs: Epochs that they were trained for.
        updates: Steps of the optimizer in all.
        study_epochs: Epochs that the study's own runs took, in the median over seeds.
        study_updates: Steps that these are.
        length: What was kept equal.
        folds: Whether the study's runs were those of folds.
        fitted: What was fitted to the cases before the models saw them; None for nothing.
    """

    models: tuple[Any, ...]
    cases: int
    epochs: int
    updates: int
    study_epochs: int
    study_updates: int
    length: Length
    folds: bool
    fitted: Any = None

    def sentence(self, lang: CardLanguage) -> str:
        """What was done, in words."""
        return say(
            lang,
            "retrained.folds" if self.folds else "retrained.splits",
            cases=self.cases,
            epochs=self.epochs,
            updates=self.updates,
            study_epochs=self.study_epochs,
            study_updates=self.study_updates,
            kept=say(lang, f"kept.{self.length}"),
        )


def retrained(chosen: Chosen, data: Dataset | Split, length: Length, preprocess: Any = None) -> Retrained:
    """Train the chosen variant anew, with the seeds that are shipped.

    Args:
        chosen: What is shipped.
        data: The study's own data; of a resampled study, the cases that it divided.
        length: Whether each case is seen as often as in the study (`"epochs"`), or as many steps are made
            (`"updates"`, rounded to whole epochs): there are more cases now.
        preprocess: What the study was given as `preprocess`, which is fitted anew.

    Raises:
        DataError: These are not the study's data, or there is no validation split to add.
        ModelError: The study does not say how the variant can be trained on other cases.
    """
    if length not in {"epochs", "updates"}:
        raise DataError(f"`length` must be 'epochs' or 'updates'; received {length!r}.")
    settings, model = chosen.result.manifest.get("settings") or {}, _model(chosen)
    _check_preprocess(chosen, preprocess)
    study, folds = _study(chosen, model, settings), resampling_of(chosen.result) is not None
    cases = _all_cases(data, study, chosen, raw=preprocess is not None)
    own, batch = median_epochs(chosen.result, chosen.variant, chosen.rule), int(settings["batch_size"])
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
        preprocess=preprocess,
        progress=False,
    )
    status = result.runs["status"].to_numpy().astype(str)
    if not np.char.startswith(status, "completed").all():
        raise ModelError("Retrained on more cases a run diverged: name another variant, or ship a run as trained.")
    fitted = None if preprocess is None else Preprocessing(preprocess).declared(cases.x).fitted(cases, study.kind)[0]
    models = tuple(result.model(chosen.variant, seed=seed, epoch="last") for seed in chosen.seeds)
    return Retrained(models, len(cases), epochs, epochs * more, own, own * steps, length, folds, fitted)


def _model(chosen: Chosen) -> Any:
    manifest = chosen.result.manifest
    if manifest.get("origin") != "study":
        raise ModelError("Only a study's own result says how its models were trained: ship the runs as trained.")
    share = manifest["variants"][chosen.variant].get("share")
    if share not in {None, 1}:
        raise ModelError(
            f"Variant {chosen.variant!r} was trained on {share:.0%} of the training cases, on purpose: trained on more "
            "it would be another variant. Ship it as trained, or choose another."
        )
    fold = None if resampling_of(chosen.result) is None else 0
    model = chosen.result.model(chosen.variant, seed=chosen.seeds[0], epoch=chosen.rule, fold=fold, check=fold is None)
    kept = learning(model, manifest["variants"][chosen.variant].get("kept") or ())  # frozen ones are as they were
    if manifest.get("settings", {}).get("initial_weights") == "keep" or kept:
        instead = (
            "ship the runs as trained"
            if fold is None
            else "train this variant in a study of its own on all cases, from the same model, and ship that one's runs"
        )
        raise ModelError(
            "The study started from weights of the user's (`initial_weights='keep'`, or of layers that were trained "
            f"before), which a result does not hold: {instead}."
        )
    if manifest.get("settings", {}).get("rates"):
        raise ModelError(
            "Callbacks changed the learning rate of the study's runs (ReduceLROnPlateau, LearningRateScheduler), which "
            "a result cannot repeat on other cases: ship the runs as trained."
        )
    return model


def _check_preprocess(chosen: Chosen, preprocess: Any) -> None:
    """Check that what is fitted anew is what the study fitted."""
    told = chosen.result.manifest.get("preprocess")
    given = None if preprocess is None else Preprocessing(preprocess).describe()
    if told and given is None:
        raise ModelError(
            f"The study fitted {told} to its training cases (`preprocess=`), which a result does not hold: give "
            "`ship` the same `preprocess=`, unfitted, and it is fitted to the cases that are trained on now."
        )
    if given != (told or None):
        raise DataError(f"`preprocess` must be what the study was given, {told or 'nothing'}; received {given}.")


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


def _all_cases(data: Dataset | Split, study: Study, chosen: Chosen, *, raw: bool) -> Split:
    """Training and validation cases, or the pool of the folds, if they are those of the study."""
    folds = resampling_of(chosen.result) is not None
    if folds and (isinstance(data, Dataset) or not isinstance(data, Split)):
        raise DataError(
            "`retrain_on` must be the `Split` that the resampled study divided (of a data set, `data.pooled()`; of "
            f"arrays, `gg.Split(x, y)`); received {type(data).__name__}."
        )
    if not folds and not isinstance(data, Dataset):
        raise DataError(
            "`retrain_on` must be the study's own `Dataset`, or one made of its splits; received "
            f"{type(data).__name__}."
        )
    none: dict[str, Any] = {"validation_data": None, "validation_split": 0.0, "test_data": None, "sample_weight": None}
    required = ModelRequirements([variant.model for variant in study.variants], study.kind)
    given: TrainingData = as_splits(data, None, **none, names=required.input_names, keep_frames=raw)
    if given.validation is None and not folds:
        raise DataError("`retrain_on` has no validation split, so there is nothing to add to the training cases.")
    checked = check_data(given, required, inputs=not raw)
    if fingerprint(checked) != chosen.result.manifest["data"]["fingerprint"]:
        raise DataError(
            "`retrain_on` does not hold the data that the study was made from (their fingerprints differ): the length "
            "of training was chosen for those. Pass the same training, validation and test split."
        )
    return given.train if given.validation is None or folds else joined(given.train, given.validation)


def median_epochs(result: "Result", variant: str, rule: str) -> int:
    """Return the median number of epochs, over seeds and folds, that a rule (`"best"`, `"last"`) trained a variant for.

    Runs that diverged before the end of an epoch count for nothing; a half is rounded up.
    """
    name = "best_epoch" if rule == "best" else "epochs"
    name = name if resampling_of(result) is None else f"fold_{name}"
    epochs = result.runs[name].sel(variant=variant).to_numpy()
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
    return Split(joined_cases([first.x, second.x], "inputs"), joined_cases([first.y, second.y], "answers"), weight)
