"""Every type of ours that a public function takes or returns, or that a public class shows, is public itself."""

import ast
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
PUBLIC = importlib.import_module("reference_pages").public_names()
sys.path.remove(str(ROOT / "scripts"))
DOCUMENTED = {id(value) for value in PUBLIC.values()}


@cache
def homes(module: str) -> dict[str, str]:
    """Where the names that a module uses come from, imports for type checkers too."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    found = {node.name: module for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: node.module for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id: module for target in node.targets if isinstance(target, ast.Name)}
    return found


def names_of(annotation: Any) -> Iterator[str]:
    """Names in an annotation, also in those that are written as text."""
    if isinstance(annotation, str):
        for node in ast.walk(ast.parse(annotation, mode="eval")):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                yield node.value
    elif hasattr(annotation, "__forward_arg__"):
        yield from names_of(annotation.__forward_arg__)
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from names_of(part)


def classes_of(annotation: Any, module: str) -> Iterator[type]:
    """Classes of ours in an annotation, those inside aliases too."""
    if inspect.isclass(annotation) and not get_args(annotation):
        if annotation.__module__.startswith("gengap"):
            yield annotation
        return
    for name in set(names_of(annotation)):
        home = homes(module).get(name, "")
        if home.startswith("gengap"):
            value = getattr(importlib.import_module(home), name)
            yield from classes_of(value, getattr(value, "__module__", home) if inspect.isclass(value) else home)
    for part in get_args(annotation) if get_origin(annotation) is not Literal else ():
        if not isinstance(part, str):
            yield from classes_of(part, module)


def annotations_of(value: Any) -> Iterator[tuple[str, Any, str]]:
    """Every annotation that a user of a public thing meets: whose it is, itself, and the module it stands in."""
    if inspect.isfunction(value):
        value = inspect.unwrap(value)
        for name, annotation in value.__annotations__.items():
            yield name, annotation, value.__module__
    elif inspect.isclass(value):
        for owner in (one for one in value.__mro__ if one.__module__.startswith("gengap")):
            for name, annotation in vars(owner).get("__annotations__", {}).items():
                if not name.startswith("_") and dataclasses.is_dataclass(owner):
                    yield name, annotation, owner.__module__
            for name, member in vars(owner).items():
                if name == "__init__" or not name.startswith("_"):
                    yield from ((f"{name}({of})", a, m) for of, a, m in annotations_of(_function(member)))


def _function(member: Any) -> Any:
    if isinstance(member, property):
        return member.fget
    return getattr(member, "__func__", getattr(member, "func", member)) if not inspect.isclass(member) else None


def private_types(value: Any) -> set[str]:
    return {
        f"{where}: {one.__module__}.{one.__qualname__}"
        for where, annotation, module in annotations_of(value)
        for one in classes_of(annotation, module)
        if id(one) not in DOCUMENTED
    }


@pytest.mark.parametrize("path", [path for path, value in PUBLIC.items() if callable(value)])
def test_what_a_public_name_takes_and_returns_is_in_the_reference(path):
    assert private_types(PUBLIC[path]) == set()


def test_a_hidden_type_is_found():
    def function(x, y): ...

    function.__module__ = "gengap.analysis.tables"
    function.__annotations__ = {"x": "list[Spread] | None", "return": "dict[str, Cell]"}
    hidden = {one.__qualname__ for _, a, m in annotations_of(function) for one in classes_of(a, m)}
    assert hidden == {"IntervalEstimate", "Spread"}
