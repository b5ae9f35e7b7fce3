"""`gg.ship`: what a study chose, as one ordinary Keras model with its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from gengap.analysis.cases import EpochRule
from gengap.datasets.split import Dataset, Split
from gengap.datasets.table_encoder import TableEncoder
from gengap.errors import DataError
from gengap.keras_models.outputs import describe_output
from gengap.keras_models.rebuilding import check
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of
from gengap.shipping.card import ModelCard
from gengap.shipping.card_words import CardLanguage
from gengap.shipping.choice import Chosen, Seeds, chosen
from gengap.shipping.describing import Facts, make_card
from gengap.shipping.front import check_front, with_encoder, with_preprocess
from gengap.shipping.graph import one_model, own_classes
from gengap.shipping.reading import Reading, reading_of
from gengap.shipping.retraining import Length, Retrained, retrained
from gengap.shipping.scoring import fitted_temperature, shown_scores
from gengap.verification.recalibration import Temperature

if TYPE_CHECKING:
    from gengap.datasets.output_kind import OutputKind
    from gengap.results import Result


@dataclass(frozen=True, eq=False)
class Shipped:
    """A model to hand out, and the card that belongs to it.

    Attributes:
        model: An ordinary Keras model without compile state. It answers with forecasts: probabilities or real numbers,
            never logits.
        cards: What it is, how good it is, and what it is not, by language: `"en"` and `"zh"`.
    """

    model: keras.Model
    cards: Mapping[CardLanguage, ModelCard]

    @property
    def card(self) -> ModelCard:
        """The card in English."""
        return self.cards["en"]

    def save(self, path: str | Path, *, lang: CardLanguage = "en") -> tuple[Path, ...]:
        """Write the model, and its card as Markdown and as JSON beside it.

        Args:
            path: Where the model goes; its name ends in `.keras`. The cards are `NAME.card.md` and `NAME.card.json`.
            lang: Language of the cards, `"en"` or `"zh"`; entries of the JSON have English names.

        Returns:
            The three files.

        Raises:
            ValueError: The name has another ending, or there is no card in this language.
        """
        path = Path(path)
        if path.suffix != ".keras":
            raise ValueError(f"A model is saved as `.keras`, received {str(path)!r}.")
        if lang not in self.cards:
            raise ValueError(f"Cards are written in {' and '.join(self.cards)}; received {lang!r}.")
        card = self.cards[lang]
        self.model.save(path)
        cards = path.with_suffix(".card.md"), path.with_suffix(".card.json")
        cards[0].write_text(card.to_markdown(), encoding="utf-8")
        cards[1].write_text(card.to_json(), encoding="utf-8")
        return (path, *cards)

    def __repr__(self) -> str:
        return f"Shipped({self.card.title})"


def ship(
    result: "Result",
    variant: str | None = None,
    *,
    epoch: EpochRule | None = None,
    seeds: Seeds = "median",
    temperature: bool = False,
    noise: bool = False,
    retrain_on: Dataset | Split | None = None,
    preprocess: Any = None,
    length: Length = "epochs",
    custom_objects: Mapping[str, Any] | None = None,
) -> Shipped:
    """Return what a study chose as one ordinary Keras model, with a card.

    The model is made of layers of Keras and of the user's own, so plain Keras loads it on any backend, without gengap;
    the card names the classes that it needs besides. It predicts for the stored held-out cases what the study stored
    of them, or it is not returned. No run of a resampled study has learned from all cases, so that one is always
    retrained on all of them. What a study fitted to its training cases becomes a part of the model, as layers that
    Keras holds on every backend: the encoder of a table, `keras.layers.Normalization`, scikit-learn's
    `StandardScaler` (`preprocess=`). Such a model of a table takes one number a column, NaN for a blank: numbers as
    they stand, words as the codes that the card lists, times as day of the year and time of day. `gengap predict`
    takes raw rows.

    Args:
        result: A study's result, with weights.
        variant: Name of the variant; None takes what `recommend` says, its epoch rule included.
        epoch: Weights of the epoch of best validation score, or of the last; None takes the recommended rule, or for a
            variant of the user's the declared one.
        seeds: `"median"` ships the run of median validation score, `"all"` the mean forecast of all runs in one graph
            (which costs as many times the work at inference), a number the run of that seed.
        temperature: Whether the log-odds of the forecast are divided by a temperature fitted on validation, in a
            resampled study on the forecasts that folds made of cases they had not seen.
        noise: Whether dropout and other noise layers stay on when the model is *called*, `model(x)`, for Monte-Carlo
            dropout; Keras' `predict` switches them off, whatever a model says.
        retrain_on: The study's own data: trains anew on training and validation cases together, of a resampled study
            on all cases that it divided, for as long as the study chose. Such a model was not itself evaluated, and its
            card says so.
        preprocess: To retrain a study that was given `preprocess=`: the same, which is fitted anew.
        length: What retraining keeps equal, `"epochs"` or `"updates"`.
        custom_objects: The user's own classes and functions by name, as Keras takes them.

    Returns:
        Model and card; `save("model.keras")` writes both.

    Raises:
        UnknownNameError: There is no such variant, seed or rule.
        DataError: Nothing can be recommended or shipped, a temperature has nothing to be fitted on, `retrain_on` holds
            other data than the study's, or is missing for a resampled one.
        ModelError: The result holds no weights; a model cannot be rebuilt, or not be changed as asked; a preprocessing
            cannot go with it.

    Example:
        >>> import gengap as gg, keras
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> result = gg.Study(model, seeds=2).run(gg.datasets.diabetes(), epochs=2, progress=False)
        >>> shipped = gg.ship(result, "baseline", seeds="all")
        >>> shipped.model.output_shape, shipped.card.evaluated
        ((None, 1), True)
    """
    check_is_result(result, "ship")
    _check_retraining(result, retrain_on, preprocess)
    took = chosen(result, variant, epoch=epoch, seeds=seeds)
    fitted = fitted_temperature(took) if temperature else None
    anew = None if retrain_on is None else retrained(took, retrain_on, length, preprocess)
    models = _trained(took, custom_objects) if anew is None else list(anew.models)
    kind = _kind(took, models[0])
    model = one_model(models, kind, seeds=took.seeds, temperature=fitted, noise=noise)
    if anew is None and not noise:
        _check_forecasts(took, model, fitted)
    model, reading = _with_front(took, model, retrain_on, anew)
    scores = shown_scores(took, fitted) if anew is None and took.held() else ()
    facts = Facts(took, kind, fitted, noise, anew, own_classes(model), reading)
    languages: tuple[CardLanguage, ...] = ("en", "zh")
    return Shipped(model, {lang: make_card(facts, model, scores, lang) for lang in languages})


def _check_retraining(result: "Result", retrain_on: Any, preprocess: Any) -> None:
    """Refuse a resampled study without the cases that it divided, and a preprocessing that nothing is fitted by."""
    if resampling_of(result) is not None and retrain_on is None:
        raise DataError(
            "No run of a resampled study has learned from all cases, and shipped is a model that has: give "
            "`retrain_on=`, the `Split` that the study divided (`gg.Split(x, y)`, or `data.pooled()`); on the command "
            "line --retrain."
        )
    if preprocess is not None and retrain_on is None:
        raise DataError(
            "`preprocess` is fitted anew when a model is retrained: give `retrain_on=` too, or leave it out."
        )
    if preprocess is not None:
        check_front(preprocess)


def _with_front(
    took: Chosen, model: keras.Model, data: Dataset | Split | None, anew: Retrained | None
) -> tuple[keras.Model, Reading]:
    """The model with what was fitted to training cases in front, where Keras holds it, and how rows become inputs."""
    fitted = None if anew is None else anew.fitted
    if fitted is None or isinstance(fitted, TableEncoder):
        reading = reading_of(took.result.manifest, fitted)
        inside = reading.encoder_inside
        return (model if inside is None else with_encoder(model, inside)), reading
    assert isinstance(data, Dataset | Split)  # noqa: S101  something was fitted to its cases
    x = data.train.x if isinstance(data, Dataset) else data.x
    return with_preprocess(model, fitted, tuple(x.shape[1:])), Reading(inside=True)


def _trained(took: Chosen, custom_objects: Mapping[str, Any] | None) -> list[Any]:
    rebuild = partial(took.result.model, took.variant, epoch=took.rule, custom_objects=custom_objects)
    return [rebuild(seed=seed) for seed in took.seeds]


def _kind(took: Chosen, model: keras.Model) -> "OutputKind":
    settings = took.result.manifest.get("settings") or {}
    return describe_output(
        model,
        settings.get("output"),
        task=took.result.manifest.get("task"),
        from_logits=settings.get("from_logits"),
        wants_codes=bool(settings.get("wants_codes")),
    )


def _check_forecasts(took: Chosen, model: keras.Model, temperature: float | None) -> None:
    """Check that what was put together forecasts what the study stored."""
    for split, cases in took.result.cases.items():
        stored = took.result.splits[split][f"prediction_{took.rule}"].sel(variant=took.variant, seed=list(took.seeds))
        wanted = stored.transpose("seed", "sample", ...).to_numpy().astype(np.float64).mean(axis=0)
        if temperature is not None:
            wanted = Temperature(temperature).apply(wanted)
        precise = took.result.manifest.get("settings", {}).get("precision") != "bfloat16"
        check(model, cases, wanted, precise=precise, what="The shipped model")
