"""How remedies are written down: `dropout(0.5)+l2(0.001, on=kernels)`, out and back in, never evaluated."""

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Term:
    """One call in the notation, read but not yet looked up.

    Attributes:
        name: What is called, as it was written.
        args: Positional values.
        kwargs: Named values.
    """

    name: str
    args: Sequence[Any] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def snake(name: str) -> str:
    """Return a class name as the notation spells it.

    Example:
        >>> snake("SpatialDropout"), snake("L1L2"), snake("EMA")
        ('spatial_dropout', 'l1l2', 'ema')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def write_call(name: str, value: Any) -> str:
    """Write a frozen dataclass as a call: positional fields unless None, keyword-only ones where not the default."""
    words = []
    for entry in dataclasses.fields(value):
        given = getattr(value, entry.name)
        if not entry.kw_only:
            words += [] if given is None else [write_value(given)]
        elif given != entry.default:
            words.append(f"{entry.name}={write_value(given)}")
    return f"{name}({', '.join(words)})"


def write_value(value: Any) -> str:
    """Write a number, word, tuple or Keras layer so that it reads back equal.

    Example:
        >>> [write_value(v) for v in (1e-3, 32.0, "kernels", "conv*", ("a", "b"), None)]
        ['0.001', '32', 'kernels', '"conv*"', '(a, b)', 'None']
    """
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
    if isinstance(value, type):
        value = value.__name__
    if isinstance(value, str):
        return value if WORD.match(value) and value not in {"None", "True", "False"} else json.dumps(value)
    if isinstance(value, tuple | list):
        inside = ", ".join(map(write_value, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return _write_layer(value)


def _write_layer(layer: Any) -> str:
    """Write a Keras layer with those arguments that it would not choose by itself."""
    cls, config = type(layer), layer.get_config()
    arguments = {name: p for name, p in inspect.signature(cls).parameters.items() if name in config}
    required = {name for name, p in arguments.items() if p.default is p.empty}
    plain = cls.from_config({name: config[name] for name in required}).get_config()
    kept = [n for n in arguments if n != "name" and (n in required or config[n] != plain[n])]
    return f"{cls.__name__}({', '.join(f'{name}={write_value(config[name])}' for name in kept)})"


def read(text: str) -> list[Term]:
    """Read `"dropout(0.5)+l2(0.001)"` into its terms, in order.

    Raises:
        ValueError: The text is not a sum of calls with plain values.

    Example:
        >>> read("l2(0.001, on=kernels)")
        [Term(name='l2', args=(0.001,), kwargs={'on': 'kernels'})]
    """
    try:
        return _terms(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"{text[:80]!r} is not a remedy: write calls joined by +, as in dropout(0.5)+l2(0.001, on=kernels); "
            'patterns stand in quotes, as in on="conv*".'
        ) from error


def _terms(tree: ast.expr) -> list[Term]:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return _terms(tree.left) + _terms(tree.right)
    return [_term(tree)]


def _term(tree: ast.expr) -> Term:
    if isinstance(tree, ast.Name):
        return Term(tree.id)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        named = {k.arg: _value(k.value) for k in tree.keywords if k.arg is not None}
        if len(named) == len(tree.keywords):
            return Term(tree.func.id, tuple(map(_value, tree.args)), named)
    raise ValueError(ast.unparse(tree))


def _value(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Call):
        return _term(tree)
    if isinstance(tree, ast.Tuple | ast.List):
        return tuple(map(_value, tree.elts))
    return ast.literal_eval(tree)
