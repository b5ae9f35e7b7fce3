"""Where strengths are sought: remedies with their values, and the cocktail that a draw from them is."""

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gengap.errors import UnknownNameError
from gengap.naming import did_you_mean
from gengap.remedies.base import Composed, Model, Remedy, Variant
from gengap.remedies.catalogue import REMEDIES, remedy
from gengap.remedies.notation import read, snake
from gengap.searching.ranges import Choice, Range, Values, read_values

Strengths = Mapping[str, Any]
"""A value for every dimension; None is off."""

_DOES_NOTHING_AT = {"width": 1.0, "subsample": 1.0, "max_norm": None, "learning_rate": 1.0, "early_stopping": None}
"""Where another strength than 0 leaves the model as it is, or none does."""
_STRONGER_DOWNWARDS = {"width", "max_norm", "early_stopping"}
_NO_REGULARIZATION = {"learning_rate", "subsample", "depth", "batch_norm"}
"""What has no stronger and weaker side."""


@dataclass(frozen=True)
class Dimension:
    """One remedy of a space.

    Attributes:
        name: What it is called in tables, in Optuna, and in a draw.
        values: The strengths.
        template: The remedy whose first field takes the strength; None where values are remedies in written form.
    """

    name: str
    values: Values
    template: Any

    @property
    def kind(self) -> str:
        """The remedy's class, as the notation spells it; empty for a choice among remedies."""
        return "" if self.template is None else snake(type(self.template).__name__)

    @property
    def off(self) -> float | None:
        """The strength that does nothing; None where there is none."""
        return _DOES_NOTHING_AT.get(self.kind, 0.0)

    @property
    def regularizes(self) -> bool:
        """Whether some strengths of it regularize more than others."""
        return self.template is not None and self.kind not in _NO_REGULARIZATION

    def made(self, value: Any) -> Remedy | None:
        """Return the remedy of a strength; None for off."""
        if value is None or (self.off is not None and value == self.off):
            return None
        if self.template is None:
            return remedy(str(value))
        made: Remedy = replace(self.template, **{_strength_field(type(self.template)).name: value})
        return made

    def strength(self, value: Any) -> float:
        """Return how strongly a value regularizes, 0 for off and above to 1 within the values of this space."""
        if value is None or not self.regularizes:
            return 0.0
        place = self.values.place(value)
        return 0.05 + 0.95 * (1 - place if self.kind in _STRONGER_DOWNWARDS else place)


@dataclass(frozen=True)
class Space:
    """All dimensions of a search, of which every trial draws one value each.

    Attributes:
        dimensions: In the order in which the remedies are applied.
    """

    dimensions: tuple[Dimension, ...]

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Ask an Optuna trial for a value of every dimension."""
        return {one.name: one.values.suggest(trial, one.name) for one in self.dimensions}

    def remedy(self, strengths: Strengths) -> Remedy | None:
        """Return the cocktail of a draw; None where everything is off."""
        parts = [made for one in self.dimensions if (made := one.made(strengths[one.name])) is not None]
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else Composed(tuple(part for one in parts for part in one.parts()))

    def strength(self, strengths: Strengths) -> float:
        """Return how strongly a draw regularizes: the mean over the dimensions that do."""
        found = [one.strength(strengths[one.name]) for one in self.dimensions if one.regularizes]
        return sum(found) / len(found) if found else 0.0

    def edges(self, strengths: Strengths) -> dict[str, str]:
        """Return the dimensions in which a draw lies at an edge of the space, and at which."""
        found = {one.name: one.values.edge(strengths[one.name]) for one in self.dimensions}
        return {name: side for name, side in found.items() if side}

    def describe(self) -> dict[str, str]:
        """Return the values of every dimension, in words."""
        return {one.name: str(one.values) for one in self.dimensions}

    def check(self, model: Model) -> None:
        """Check that every remedy can be applied to a model, before anything is trained.

        Raises:
            RemedyError: One cannot; the sentence says why.
        """
        for one in self.dimensions:
            for value in _extremes(one.values):
                if (made := one.made(value)) is not None:
                    made.treat(Variant("", model))


def read_space(given: Any) -> Space:
    """Read a space as users write it.

    Args:
        given: A mapping from remedies (`gg.Dropout`, `"dropout"`, or an instance whose options are kept and whose
            strength is searched) to their values; or from a word of the user's to a list of remedies to choose from.

    Raises:
        TypeError: It is no mapping, or a key names no remedy.
        ValueError: It is empty, or values cannot be searched, or two keys are the same remedy.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            "`space` must be a mapping from remedies to values, such as {gg.Dropout: (0, 0.7), gg.L2: "
            f"loguniform(1e-5, 1e-1)}}; received {type(given).__name__}."
        )
    if not given:
        raise ValueError("`space` is empty: name a remedy with its values, or leave `space` out to have it suggested.")
    dimensions = [_dimension(key, values) for key, values in given.items()]
    names = [one.name for one in dimensions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"`space` names {', '.join(twice)} more than once.")
    return Space(tuple(dimensions))


def _dimension(key: Any, values: Any) -> Dimension:
    if isinstance(values, list) and any(isinstance(one, Remedy) for one in values):
        return Dimension(str(key) if isinstance(key, str) else _name(key), _remedies(values, key), None)
    cls, options = _class_of(key)
    entry = _strength_field(cls)
    whole = typing.get_type_hints(cls)[entry.name] is int
    name = snake(cls.__name__) + (f"({', '.join(f'{k}={v}' for k, v in options.items())})" if options else "")
    identity = _DOES_NOTHING_AT.get(snake(cls.__name__), 0.0)
    found = read_values(values, name, whole=whole, identity=identity)
    made = [cls(value, **options) for value in _extremes(found) if value is not None]
    return Dimension(name, found, made[-1])


def _class_of(key: Any) -> tuple[type[Any], dict[str, Any]]:
    """Return the class of a remedy and its options besides the strength."""
    if isinstance(key, type) and issubclass(key, Remedy) and key in REMEDIES.values():
        return key, {}
    if isinstance(key, Remedy) and type(key) in REMEDIES.values():
        options = {one.name: getattr(key, one.name) for one in fields(key) if one.kw_only}  # type: ignore[arg-type]
        plain = {one.name: one.default for one in fields(key)}  # type: ignore[arg-type]
        return type(key), {name: value for name, value in options.items() if value != plain[name]}
    if isinstance(key, str):
        terms = read(key)
        name = snake(terms[0].name)
        if len(terms) == 1 and name in REMEDIES:
            return REMEDIES[name], dict(terms[0].kwargs)
        near, known = did_you_mean(name, REMEDIES), ", ".join(sorted(REMEDIES))
        raise UnknownNameError(f"There is no remedy named {key!r}{near}. There are: {known}.")
    raise TypeError(f"The keys of `space` are remedies, such as gg.Dropout or 'dropout'; received {key!r}.")


def _strength_field(cls: type[Any]) -> Any:
    found = [one for one in fields(cls) if not one.kw_only]
    if len(found) != 1 and snake(cls.__name__) != "width":
        raise ValueError(f"{snake(cls.__name__)} has no single strength to search: give a list of remedies to choose "
                         "from, such as {'penalty': [None, gg.L1(1e-4), gg.L2(1e-3)]}.")  # fmt: skip
    return found[0]


def _remedies(values: Sequence[Any], key: Any) -> Choice:
    if bad := [one for one in values if not (one is None or isinstance(one, Remedy))]:
        raise TypeError(f"The choice {key!r} holds {bad[0]!r} beside remedies: give remedies, and None for off.")
    return Choice(tuple(dict.fromkeys(None if one is None else str(one) for one in values)))


def _name(key: Any) -> str:
    return snake(key.__name__) if isinstance(key, type) else str(key)


def _extremes(values: Values) -> list[Any]:
    if isinstance(values, Range):
        return [int(one) if values.whole else one for one in (values.low, values.high)]
    return list(values.values)
