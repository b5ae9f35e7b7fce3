"""Studies that are launched from files: a saved model with a table of data, or a script that declares a study."""

import math
import runpy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from gengap.datasets import Split, read_split
from gengap.errors import DataError, ModelError
from gengap.remedies import suggest as suggest_remedies
from gengap.results import Result
from gengap.study import Study

_DEFAULT_SEEDS = 10
_VALIDATION_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class Launch:
    """A study with what it is to be run on.

    Attributes:
        study: The study.
        fit: Arguments of `Study.run`.
    """

    study: Study
    fit: Mapping[str, Any]

    def placed(self, storage: Path | None, runner: str | None) -> "Launch":
        """Return the same study kept in a folder and trained by a runner; None keeps what the study says itself."""
        folder = self.study.storage if storage is None else storage
        return replace(self, study=self.study.stored_in(folder, runner=runner or self.study.runner))

    def run(self, **more: Any) -> Result:
        """Run the study; `more` are further arguments of `Study.run`."""
        return self.study.run(**{**self.fit, **more})


def study_from_files(
    model: Path | None,
    data: Mapping[str, Path | None],
    *,
    target: str | None,
    groups: str | None,
    remedies: str,
    suggest: bool,
    seeds: int | None,
    fit: Mapping[str, Any],
) -> Launch:
    """Declare a study of a saved model on data files.

    Args:
        model: A `.keras` file of a compiled model; it is loaded in Keras' safe mode.
        data: Files by split: `"train"`, and `"validation"` and `"test"` where there are any. Without a validation
            file the last fifth of the training file is held out.
        target: Column of the answers.
        groups: Column of groups of dependent cases.
        remedies: Remedies in written form, separated by commas.
        suggest: Whether gengap chooses the remedies.
        seeds: Number of seeds; None takes 10.
        fit: Further arguments of `Study.run`.

    Raises:
        DataError: A file is missing or cannot be read.
        ModelError: The model cannot be loaded safely, or is not compiled.
    """
    if model is None or data.get("train") is None:
        raise DataError("A study needs a model and training data: give --model model.keras and --data train.csv.")
    loaded = load_model(model)
    splits = {
        name: _reshaped(read_split(path, target=target, groups=groups), loaded)
        for name, path in data.items()
        if path is not None
    }
    train, validation = splits["train"], splits.get("validation")
    if suggest and remedies:
        raise ValueError("Give --remedies or --suggest, not both.")
    chosen = [one.remedy for one in suggest_remedies(loaded, train)] if suggest else split_remedies(remedies)
    held_out = {"validation_data": validation} if validation else {"validation_split": _VALIDATION_SHARE}
    study = Study(loaded, remedies=chosen, seeds=seeds or _DEFAULT_SEEDS)
    return Launch(study, {"x": train, "test_data": splits.get("test"), **held_out, **fit})


def study_from_script(path: Path, *, seeds: int | None = None) -> Launch:
    """Run a study file and take its `study` (a `Study`) and `fit` (arguments of `Study.run`).

    A study file is code: it is executed only because the user says `gengap run`.

    Args:
        path: A Python file.
        seeds: Number of seeds, in place of the file's own; None keeps those.

    Raises:
        DataError: There is no such file.
        TypeError: The file does not define `study` and `fit`.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    names = runpy.run_path(str(path))
    study, fit = names.get("study"), names.get("fit")
    if not isinstance(study, Study) or not isinstance(fit, Mapping):
        raise TypeError(f"{path} must define `study`, a gengap.Study, and `fit`, a mapping of arguments of Study.run.")
    return Launch(study if seeds is None else study.with_seeds(seeds), fit)


def load_model(path: Path) -> keras.Model:
    """Load a `.keras` file in safe mode.

    Raises:
        ModelError: It is missing, damaged, unsafe or not compiled.
    """
    if not path.is_file() or path.suffix != ".keras":
        raise ModelError(f"{path} is no saved model: save one with `model.save('model.keras')`.")
    try:
        with warnings.catch_warnings():  # a study starts from a fresh optimizer: that this one's state is lost is right
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model = keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as reason:
        raise ModelError(f"{path} cannot be loaded safely: {str(reason).splitlines()[0]}") from reason
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


def _reshaped(split: Split, model: keras.Model) -> Split:
    """Give flat features the shape that the model takes, where their number allows it."""
    expected = tuple(model.input_shape[1:]) if isinstance(model.input_shape, tuple) else ()
    flat = getattr(split.x, "ndim", 0) == 2
    if flat and len(expected) > 1 and None not in expected and split.x.shape[1] == math.prod(expected):
        return Split(split.x.reshape(-1, *expected), split.y, split.sample_weight, split.groups, split.times)
    return split
