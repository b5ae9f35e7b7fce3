"""Names of the release before this one: they work for one more, with a warning that says what they are called now."""

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

NAMES: Mapping[str, Mapping[str, str]] = {
    "gengap.datasets": {
        "reviews": "gengap_examples.reviews",
        "rotation_probability": "gengap_examples.rotation_probability",
        "synthetic_storms": "gengap_examples.synthetic_storms",
    },
    "gengap.engine": {"TrainingData": "gengap.datasets.TrainingData"},
}
"""Where a public name of a module is found now, by module and old name."""

_OF_SAMPLING = {"precision": "computation.precision", "memory_limit": "computation.memory_limit"}
_OF_TRAINING = {"precision": "computation.precision", "compile": "computation.compile"}

ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "gengap.predict_distribution": {"num_samples": "num_members", **_OF_SAMPLING},
    "gengap.choose_rate": {
        "num_samples": "num_members",
        "validation": "validation_data",
        "test": "test_data",
        **_OF_SAMPLING,
    },
    "gengap.fit_many": {**_OF_TRAINING, "device": "computation.device", "plan": "computation.plan"},
    "gengap.Study": _OF_TRAINING,
    "gengap.PredictiveDistribution.select": {"samples": "cases"},
    "gengap.Result.from_histories": {"higher_is_better": "larger_is_better"},
}
"""What an argument of a public function is called now, by function and old name; `computation.x` is now `x` of the
`gengap.Computation` that the argument `computation` takes."""

ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "gengap.PredictiveDistribution": {"num_samples": "num_members"},
    "gengap.plots.CapacityDisplay": {"climbed": "path"},
    "gengap.plots.DataValueDisplay": {"foretold": "predicted"},
}
"""What an attribute of a public class is called now, by class and old name."""


def moved(module: str, name: str) -> Any:
    """Return what has another name or place now, with a warning that says which.

    Args:
        module: Module that was asked; its `__getattr__` calls this.
        name: The old name, one of `NAMES[module]`.
    """
    new = NAMES[module][name]
    warn_of_old(f"`{module}.{name}` is now `{new}`", stacklevel=4)
    home, _, name = new.rpartition(".")
    return getattr(import_module(home), name)


def old_arguments(path: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator by which a function also takes arguments by the names of the release before.

    Args:
        path: Public path of the function, a key of `ARGUMENTS`.
    """
    new_names = ARGUMENTS[path]

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            parts: dict[str, Any] = {}
            for old in new_names.keys() & kwargs:
                new = new_names[old]
                argument, _, part = new.partition(".")
                if argument in kwargs:
                    raise TypeError(f"`{old}` is the old name of `{new}`, which is given too: leave `{old}` out.")
                warn_of_old(f"`{old}` of `{path}` is now `{new}`", stacklevel=3)
                (parts if part else kwargs)[part or new] = kwargs.pop(old)
            if parts:
                kwargs["computation"] = import_module("gengap.engine.computation").Computation(**parts)
            return function(*args, **kwargs)

        return call

    return decorate


def old_attribute(path: str, name: str) -> property:
    """Return a property that reads an attribute by its name of the release before.

    Args:
        path: Public path of the class, a key of `ATTRIBUTES`.
        name: The old name.
    """
    new = ATTRIBUTES[path][name]

    def read(owner: Any) -> Any:
        warn_of_old(f"`{name}` of `{path}` is now `{new}`", stacklevel=3)
        return getattr(owner, new)

    return property(read, doc=f"`{new}`, by its name of the release before.")


def warn_of_old(what: str, *, stacklevel: int) -> None:
    """Warn that something has another form now; `stacklevel` as in `warnings.warn`, of the caller."""
    warnings.warn(f"{what}; the old name goes with the next release.", DeprecationWarning, stacklevel=stacklevel)
