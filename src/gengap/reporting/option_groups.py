"""Options of a command in groups: a value each for the command, options one by one for whoever types them."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

R = TypeVar("R")


def in_groups(command: Callable[..., R]) -> Callable[..., R]:
    """Let Typer see the fields of every parameter that is a frozen dataclass, and the command its value.

    Typer reads a function's signature and its annotations, and has no groups of options of its own (seen in 0.26 to
    0.29): so both are written anew, flat. What a field is annotated with (`Annotated[int, typer.Option(...)]`) stays,
    and so do help, completion and the sentences about wrong values.

    Args:
        command: A function whose parameters are options, or annotated with a dataclass of options.

    Raises:
        TypeError: Two groups have an option of one name.
    """
    hints = get_type_hints(command, include_extras=True)
    given = inspect.signature(command).parameters
    groups = {name: hints[name] for name in given if is_dataclass(hints[name])}
    flat: list[inspect.Parameter] = []
    for name, parameter in given.items():
        own = _options(groups[name]) if name in groups else [parameter.replace(annotation=hints[name])]
        flat += own
    names = [one.name for one in flat]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TypeError(f"Groups of options share the name {twice[0]!r}: rename one of them.")

    @functools.wraps(command)
    def spread(**options: Any) -> R:
        values = {name: cls(**{one.name: options.pop(one.name) for one in fields(cls)}) for name, cls in groups.items()}
        return command(**options, **values)

    spread.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    spread.__annotations__ = {one.name: one.annotation for one in flat}
    return spread


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(group)
    ]
