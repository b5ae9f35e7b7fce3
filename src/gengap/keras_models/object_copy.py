"""A layer or model copied object by object, where no configuration makes it anew: its class may lack `get_config`."""

import copy
import copyreg
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from gengap.errors import ModelError
from gengap.keras_models.private import CONTAINERS, NODES, REWRAPPED, SAVEABLE, all_layers

_STALE = ("train_function", "test_function", "predict_function")
_patching = threading.RLock()


def copy_object(original: Any) -> Any:
    """Return a copy of a layer or model that shares no variable with it.

    Functions are shared, everything else is copied. The copy stands in no graph: call it to put it into one.

    Args:
        original: A layer or model. One that is built stays so.

    Raises:
        ModelError: It holds something that cannot be copied, or a function that would go on using the original.
    """
    if not all(layer.built for layer in all_layers(original)):
        raise ModelError("it is not built")
    memo: dict[int, Any] = {}
    with _patching, _copied_by_parts(original):
        try:
            twin = copy.deepcopy(original, memo)
        except (TypeError, RuntimeError, NotImplementedError, AttributeError, RecursionError) as error:
            raise ModelError(f"it holds what cannot be copied ({error})") from error
    kept = {id(one) for one in original.variables}
    if any(id(one) in kept for one in twin.variables) or len(twin.variables) != len(original.variables):
        raise ModelError("its variables cannot be told apart from those of its copy")
    for name in _holding_originals(original):
        raise ModelError(
            f"the function in its attribute {name!r} uses the layer itself, and would use it in every copy"
        )
    return twin


@contextmanager
def _copied_by_parts(root: Any) -> Iterator[None]:
    """Let Keras' objects be copied by their attributes, and not through the file format that their class names."""

    def by_parts(self: Any, memo: dict[int, Any]) -> Any:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        state = {name: value for name, value in vars(self).items() if name not in REWRAPPED}
        if self is root:
            state |= {name: [] for name in NODES if name in state}
        state |= {name: None for name in _STALE if name in state}
        vars(twin).update(copy.deepcopy(state, memo))  # not by setattr, which would track everything twice
        return twin

    patched = {SAVEABLE: by_parts, **dict.fromkeys(CONTAINERS, _tracked)}
    for cls, method in patched.items():
        cls.__deepcopy__ = method
    before = copyreg.dispatch_table.get(ModuleType)
    copyreg.dispatch_table[ModuleType] = lambda module: module.__name__  # a text says: take it as it is
    try:
        yield
    finally:
        for cls in patched:
            del cls.__deepcopy__
        del copyreg.dispatch_table[ModuleType]
        if before is not None:
            copyreg.dispatch_table[ModuleType] = before


def _tracked(container: Any, memo: dict[int, Any]) -> Any:
    """Copy one of Keras' containers without telling its tracker, whose lists are copied by themselves."""
    plain: Any = next(cls for cls in (list, dict, set) if isinstance(container, cls))
    cls: Any = type(container)
    twin = cls.__new__(cls)
    memo[id(container)] = twin
    fill: Any = {list: list.extend, dict: dict.update, set: set.update}[plain]
    fill(twin, copy.deepcopy(plain(container), memo))
    vars(twin).update(copy.deepcopy(vars(container), memo))
    return twin


def _holding_originals(original: Any) -> Iterator[str]:
    """Yield the attributes that hold a function around a part of the original, which a copy of it would go on using."""
    layers = all_layers(original)
    own = {id(one) for one in (*layers, *original.variables)}
    for layer in layers:
        for name, value in vars(layer).items():
            if name in REWRAPPED or name in _STALE or not inspect.isfunction(value):
                continue
            if any(id(cell.cell_contents) in own for cell in value.__closure__ or () if _is_set(cell)):
                yield name


def _is_set(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
