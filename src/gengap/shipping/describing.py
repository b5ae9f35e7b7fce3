"""The card of what is shipped, written from the result's own account."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import keras
import numpy as np

from gengap._version import __version__
from gengap.analysis.findings.wording import GIVEN
from gengap.datasets.output_kind import OutputKind
from gengap.keras_models.heads import input_structure, symbolic_inputs
from gengap.results.resampled import resampling_of
from gengap.shipping.card import ModelCard, ShownScore
from gengap.shipping.choice import Chosen
from gengap.shipping.reading import Reading
from gengap.shipping.retraining import Retrained
from gengap.shipping.scoring import out_of_fold
from gengap.study.manifest import library_versions


@dataclass(frozen=True, eq=False)
class Facts:
    """What a card is made from.

    Attributes:
        took: The runs that were taken out of the result.
        kind: How the scored output is read.
        temperature: What divides the log-odds; None where nothing does.
        noise: Whether noise layers stay on.
        retrained: What retraining did; None for runs as trained.
        classes: Classes that the file needs besides Keras'.
        reading: How raw rows become inputs.
    """

    took: Chosen
    kind: OutputKind
    temperature: float | None
    noise: bool
    retrained: Retrained | None
    classes: tuple[str, ...]
    reading: Reading

    @property
    def form(self) -> str:
        """What was done with the runs, in words."""
        count = len(self.took.seeds)
        how = "the run of one seed" if count == 1 else f"the mean forecast of {count} runs, in one graph"
        return how if self.retrained is None else f"{how}, retrained on {self.retrained.cases_in_words}"


def make_card(facts: Facts, model: keras.Model, scores: tuple[ShownScore, ...]) -> ModelCard:
    """Write the card of a shipped model."""
    took, manifest = facts.took, facts.took.result.manifest
    evaluated = bool(scores) and not facts.noise
    name = (manifest.get("data") or {}).get("name") or "a study"
    return ModelCard(
        title=f"{took.variant}, {took.rule} epoch: {facts.form} ({name})",
        model=_model(facts, model),
        inputs=tuple(_inputs(model)),
        output=_output(facts),
        preprocessing=_preprocessing(facts, model),
        data=_data(manifest),
        study=_study(took),
        scores=scores if evaluated else (),
        evaluated=evaluated,
        claim=_claim(took, evaluated=evaluated),
        limits=tuple(_limits(facts, evaluated=evaluated, scores=scores)),
        versions={"gengap": __version__, **library_versions()},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _model(facts: Facts, model: keras.Model) -> dict[str, Any]:
    took = facts.took
    return {
        "variant": took.variant,
        "remedy": took.result.manifest["variants"][took.variant].get("remedy") or "none",
        "form": facts.form,
        "seeds": list(took.seeds),
        "epoch_rule": took.rule,
        "epochs": list(took.epochs) if facts.retrained is None else None,
        "retrained": None if facts.retrained is None else facts.retrained.sentence,
        "temperature": facts.temperature,
        "noise_stays_on": facts.noise,
        "parameters": int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        "needs_classes": list(facts.classes),
    }


def _inputs(model: keras.Model) -> list[dict[str, Any]]:
    structure = input_structure(model)
    tensors = keras.tree.flatten(symbolic_inputs(model) if structure is None else structure)
    return [
        {"name": one.name, "shape": list(one.shape[1:]), "dtype": keras.backend.standardize_dtype(one.dtype)}
        for one in tensors
    ]


def _output(facts: Facts) -> dict[str, Any]:
    manifest, kind = facts.took.result.manifest, facts.kind
    data = manifest.get("data") or {}
    meaning = {
        "binary": "probability of every label" if kind.of_labels else "probability of label 1",
        "multiclass": "probability of every label",
        "regression": "expected value of every target",
    }[kind.task]
    return {
        "task": kind.task,
        "meaning": meaning,
        "width": kind.width,
        "labels": list(data.get("label_names") or ()),
        "units": data.get("target_units") or None,
        "of_output": kind.name,
    }


def _preprocessing(facts: Facts, model: keras.Model) -> dict[str, Any]:
    manifest, reading = facts.took.result.manifest, facts.reading
    features = list((manifest.get("data") or {}).get("feature_names") or ())
    shapes = [one["shape"] for one in _inputs(model)]
    whole = len(shapes) == 1 and None not in shapes[0] and math.prod(shapes[0]) == len(features)
    if reading.table is not None:
        note = _INSIDE if reading.inside else _OF_TABLES
        names = list(reading.table.features)
        return {"features": names, "inside": reading.inside, "note": note, "table": reading.table.to_dict()}
    fitted = manifest.get("preprocess") or ""
    note = _FITTED_INSIDE if reading.inside else _OF_INPUTS
    return {"features": features if whole else [], "fitted_by_the_study": fitted, "note": note}


_INSIDE = (
    "The model takes the raw numbers of these columns in this order, NaN for a blank: scale, fill and marks of blanks "
    "are layers of it. `gengap predict` takes raw rows."
)
_FITTED_INSIDE = "The model takes raw inputs: what the study fitted to its training cases is its first layer."
_OF_TABLES = (
    "`gengap predict` takes raw rows: how the study read and encoded its table is kept in the card's JSON. Other "
    "readers of the model have to do the same."
)
_OF_INPUTS = (
    "The model takes inputs exactly as the study's networks took them: whatever was done to them before (scaling, "
    "encoding of words, cropping) is not part of it and has to be done again."
)


def _data(manifest: Mapping[str, Any]) -> dict[str, Any]:
    data = manifest.get("data") or {}
    names = ("name", "description", "n_train", "n_validation", "n_test", "synthetic", "licence", "citation",
             "fingerprint")  # fmt: skip
    return {name: data[name] for name in names if name in data}


def _study(took: Chosen) -> dict[str, Any]:
    manifest, said = took.result.manifest, took.recommendation
    settings = manifest.get("settings") or {}
    found: dict[str, Any] = {
        "variants": list(took.result.variants),
        "seeds": list(took.result.seeds),
        "score": took.result.score,
        "epochs": settings.get("epochs"),
        "batch_size": settings.get("batch_size"),
        "engine": manifest.get("engine"),
        "created": manifest.get("created"),
    }
    if said is not None:
        found["recommended"] = [str(message) for message in said.messages]
    return found


def _claim(took: Chosen, *, evaluated: bool) -> str:
    if not evaluated:
        return "No score is claimed."
    part = took.held()[0].part
    return (
        f"Scores are of this very model on the study's {part} cases; intervals hold for new cases from the same "
        f"source, {GIVEN}."
    )


def _limits(facts: Facts, *, evaluated: bool, scores: tuple[ShownScore, ...]) -> list[str]:
    took, found = facts.took, []
    if facts.retrained is not None:
        found += _of_retraining(took, facts.retrained)
    if facts.noise:
        found.append(
            "Noise layers stay on when the model is called, `model(x)`: every call is a draw, and a forecast is the "
            "mean of many. Keras' `predict` switches them off. With noise on it was not itself evaluated."
        )
    if facts.temperature is not None:
        runs = "the study's runs, before they were retrained" if facts.retrained else "these runs"
        where = "validation" if resampling_of(took.result) is None else "out-of-fold"
        found.append(f"The temperature {facts.temperature:.4g} was fitted on the {where} forecasts of {runs}.")
    if evaluated and scores[0].part == "validation":
        found.append("There was no test split: its scores are read on cases that chose its epoch, and flatter.")
    elif took.recommendation is not None and evaluated:
        found.append(
            f"The variant was chosen among {len(took.recommendation.options)} options on the cases that its scores are "
            "read on: what is chosen for looking best looks a little better than it is."
        )
    if took.left_out:
        seeds = ", ".join(map(str, took.left_out))
        found.append(f"The runs of seeds {seeds} diverged or have not come to an end, and are not part of it.")
    if len(took.seeds) > 1:
        found.append(f"Inference costs {len(took.seeds)} times that of one run.")
    if (fitted := took.result.manifest.get("preprocess")) and not facts.reading.inside and facts.reading.table is None:
        found.append(f"It takes inputs after {fitted}, fitted to the study's training cases, which is not part of it.")
    if facts.classes:
        found.append(f"To load it Keras needs these classes (`custom_objects`): {', '.join(facts.classes)}.")
    if (took.result.manifest.get("data") or {}).get("synthetic"):
        found.append("It was made from synthetic data.")
    found.append("It has no compile state: to train it further compile it first.")
    return found


def _of_retraining(took: Chosen, anew: Retrained) -> list[str]:
    """What was not judged about a retrained model, and what was judged in its place."""
    if not anew.folds:
        judged = "only the test cases could judge it, and scores of the study are those of runs trained on fewer cases"
        return [f"{anew.sentence} This model was not itself evaluated: {judged}."]
    return [
        f"{anew.sentence} This model was not itself evaluated: no case is left that could judge it.",
        out_of_fold(took),
    ]
