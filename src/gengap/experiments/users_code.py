"""A file of the user's own losses, metrics and layers, executed because they ask for it (`--code file.py`)."""

import importlib.util
import inspect
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from gengap.errors import DataError, GengapError


def use_code(path: Path) -> tuple[str, ...]:
    """Execute a file, and let Keras know its classes and functions by name, for the rest of this process.

    It becomes a module of the file's name, so that what it defines can be found again from another process.

    Args:
        path: A Python file. Nothing guards against what it does: it is the user's own.

    Returns:
        The names of classes and functions that the file defines, beginning with no underscore.

    Raises:
        DataError: There is no such file, or a module of its name is there already.
        GengapError: The file fails while it is executed.
    """
    if path.suffix != ".py" or not path.is_file():
        raise DataError(f"There is no Python file {path}: --code takes a file such as losses.py.")
    name = path.stem
    known = None if name in sys.modules else importlib.util.find_spec(name)
    if name in sys.modules or (known is not None and Path(str(known.origin)).resolve() != path.resolve()):
        raise DataError(f"A module {name!r} is there already, which {path} would hide: rename the file.")
    module = _executed(path.resolve(), name)
    own = {key: one for key, one in vars(module).items() if _is_own(key, one, name)}
    keras.saving.get_custom_objects().update(own)
    return tuple(own)


def why_unreadable(reason: BaseException) -> str:
    """Return in a sentence why Keras cannot read a model: its first line, or what it does not know, and what to do."""
    unknown = re.search(r"Could not locate (class|function) '([^']+)'", str(reason))
    if unknown is not None:
        return f"the {unknown[1]} {unknown[2]!r} is not known; give the file that defines it, with --code file.py"
    return (str(reason).splitlines() or [type(reason).__name__])[0]


def _executed(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101  the file ends in .py
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        where = "" if line is None else f" in line {line}"
        raise GengapError(f"{path} failed{where} with {type(error).__name__} ({error}).") from error
    return module


def _is_own(key: str, one: Any, module: str) -> bool:
    wanted = inspect.isclass(one) or inspect.isfunction(one)
    return wanted and not key.startswith("_") and one.__module__ == module
