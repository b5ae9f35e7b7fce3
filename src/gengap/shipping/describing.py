"""The card of what is shipped, written from the result's own account."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import keras

from gengap._version import __version__
from gengap.datasets.output_kind import OutputKind
from gengap.keras_models.frozen import num_trained
from gengap.keras_models.heads import input_structure, symbolic_inputs
from gengap.results.resampled import resampling_of
from gengap.shipping.card import ModelCard, ShownScore
from gengap.shipping.card_words import CardLanguage, name_of, say
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

    def form(self, lang: CardLanguage) -> str:
        """What was done with the runs, in words."""
        count = len(self.took.seeds)
        how = say(lang, "form.one") if count == 1 else say(lang, "form.mean", count=count)
        if self.retrained is None:
            return how
        cases = say(lang, "cases.folds" if self.retrained.folds else "cases.splits")
        return say(lang, "form.retrained", how=how, cases=cases)


def make_card(facts: Facts, model: keras.Model, scores: tuple[ShownScore, ...], lang: CardLanguage = "en") -> ModelCard:
    """Write the card of a shipped model in a language."""
    took, manifest = facts.took, facts.took.result.manifest
    evaluated = bool(scores) and not facts.noise
    name = (manifest.get("data") or {}).get("name") or say(lang, "a study")
    rule = name_of(lang, took.rule)
    return ModelCard(
        title=say(lang, "title", variant=took.variant, rule=rule, form=facts.form(lang), name=name),
        model=_model(facts, model, lang),
        inputs=tuple(_inputs(model)),
        output=_output(facts, lang),
        preprocessing=_preprocessing(facts, model, lang),
        data=_data(manifest),
        study=_study(took),
        scores=scores if evaluated else (),
        evaluated=evaluated,
        claim=_claim(took, lang, evaluated=evaluated),
        limits=tuple(_limits(facts, lang, evaluated=evaluated, scores=scores)),
        versions={"gengap": __version__, **library_versions()},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        lang=lang,
    )


def _model(facts: Facts, model: keras.Model, lang: CardLanguage) -> dict[str, Any]:
    took = facts.took
    return {
        "variant": took.variant,
        "remedy": took.result.manifest["variants"][took.variant].get("remedy") or say(lang, "none"),
        "form": facts.form(lang),
        "seeds": list(took.seeds),
        "epoch_rule": took.rule,
        "epochs": list(took.epochs) if facts.retrained is None else None,
        "retrained": None if facts.retrained is None else facts.retrained.sentence(lang),
        "temperature": facts.temperature,
        "noise_stays_on": facts.noise,
        "parameters": num_trained(model),
        "needs_classes": list(facts.classes),
    }


def _inputs(model: keras.Model) -> list[dict[str, Any]]:
    structure = input_structure(model)
    tensors = keras.tree.flatten(symbolic_inputs(model) if structure is None else structure)
    return [
        {"name": one.name, "shape": list(one.shape[1:]), "dtype": keras.backend.standardize_dtype(one.dtype)}
        for one in tensors
    ]


def _output(facts: Facts, lang: CardLanguage) -> dict[str, Any]:
    manifest, kind = facts.took.result.manifest, facts.kind
    data = manifest.get("data") or {}
    meaning = {
        "binary": "meaning.labels" if kind.of_labels else "meaning.event",
        "multiclass": "meaning.labels",
        "regression": "meaning.numbers",
    }[kind.task]
    return {
        "task": kind.task,
        "meaning": say(lang, meaning),
        "width": kind.width,
        "labels": list(data.get("label_names") or ()),
        "units": data.get("target_units") or None,
        "of_output": kind.name,
    }


def _preprocessing(facts: Facts, model: keras.Model, lang: CardLanguage) -> dict[str, Any]:
    manifest, reading = facts.took.result.manifest, facts.reading
    features = list((manifest.get("data") or {}).get("feature_names") or ())
    shapes = [one["shape"] for one in _inputs(model)]
    whole = len(shapes) == 1 and None not in shapes[0] and math.prod(shapes[0]) == len(features)
    if reading.table is not None:
        names, encoder = list(reading.table.features), reading.encoder_inside
        note = "note.table" if encoder is None else f"note.inside.{encoder.layout}"
        found = {"features": names, "inside": reading.inside, "note": say(lang, note)}
        columns = {} if encoder is None else {"columns": [one.to_dict() for one in encoder.raw_columns]}
        return {**found, **columns, "table": reading.table.to_dict()}
    fitted = manifest.get("preprocess") or ""
    note = say(lang, "note.fitted" if reading.inside else "note.inputs")
    return {"features": features if whole else [], "fitted_by_the_study": fitted, "note": note}


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


def _claim(took: Chosen, lang: CardLanguage, *, evaluated: bool) -> str:
    return say(lang, "claim", part=name_of(lang, took.held()[0].part)) if evaluated else say(lang, "claim.none")


def _limits(facts: Facts, lang: CardLanguage, *, evaluated: bool, scores: tuple[ShownScore, ...]) -> list[str]:
    took, found = facts.took, []
    if facts.retrained is not None:
        found += _of_retraining(took, facts.retrained, lang)
    if facts.noise:
        found.append(say(lang, "noise"))
    if facts.temperature is not None:
        where = "where.validation" if resampling_of(took.result) is None else "where.folds"
        runs = say(lang, "runs.before" if facts.retrained else "runs.these")
        found.append(say(lang, "temperature", temperature=facts.temperature, where=say(lang, where), runs=runs))
    if evaluated and scores[0].part == "validation":
        found.append(say(lang, "no_test"))
    elif took.recommendation is not None and evaluated:
        found.append(say(lang, "chosen", count=len(took.recommendation.options)))
    if took.left_out:
        found.append(say(lang, "left_out", seeds=say(lang, "comma").join(map(str, took.left_out))))
    if len(took.seeds) > 1:
        found.append(say(lang, "cost", count=len(took.seeds)))
    if (fitted := took.result.manifest.get("preprocess")) and not facts.reading.inside and facts.reading.table is None:
        found.append(say(lang, "preprocess", fitted=fitted))
    if facts.classes:
        found.append(say(lang, "classes", classes=say(lang, "comma").join(facts.classes)))
    if (took.result.manifest.get("data") or {}).get("synthetic"):
        found.append(say(lang, "synthetic"))
    return [*found, say(lang, "no_compile")]


def _of_retraining(took: Chosen, anew: Retrained, lang: CardLanguage) -> list[str]:
    """What was not judged about a retrained model, and what was judged in its place."""
    unjudged = say(lang, "unjudged.folds" if anew.folds else "unjudged.splits")
    gap = " " if lang == "en" else ""
    return [f"{anew.sentence(lang)}{gap}{unjudged}", *([out_of_fold(took, lang)] if anew.folds else [])]
