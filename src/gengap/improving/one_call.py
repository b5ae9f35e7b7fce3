"""`gengap.improve`: nothing to choose but the time."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from gengap.analysis import recommend
from gengap.analysis.cases import is_reference, networks
from gengap.datasets.intake import as_splits, check_data
from gengap.datasets.split import Dataset, Split
from gengap.datasets.training_data import TrainingData
from gengap.errors import StoreError
from gengap.improving.dividing import Division, divide
from gengap.improving.improvement import Improvement
from gengap.improving.judging import ByTheClock
from gengap.improving.planning import (
    MOST_SEEDS,
    Clock,
    Deadline,
    Finish,
    Pace,
    check_time,
    epochs_of_pilot,
    epochs_that_fit,
    epochs_to_learn,
    first_trials,
    latest,
    seeds_of_trials,
    trials_that_fit,
)
from gengap.improving.saying import afterwards, of_cases, of_heads, sentence, simpler, unfinished, without_skill
from gengap.keras_models.heads import output_names
from gengap.keras_models.requirements import ModelRequirements
from gengap.randomness import gives_random_back
from gengap.remedies import EarlyStopping
from gengap.remedies.base import Model, Variant
from gengap.reporting.output import check_output, write_output
from gengap.results import Result
from gengap.searching import SearchResult
from gengap.searching.drawing import Drawing
from gengap.searching.nesting import SEARCHED
from gengap.searching.ranges import need_optuna
from gengap.searching.space import Space, read_space
from gengap.searching.suggesting import reasons, suggest_space
from gengap.searching.trial_search import TOGETHER, check_held_out, check_one_model, checked, concluded, fresh_seeds
from gengap.searching.trials import best_of
from gengap.searching.trying import Trying
from gengap.shipping import Shipped, ship
from gengap.shipping.card_words import CardLanguage
from gengap.study import Study
from gengap.study.rounds import Rounds

if TYPE_CHECKING:
    import keras

_PATIENCE = 10
_SEEDS_OF_PROBE = 3
"""Seeds that are trained together for two epochs, to know what company saves."""
_SEEDS_OF_LAST = 5
"""Seeds of the study on one split whose model is shipped, where folds have judged."""
_TREES_CELLS, _LINEAR_CELLS = 200_000, 20_000_000
"""Cases times features up to which references take seconds."""
_WORTH_REPEATING = 0.05
"""Share of the time up to which two epochs are measured twice."""
REPORT, MODEL = "report.html", "model.keras"


@gives_random_back
def improve(
    model: "keras.Model",
    x: Any,
    y: Any = None,
    *,
    minutes: float = 5.0,
    validation_data: Any = None,
    test_data: Any = None,
    space: Mapping[Any, Any] | None = None,
    batch_size: int = 32,
    output: str | Path | None = "gengap-improve",
    lang: str = "en",
    seed: int = 0,
    progress: bool = True,
) -> Improvement:
    """Improve a model within a time: one sentence, one report, one `.keras`.

    It checks and divides the cases (folds where they are few), measures what runs cost, searches the strengths of the
    remedies that fit the model, judges the best with fresh seeds on cases that no strength was chosen by, beside the
    model as it is and simple references, and ships what `recommend` says: the model as it is, unless a finalist is
    better in the mean by more than what is taken not to matter.

    Args:
        model: A compiled model; it stays as it is.
        x: Inputs; or a `Dataset`, or a `Split`, in place of `x` and `y`.
        y: Answers.
        minutes: How long it may take; kept within a tenth where the least fits, and said where it was not.
        validation_data: `Split` or tuple to choose on; None holds some cases out.
        test_data: `Split` or tuple to judge on; None holds some out, or divides few cases into folds.
        space: Where strengths are sought, as `gengap.search` takes it; None takes what fits the model and the data.
        batch_size: Cases a step.
        output: Folder for the report, the model and its card, and the result; None writes nothing.
        lang: Language of the report: `"en"` or `"zh"`.
        seed: Fixes the draws of the strengths. How many there are depends on the machine.
        progress: Whether to show how far it is.

    Returns:
        What it did; printing it shows the sentence.

    Raises:
        MissingExtraError: Optuna is not installed: `pip install 'gengap[search]'`.
        DataError: The data cannot be used, or the time is too short; nothing has been searched then.
        StoreError: The output folder holds other files.

    Example:
        >>> import gengap as gg, keras
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> data = gg.datasets.diabetes()
        >>> found = gg.improve(model, data.train, minutes=5)  # doctest: +SKIP
        >>> print(found)  # doctest: +SKIP
    """
    clock, seed = Clock(_checked_minutes(minutes)), checked(seed, 0, "seed")
    place = Place(None if output is None else Path(output), lang)
    need_optuna()
    if place.folder is not None:
        check_place(place.folder, place.lang)
    division = divide(_read(model, x, y, validation_data=validation_data, test_data=test_data))
    return improved(model, division, clock, place, space=space, batch_size=batch_size, seed=seed, progress=progress)


def _read(model: Model, x: Any, y: Any, **held_out: Any) -> Dataset | TrainingData:
    """Read cases in whatever form, and check them before they are divided: a message then names the user's own rows."""
    check_one_model(model)
    study = Study(model)
    required = ModelRequirements([study.variants[0].model], study.kind)
    given = as_splits(x, y, **held_out, validation_split=0.0, sample_weight=None, names=required.input_names)
    check_data(given, required)
    return x if isinstance(x, Dataset) else given


@dataclass(frozen=True)
class Place:
    """Where everything is written, and in which language.

    Attributes:
        folder: The folder; None writes nothing.
        lang: Language of the report.
    """

    folder: Path | None
    lang: str


def improved(
    model: Model,
    division: Division,
    clock: Clock,
    place: Place,
    *,
    space: Mapping[Any, Any] | None = None,
    batch_size: int = 32,
    seed: int = 0,
    progress: bool = True,
) -> Improvement:
    """Improve a model on cases that are divided already; see `improve`."""
    need_optuna()
    if place.folder is not None:
        check_place(place.folder, place.lang)
    check_one_model(model)
    judging = division.folds or division.split
    chosen = suggest_space(model, *_cases(division)) if space is None else read_space(space)
    chosen.check(model)
    fit = {**judging, "batch_size": batch_size}
    trying, deadline, alone, said = _prepared(model, chosen, fit, clock, seed=seed, progress=progress)
    finish = Finish(2 * trying.rounds.num_folds, _SEEDS_OF_LAST, alone) if division.folds else Finish(3)
    pace = _search(trying, clock, alone, deadline, finish)
    planned = trying.rounds.epochs
    fit = {**fit, "epochs": finish.epochs(clock, pace, planned=planned)}
    last = _last(model, best_of(trying.trials).remedy, division, fit) if division.folds else None
    judge = {"seeds": fresh_seeds(trying.study.seeds, MOST_SEEDS), "references": _references(division)}
    by_clock = ByTheClock(clock, pace)
    found = concluded(trying, model, judge, fit, seed=seed, storage=None, progress=progress, judging=by_clock)
    shipped, told = _shipped(found, last)
    result = found.result
    files = _written(result, shipped, place)
    heads = of_heads(output_names(model), trying.study.kind.name)
    how = (*division.said, *of_cases(result), *heads, *(reasons(chosen) if space is None else ()), *said, *found.notes)
    cut = (fit["epochs"], planned) if fit["epochs"] < planned else None
    more = afterwards(found, clock, hurried=deadline.met, cut=cut)
    return Improvement(told, (*how, found.sentence, *more), found, result, shipped, files, clock.spent / 60)


def check_place(folder: Path, lang: str) -> None:
    """Check that everything can be written, over what an earlier improvement wrote at most.

    Raises:
        StoreError: The folder holds other files of these names, the user's own model among them.
        UnknownNameError: There is no report in the language.
    """
    check_output(folder, lang=lang)
    model = folder / MODEL
    if model.exists() and not model.with_suffix(".card.json").exists():
        raise StoreError(f"{model} was not written by gengap and would be written over: choose another folder.")


def _prepared(
    model: Model, space: Space, fit: Mapping[str, Any], clock: Clock, *, seed: int, progress: bool
) -> tuple[Trying, Deadline, Pace, tuple[str, ...]]:
    """Measure what runs cost, decide on epochs and seeds, and get everything ready for trials."""
    rounds = Rounds(Study(model, seeds=_SEEDS_OF_PROBE), {**fit, "epochs": 2})
    check_held_out(rounds)
    untreated, folds = rounds.study.variants[0], rounds.num_folds
    an_epoch, company = _costs(rounds, untreated, clock)
    most = epochs_of_pilot(clock, an_epoch, runs=folds)
    pilot = rounds.with_epochs(most, seeds=1).train([EarlyStopping(_PATIENCE).treat(Variant("", model))])
    best = float(pilot.runs["best_epoch"].mean())
    wanted, least = min(most, max(5, ceil(1.5 * best) + 3)), min(most, max(5, epochs_to_learn(_curve(pilot))))
    an_epoch = float(pilot.runs["seconds"].sum()) / folds / float(pilot.runs["epochs"].mean())
    epochs = epochs_that_fit(clock, an_epoch, wanted=wanted, least=least, runs=folds, company=company)
    check_time(clock, an_epoch, epochs=epochs, runs=folds, company=company)
    seeds = seeds_of_trials(clock, an_epoch * epochs, runs=folds)
    study, deadline = Study(model, seeds=seeds), Deadline(clock)
    drawing = Drawing(space, seed=seed, blind=fit.get("cv") is not None)
    rounds = Rounds(study, {**fit, "epochs": epochs}, halt=deadline, compared=False)
    known = f"The model as it is was best after {best:.0f} epochs"
    why = f"{known}, so every run has {epochs}" if epochs >= best else f"{known}; there is time for {epochs}"
    said = [f"{why}; a trial has {seeds} seed(s)."]
    if epochs < wanted:
        said.append(f"In more time every run would have {wanted} epochs, in which strong remedies get further.")
    alone = Pace(an_epoch * epochs * folds, folds)
    return Trying(rounds, space, drawing, progress=progress), deadline, alone, tuple(said)


def _curve(pilot: Result) -> list[float]:
    curve: list[float] = pilot.history["val_score"].mean(["variant", "seed"]).to_numpy().tolist()
    return curve


def _costs(rounds: Rounds, untreated: Variant, clock: Clock) -> tuple[float, float]:
    """Return the seconds of an epoch of one run, and how many times less it costs where three seeds train together."""
    alone, folds = rounds.with_epochs(2, seeds=1), rounds.num_folds
    an_epoch = _an_epoch(alone, untreated)
    if 2 * folds * an_epoch < _WORTH_REPEATING * clock.left:
        an_epoch = min(an_epoch, _an_epoch(alone, untreated))  # the first time in a process holds what is made once
    if 2 * folds * an_epoch * _SEEDS_OF_PROBE > _WORTH_REPEATING * clock.left:
        return an_epoch, 1.0
    return an_epoch, max(1.0, _SEEDS_OF_PROBE * an_epoch / _an_epoch(rounds, untreated))


def _an_epoch(rounds: Rounds, untreated: Variant) -> float:
    """Return the seconds of an epoch of one run, or of one with each seed together."""
    trained = rounds.train([untreated])
    return float(trained.runs["seconds"].sum()) / rounds.epochs / rounds.num_folds


def _search(trying: Trying, clock: Clock, alone: Pace, deadline: Deadline, finish: Finish) -> Pace:
    """Try strengths, round after round, as long as there is time; return what rounds cost.

    Time is measured again after every round, and within rounds too: but for the first, one that would leave too little
    for the judging is ended.
    """
    each = len(trying.study.seeds) * trying.rounds.num_folds
    pace: Pace | None = None
    number = first_trials(clock, alone, each=each, finish=finish)
    while number:
        begun, computed = clock.spent, process_time()
        trained = trying.advance(number)
        if trained:
            pace = latest(pace, Pace(clock.spent - begun, trained * each, process_time() - computed))
        assert pace is not None  # noqa: S101  the first round trains the model as it is
        deadline.at = clock.seconds - finish.seconds(pace)
        done = len(trying.trials)
        number = trials_that_fit(clock, pace, done=done, each=each, together=TOGETHER, finish=finish)
    assert pace is not None  # noqa: S101  there is always a first round
    return pace


def _cases(division: Division) -> tuple[Any, Any]:
    data = division.split["x"]
    if isinstance(data, Dataset | Split):
        return data, None
    return data, division.split.get("y")


def _references(division: Division) -> tuple[str, ...]:
    """Return the references that take seconds on these cases, on folds the linear one alone."""
    data, _ = _cases(division)
    x = data.train.x if isinstance(data, Dataset) else data.x if isinstance(data, Split) else data
    if not (isinstance(x, np.ndarray) or sparse.issparse(x)):
        return ()
    cells = x.nnz if sparse.issparse(x) else x.size
    trees = isinstance(x, np.ndarray) and cells <= _TREES_CELLS and division.folds is None
    return (*(("linear",) if cells <= _LINEAR_CELLS else ()), *(("boosted_trees",) if trees else ()))


def _shipped(found: SearchResult, last: Result | None) -> tuple[Shipped, str]:
    """Ship what is recommended, and say it in one sentence.

    Args:
        found: The search, its finalists judged.
        last: Where folds have judged, the model as it is and the best trial, trained on one split.
    """
    result = found.result
    named, choice = recommend(result).choice.variant, recommend(networks(result)).choice
    beside = without_skill(result, choice.variant) + (simpler(found, named) if is_reference(result, named) else "")
    if last is not None:
        remedy = found.remedy if choice.variant == SEARCHED else ""
        shipped = ship(last if remedy else last.select([last.baseline]), remedy or last.baseline)
    else:
        rule: Any = choice.rule.name if choice.rule.name in {"best", "last"} else None
        remedy = "" if choice.variant == result.baseline else choice.variant
        shipped = ship(result, choice.variant, epoch=rule)
    return shipped, sentence(found, remedy) + (unfinished(result) if remedy else "") + beside


def _last(model: Model, remedy: str, division: Division, fit: Mapping[str, Any]) -> Result:
    """Train the model as it is and what all folds together chose once more, on one split: one of them is shipped.

    That is done before the folds judge, so that what is then left of the time goes into seeds of the judging.
    """
    study = Study(model, remedies=[remedy] if remedy else [], seeds=_SEEDS_OF_LAST)
    own = {**division.split, "epochs": fit["epochs"], "batch_size": fit["batch_size"], "progress": False}
    return study.run(**own)


def _written(result: Result, shipped: Shipped, place: Place) -> tuple[Path, ...]:
    if place.folder is None:
        return ()
    place.folder.mkdir(parents=True, exist_ok=True)
    lang: CardLanguage = "zh" if place.lang == "zh" else "en"
    files = shipped.save(place.folder / MODEL, lang=lang)  # first: whatever becomes of figures, it is there
    write_output(result, place.folder, lang=place.lang)
    return (place.folder / REPORT, *files)


def _checked_minutes(minutes: Any) -> float:
    if isinstance(minutes, bool) or not isinstance(minutes, int | float | np.number) or not 0 < minutes < 1e6:
        raise ValueError(f"`minutes` must be a number above 0; received {minutes!r}.")
    return float(minutes)
