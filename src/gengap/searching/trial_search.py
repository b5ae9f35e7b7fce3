"""`gg.search`: strengths of remedies found in trials that train together, and the chosen one judged anew."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from gengap.analysis.cases import EpochRule
from gengap.analysis.numbers import write_score
from gengap.datasets.folds import CrossValidation
from gengap.engine.measured_ways import remembered
from gengap.errors import DataError, ModelError
from gengap.randomness import gives_random_back
from gengap.remedies.base import Model
from gengap.results import Result
from gengap.runners import LocalRunner
from gengap.searching.asking import Asking, is_pruner
from gengap.searching.declaring import declare
from gengap.searching.drawing import Drawing
from gengap.searching.finding import Picked, SearchResult, pick, say
from gengap.searching.halving import Halving
from gengap.searching.nesting import judged_in_folds
from gengap.searching.space import read_space
from gengap.searching.suggesting import suggest_space
from gengap.searching.trying import Trying
from gengap.storage import Store
from gengap.study import Study
from gengap.study.fit_arguments import refuse_arguments
from gengap.study.rounds import Halt, Judging, Rounds, run_each

TOGETHER = 16
"""Trials of a round: enough that training them together pays, few enough that the next round knows of them.

Where they are halved twice there are as many as leave some to the end: of 27, the best three.
"""
MOST_TOGETHER = 64
"""Trials of a round, however few of them go on: the models of all of them are made before it trains."""
_OF_RUN = frozenset(inspect.signature(Study.run).parameters)
_OF_STUDY = frozenset(inspect.signature(Study.__init__).parameters) - {"self", "model", "remedies", "seeds", "storage"}


@gives_random_back
def search(  # noqa: PLR0913  as in `Study.run`, and what a search adds
    model: keras.Model,
    space: Mapping[Any, Any] | None = None,
    x: Any = None,
    y: Any = None,
    *,
    epochs: int,
    n_trials: int = 48,
    seeds: int | Sequence[int] = 3,
    batch_size: int = 32,
    validation_data: Any = None,
    test_data: Any = None,
    cv: Any = None,
    epoch: EpochRule = "best",
    pruning: Any = None,
    sampler: Any = None,
    seed: int = 0,
    judge_seeds: int = 10,
    storage: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> SearchResult:
    """Find the strength of remedies, all at once, and say what the found cocktail is worth.

    Trials are drawn by Optuna, a round of 16 at a time, and a round trains as one program, every trial with several
    seeds. A trial's worth is the mean over its seeds of the validation score at the declared epoch; test data choose
    nothing. The best trial and the strongest one within one standard error of it are then trained again, with fresh
    seeds, beside the model as it is, and read on the test split: that score has not been chosen by.

    With `cv` trials are drawn without looking, and each fold chooses among them by its own inner validation; the choice
    of the fold is judged on its own test cases, so that the whole procedure is judged on every case (nested
    cross-validation).

    Args:
        model: A compiled model, the baseline.
        space: A mapping from remedies (`gg.Dropout`, `"l2"`, or an instance whose options are kept) to their strengths:
            a pair `(low, high)`, a distribution of SciPy (`loguniform(1e-5, 1e-1)`) or Optuna, or a list, in which None
            is off: `[None, loguniform(1e-5, 1e-1)]` is off half the time. None takes what fits the model and the
            data, see `gengap.searching.suggesting`.
        x: Inputs; or a `Dataset`, or a training `Split`, in place of `x` and `y`. With `cv`, all cases.
        y: Answers.
        epochs: Epochs of every run, at most.
        n_trials: Number of trials.
        seeds: Seeds of every trial.
        batch_size: Cases a step.
        validation_data: `Split` or tuple that trials are chosen on.
        test_data: `Split` or tuple that the chosen ones are judged on, once.
        cv: Number of folds, or what else `Study.run` takes, in place of splits; every seed has the same division.
        epoch: Whether runs are read at the epoch of best validation score, or at the last.
        pruning: After a third and a ninth of the epochs, one in so many of the trials that train together goes on
            (successive halving); a round has its third power, 27 for 3 and at most 64. A pruner of Optuna is told the
            mean over the seeds after every epoch, and asked. None trains all to the end, which is the default since
            regularization pays late.
        sampler: A sampler of Optuna; by default its TPE, with `cv` its random one.
        seed: Fixes the draws.
        judge_seeds: Fresh seeds that the finalists are judged with.
        storage: Folder that keeps the search; searching again continues, to the same trials and numbers.
        progress: Whether to show how far it is.
        **options: What else `Study` and `Study.run` take: `score`, `references`, `class_weight`, `preprocess` ...

    Returns:
        The trials, the chosen ones, and `result`, which holds the finalists.

    Raises:
        MissingExtraError: Optuna is not installed: `pip install 'gengap[search]'`.
        DataError: There is nothing to choose by, or the data cannot be used; nothing has been trained then.
        ModelError: The model cannot be used as given.
        RemedyError: A remedy of the space cannot be applied to the model.
        ValueError: Values of the space cannot be searched.
        StudyChangedError: The folder of `storage` holds another search; the sentence names the difference.
        StoreError: That folder cannot be used.
        TypeError: There is no such argument.

    References:
        Akiba, T. et al. (2019). Optuna: a next-generation hyperparameter optimization framework. KDD. arXiv:1907.10902

        Cawley, G. C. and Talbot, N. L. C. (2010). On over-fitting in model selection and subsequent selection bias in
        performance evaluation. JMLR 11, 2079-2107.

    Example:
        >>> import gengap as gg, keras
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> found = gg.search(model, {gg.L2: [None, 0.01, 0.1]}, gg.datasets.diabetes(), n_trials=2, seeds=2, epochs=1,
        ...                   judge_seeds=2, progress=False)
        >>> len(found.trials), found.result.baseline
        (2, 'baseline')
    """
    n_trials, pruning = checked(n_trials, 1, "n_trials"), _checked_pruning(pruning, storage)
    judge_seeds, seed = checked(judge_seeds, 1, "judge_seeds"), checked(seed, 0, "seed")
    if "callbacks" in options:
        raise TypeError("`gg.search` takes no `callbacks`: put `gg.EarlyStopping` into the space, as any remedy.")
    of_study = {name: options.pop(name) for name in list(options) if name in _OF_STUDY}
    references = of_study.pop("references", ())
    known = {*inspect.signature(search).parameters, *_OF_RUN, *_OF_STUDY} - {"options", "self", "fit_arguments"}
    strange = {name: value for name, value in options.items() if name not in _OF_RUN}
    refuse_arguments(strange, by="gg.search", known=known)
    if cv is not None:
        cv = _one_division(cv)
        if pruning is not None:
            raise DataError(
                "With `cv`, folds choose for themselves, and `pruning` would let others choose: leave it out."
            )
    check_one_model(model)
    study = Study(model, seeds=seeds, primary_epoch=epoch, **of_study)
    fit = {"x": x, "y": y, "validation_data": validation_data, "test_data": test_data, "cv": cv,
           "epochs": epochs, "batch_size": batch_size, **options}  # fmt: skip
    _check_halts_here(study, pruning)
    given = None if space is None else read_space(space)
    folder = None if storage is None else Path(storage)
    running: dict[str, Any] = {}
    kept = frozenset({study.variants[0].name})
    pruner = pruning if is_pruner(pruning) else None
    halving = None if pruning is None or pruner is not None else Halving(epochs, pruning, epoch, kept)
    halt: Halt | None = halving if pruner is None else Asking(running, kept)
    rounds = Rounds(study, fit, storage=None if folder is None else folder / "trials", halt=halt)
    check_held_out(rounds)
    chosen = given or suggest_space(model, x, y)
    chosen.check(model)
    drawing = Drawing(chosen, seed=seed, sampler=sampler, blind=cv is not None, pruner=pruner)
    trying = Trying(rounds, chosen, drawing, storage=folder, progress=progress, running=running)
    together = TOGETHER if halving is None else max(TOGETHER, min(halving.factor**3, MOST_TOGETHER))
    if folder is not None:
        told = {"seed": seed, "pruning": pruning, "epoch": epoch, "seeds": study.seeds}
        together = declare(folder, chosen, **told, together=together)
    while len(trying.trials) < n_trials:
        trying.advance(min(together, n_trials - len(trying.trials)))
        _tell(trying, n_trials, show=progress)
    judge = {"seeds": fresh_seeds(study.seeds, judge_seeds), "references": references, **of_study}
    return concluded(trying, model, judge, fit, seed=seed, storage=folder, progress=progress)


def concluded(
    trying: Trying,
    model: Model,
    judge: Mapping[str, Any],
    fit: Mapping[str, Any],
    *,
    seed: int,
    storage: Path | None,
    progress: bool,
    judging: Judging = run_each,
) -> SearchResult:
    """Choose among the trials, judge what is chosen, and say what was found.

    Args:
        trying: The trials.
        model: The model as it was given.
        judge: Arguments of the study that judges: fresh `seeds`, references, score.
        fit: Arguments of `Study.run`.
        seed: Fixes the forest that says what matters.
        storage: Folder of the search; None keeps everything in memory.
        progress: Whether to show how far it is.
        judging: Trains the study that judges.
    """
    assert trying.baseline is not None  # noqa: S101  the first round trains it
    picked = pick(trying.space, trying.trials, trying.baseline, rule=trying.study.primary_epoch, seed=seed)
    told, where = picked.to_dict(), None if storage is None else storage / "judged"
    nested = fit.get("cv") is not None
    how: dict[str, Any] = {"storage": where, "progress": progress, "judging": judging}
    with remembered(trying.rounds.ways):  # finalists are built as trials are
        if nested:
            result, chosen, more = judged_in_folds(trying, model, judge, fit, **how)
            told |= more
        else:
            result, chosen = _judged(model, picked, judge, fit, **how)
    told["sentence"] = say(result, told, chosen, nested=nested)
    result = replace(result, manifest={**result.manifest, "search": told})
    if where is not None and Store.exists(where):
        with Store.open(where, mode="w") as store:
            store.update_manifest({**store.manifest, "search": told})
    return SearchResult(
        **vars(picked),
        score=trying.study.score,
        result=result,
        study=trying.drawing.study if storage is None else trying.drawing.kept_in(storage),
        notes=picked.remarks(result, chosen),
    )


def _judged(
    model: Model,
    picked: Picked,
    judge: Mapping[str, Any],
    fit: Mapping[str, Any],
    *,
    storage: Path | None,
    progress: bool,
    judging: Judging,
) -> tuple[Result, str]:
    """Train the finalists with fresh seeds beside the model as it is."""
    finalists = (picked.best.remedy, picked.strongest.remedy)
    remedies = list(dict.fromkeys(one for one in finalists if one))
    study = Study(model, remedies=remedies, primary_epoch=picked.rule, storage=storage, **judge)
    result = judging(study, {**fit, "progress": progress}, None)
    return result, finalists[0] or result.baseline


def check_one_model(model: Any) -> None:
    """Check that there is one model to treat.

    Raises:
        ModelError: It is a mapping of several, or no model.
    """
    if isinstance(model, Mapping):
        raise ModelError("A search treats one model: give a compiled Keras model, not a mapping of several.")
    if not isinstance(model, keras.Model):
        raise ModelError(f"The model must be a keras.Model; received {type(model).__name__}.")


def check_held_out(rounds: Rounds) -> None:
    """Check that there is something to choose by.

    Raises:
        DataError: There is no validation split, and there are no folds that have inner ones.
    """
    if not rounds.chooses and rounds.resampled:
        raise DataError(
            "In a search each fold chooses by an inner validation, the next fold's cases, which needs a partition of "
            "the cases into three folds or more: give `cv=3` or more, without `forward`, or a validation split."
        )
    if not rounds.chooses:
        raise DataError(
            "A search chooses strengths by a validation split: give `validation_data=`, a `Dataset` that has one, or "
            "`cv=` to divide all cases."
        )


def _one_division(cv: Any) -> CrossValidation:
    """Return a division that all seeds share: folds that choose for themselves must be the same for every seed."""
    given = cv if isinstance(cv, CrossValidation) else CrossValidation(cv)
    if given.redraw:
        raise DataError(
            "In a search every seed has the same folds, each of which chooses for itself: leave out `redraw`."
        )
    return replace(given, redraw=False)


def fresh_seeds(seeds: Sequence[int], number: int) -> list[int]:
    """Return seeds that no trial has."""
    first = max(seeds) + 1
    return list(range(first, first + number))


def _tell(trying: Trying, n_trials: int, *, show: bool) -> None:
    if not show:
        return
    from rich.console import Console

    leader = trying.leader
    best = (
        "none has finished"
        if leader is None
        else f"best so far {write_score(leader.score)}: {leader.remedy or 'as it is'}"
    )
    Console().print(f"{len(trying.trials)} of {n_trials} trials; {best}", highlight=False)


def _checked_pruning(pruning: Any, storage: Any) -> Any:
    """Return a factor of halving, a pruner of Optuna, or None."""
    if not is_pruner(pruning):
        return None if pruning is None else checked(pruning, 2, "pruning", " or a pruner of Optuna")
    if storage is not None:
        raise DataError(
            f"{type(pruning).__name__} keeps no account of what it decided, so that a search could not go on to the "
            "same trials: leave out `storage`, or halve by `pruning=3`."
        )
    return pruning


def _check_halts_here(study: Study, pruning: Any) -> None:
    if pruning is not None and not isinstance(study.runner, LocalRunner):
        raise DataError(
            "`pruning` halts runs that train together in this process, and `runner` is a "
            f"{type(study.runner).__name__}: leave one of them out."
        )


def checked(value: Any, least: int, name: str, other: str = "") -> int:
    """Return a whole number, whoever's it is.

    Raises:
        ValueError: It is none, or below the least.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise ValueError(f"`{name}` must be a whole number of at least {least}{other}; received {value!r}.")
    return int(value.__index__())
