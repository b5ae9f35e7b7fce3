"""Studies that are launched from files: a saved model with a table of data, or a script that declares a study."""

import runpy
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from gengap.datasets import Split
from gengap.datasets.data_files import Inputs, read_files
from gengap.datasets.split import Task
from gengap.datasets.table_dataset import as_dataset, cases_of_folds
from gengap.datasets.table_files import Wanted
from gengap.errors import DataError, GengapError, ModelError
from gengap.experiments.table_model import table_model
from gengap.experiments.users_code import why_unreadable
from gengap.keras_models.heads import input_names, output_names
from gengap.remedies import suggest as suggest_remedies
from gengap.remedies import to_code
from gengap.results import Result
from gengap.study import Study

_DEFAULT_SEEDS, _DEFAULT_PASSES = 10, 5
_UNREADABLE = (ValueError, TypeError, OSError, LookupError, AttributeError, RuntimeError, ImportError, BadZipFile)
"""What Keras raises for a file that is damaged, or names what there is not."""
_NO_CODE = {".csv", ".tsv", ".txt", ".parquet", ".npz", ".nc", ".keras"}


@dataclass(frozen=True, eq=False)
class Launch:
    """A study with what it is to be run on.

    Attributes:
        study: The study.
        fit: Arguments of `Study.run`.
        notes: What was taken from where, for the user to see.
    """

    study: Study
    fit: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def placed(self, storage: Path | None, runner: str | None) -> "Launch":
        """Return the same study kept in a folder and trained by a runner; None keeps what the study says itself."""
        folder = self.study.storage if storage is None else storage
        return replace(self, study=self.study.stored_in(folder, runner=self.study.runner if runner is None else runner))

    def run(self, **more: Any) -> Result:
        """Run the study; `more` are further arguments of `Study.run`."""
        return self.study.run(**{**self.fit, **more})


def study_from_files(
    model: Path | None,
    data: Mapping[str, Path | None],
    *,
    wanted: Wanted,
    positive: str | None = None,
    task: Task | None = None,
    remedies: str,
    suggest: bool,
    seeds: int | None,
    fit: Mapping[str, Any],
    cv: int | None = None,
    judge_from: int | None = None,
) -> Launch:
    """Declare a study of a saved model, or of a net made for the table, on data files.

    Args:
        model: A `.keras` file of a compiled model, which is loaded in Keras' safe mode; None makes a net for the
            table, see `gengap.table_model`, and encodes the table for it.
        data: Files by split: `"train"`, and `"validation"` and `"test"` where there are any. Without a validation
            file a fifth of the training file is held out, see `gengap.datasets.held_out`.
        wanted: What to take from the files.
        positive: The label that is the event, where there are two.
        task: What is predicted, where no model says it; None takes it from the answers.
        remedies: Remedies in written form, separated by commas.
        suggest: Whether gengap chooses the remedies.
        seeds: Number of seeds; None takes 10, with `cv` 5.
        fit: Further arguments of `Study.run`.
        cv: Number of folds into which the cases of the training file are divided; None for splits.
        judge_from: Number of cases from which a fifth of the training file is held out as test split, where there is no
            test file; None holds none out.

    Raises:
        DataError: A file is missing or cannot be read.
        ValueError: Options contradict each other.
        ModelError: The model cannot be loaded safely, or is not compiled.
    """
    if data.get("train") is None:
        raise DataError("A study needs a model and training data: give --model model.keras and --data train.csv.")
    if cv is not None and (data.get("validation") is not None or data.get("test") is not None):
        raise ValueError("--cv divides the cases of --data, so that each is tested: omit --validation and --test.")
    if suggest and remedies:
        raise ValueError("Give --remedies or --suggest, not both.")
    loaded = None if model is None else load_model(model)
    if loaded is not None:
        _check_one_answer(loaded)
    paths = {name: path for name, path in data.items() if path is not None}
    inputs = Inputs() if loaded is None else inputs_of(loaded)
    wanted = replace(wanted, encode=wanted.encode or loaded is None)
    labels = loaded is None and task == "multiclass"
    read = read_files(paths, inputs, wanted, positive=positive, labels=labels, judge_from=judge_from)
    told = task if loaded is None else "regression"  # a model says itself what it predicts, below
    dataset = as_dataset(read, name=paths["train"].name, task=told)
    made: list[str] = []
    if loaded is None:
        loaded = table_model(dataset)
        made = [f"A net for this table ({dataset.task}; --task says otherwise):\n{to_code(loaded)}"]
    chosen, reasons = _remedies(loaded, read.splits["train"], remedies, suggest=suggest)
    study = Study(loaded, remedies=chosen, seeds=seeds or (_DEFAULT_SEEDS if cv is None else _DEFAULT_PASSES))
    _check_labels(study, read.splits["train"], paths["train"], wanted.target, words=read.label_names)
    dataset = replace(dataset, task=study.kind.task)
    if cv is None:
        return Launch(study, {"x": dataset, **fit}, (*read.notes, *made, *reasons))
    notes = [note for note in read.notes if not note.startswith("Validation:")]  # folds have their own
    cases = cases_of_folds(dataset)
    folds = f"{len(cases['x'])} cases in {cv} folds, divided anew for every seed"
    return Launch(study, {**cases, "cv": cv, **fit}, (*notes, folds, *made, *reasons))


def _check_one_answer(model: keras.Model) -> None:
    if len(names := output_names(model)) > 1:
        raise ModelError(
            f"The model has the outputs {', '.join(names)}, and of data files one column or array holds the answers: "
            f"train it in Python, on a mapping of answers: `gengap.Split(x, {{{names[0]!r}: y1, {names[1]!r}: y2}})`."
        )


def inputs_of(model: keras.Model) -> Inputs:
    """Return what a model takes: the shape of its one input, or the names of several."""
    names = tuple(input_names(model))
    if len(names) > 1:
        return Inputs(names=names)
    shape = model.input_shape if isinstance(model.input_shape, tuple) else ()
    return Inputs(() if None in shape[1:] else tuple(shape[1:]))


def _remedies(model: keras.Model, train: Split, written: str, *, suggest: bool) -> tuple[list[Any], list[str]]:
    """Return the remedies to try, and what to say about them."""
    if suggest:
        suggestions = suggest_remedies(model, train)
        return [one.remedy for one in suggestions], [f"Suggested: {one}" for one in suggestions]
    chosen = split_remedies(written)
    if written.strip() and not chosen:
        raise ValueError(f"--remedies {written!r} names no remedy; omit it, or name some: 'l2(0.001)'.")
    return list(chosen), [] if chosen else ["No remedies: only the baseline is trained (try --suggest)."]


def _check_labels(study: Study, train: Split, path: Path, target: str | None, *, words: Sequence[str]) -> None:
    """Refuse answers that can be no labels, or no numbers, while the file and the column can still be named."""
    y = np.asarray(train.y)
    where = "its last column" if target is None else f"column {target!r}"
    if words and study.kind.task == "regression":
        raise DataError(
            f"The model predicts real numbers; the answers of {path.name}, taken from {where}, are words such as "
            f"{words[0]!r}: name a column of numbers with --target, or give a classifier of {len(words)} labels."
        )
    if study.kind.task == "regression" or y.ndim != 1 or not np.isfinite(y).all() or not (y != np.round(y)).any():
        return
    raise DataError(
        f"A classifier needs labels; the answers of {path.name}, taken from {where}, are numbers between "
        f"{y.min():.4g} and {y.max():.4g}: name the column of the labels with --target."
    )


def study_from_script(path: Path, *, seeds: int | None = None) -> Launch:
    """Run a study file and take its `study` (a `Study`) and `fit` (arguments of `Study.run`).

    A study file is code: it is executed only because the user says `gengap run`.

    Args:
        path: A Python file.
        seeds: Number of seeds, in place of the file's own; None keeps those.

    Raises:
        DataError: There is no such file, or it holds data or a model.
        TypeError: The file does not define `study` and `fit`.
        GengapError: The file fails or ends the program while it is executed.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.suffix in _NO_CODE:
        option = "model" if path.suffix == ".keras" else "data"
        raise DataError(f"{path} is no study file, which is a Python file: give it as --{option} {path}.")
    names = _executed(path)
    study, fit = names.get("study"), names.get("fit")
    if not isinstance(study, Study) or not isinstance(fit, Mapping):
        raise TypeError(f"{path} must define `study`, a gengap.Study, and `fit`, a mapping of arguments of Study.run.")
    return Launch(study if seeds is None else study.with_seeds(seeds), fit)


def _executed(path: Path) -> Mapping[str, Any]:
    try:
        return runpy.run_path(str(path))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, GengapError):
            raise
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())[:200]
        raise GengapError(
            f"{path} failed{'' if line is None else f' in line {line}'} with {type(error).__name__}"
            f"{f' ({said})' if said else ''}; GENGAP_TRACEBACK=1 shows where."
        ) from error


def load_model(path: Path) -> keras.Model:
    """Load a `.keras` file in safe mode.

    Raises:
        ModelError: It is missing, damaged, unsafe or not compiled.
    """
    if not path.exists():
        raise ModelError(f"There is no file {path}: save a model with `model.save('model.keras')`.")
    if path.suffix in {".h5", ".hdf5"} or path.is_dir():
        raise ModelError(
            f"{path} is in an older format of Keras, which cannot be loaded safely: save it anew as `.keras`, after "
            f"`model = keras.models.load_model({str(path)!r})` with `model.save('model.keras')`."
        )
    if path.suffix != ".keras":
        raise ModelError(f"{path} is not a saved model: save one with `model.save('model.keras')`.")
    try:
        with warnings.catch_warnings():  # a study starts from a fresh optimizer: that this one's state is lost is right
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model = keras.saving.load_model(path, safe_mode=True)
    except _UNREADABLE as reason:
        raise ModelError(f"{path} cannot be loaded safely: {why_unreadable(reason)}") from reason
    if not model.compiled:
        raise ModelError(f"The model in {path} is not compiled: call `model.compile(optimizer, loss)` before saving.")
    return model


def split_remedies(text: str) -> list[str]:
    """Cut `"l2(0.001), dropout(0.5, on='a, b')"` at the commas that stand outside brackets and quotes.

    Example:
        >>> split_remedies("l1l2(0.001, 0.001), dropout(0.5)+l2(0.01)")
        ['l1l2(0.001, 0.001)', 'dropout(0.5)+l2(0.01)']
    """
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
