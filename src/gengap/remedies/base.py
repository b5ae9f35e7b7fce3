"""What a remedy is: a function from a compiled model to a compiled model, that composes, explains and names itself."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from gengap.errors import ModelError, RemedyError
from gengap.keras_models.private import is_keras_own
from gengap.remedies.explanation import Change, Explanation
from gengap.remedies.notation import snake, write_call
from gengap.remedies.stopping import StoppingRule

if TYPE_CHECKING:
    from gengap.keras_models.anatomy import Anatomy

Model = Any
Layer = Any


@dataclass(frozen=True, eq=False)
class Variant:
    """A named model in a study, with the two things that a Keras model cannot hold.

    Attributes:
        name: Name in tables and figures.
        model: A compiled `keras.Model`.
        share: Share of the training cases that its runs learn from, in (0, 1].
        stopping: When its runs stop by themselves, or None to train all epochs.
        remedy: Canonical form of the remedy that made it; empty for a model given by hand.
        kept: Names of layers that learned before or that a remedy has thawed (`names_told_apart`): they start from the
            weights that they had, whatever the others start from.
    """

    name: str
    model: Model
    share: float = 1.0
    stopping: StoppingRule | None = None
    remedy: str = ""
    kept: tuple[str, ...] = ()


class Remedy(ABC):
    """A treatment of overfitting: `remedy(model)` gives a treated clone and leaves the model as it was.

    Remedies compose with `+`, applied from left to right: `(a + b)(model) == b(a(model))`. `str(remedy)` is canonical
    (`"dropout(0.5)+l2(0.001)"`) and reads back through `gengap.remedy`; remedies of equal form are equal.
    """

    @abstractmethod
    def __call__(self, model: Model) -> Model:
        """Return a treated clone of a compiled model, compiled as the original was."""

    @abstractmethod
    def treat(self, variant: Variant) -> Variant:
        """Return the treated variant: what a study makes of its baseline. Its name is `str(remedy)`."""

    @abstractmethod
    def explain(self, model: Model) -> Explanation:
        """Return what the remedy does to a model, layer by layer, and what it leaves alone and why."""

    @abstractmethod
    def parts(self) -> tuple["Remedy", ...]:
        """Return the remedies that this one applies, in order; itself where it is not composed."""

    @final
    def __add__(self, other: "Remedy") -> "Remedy":
        check_remedy(other)
        return Composed(self.parts() + other.parts())

    @final
    def __str__(self) -> str:
        return "+".join(write_call(snake(type(part).__name__), part) for part in self.parts())

    @final
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remedy) and str(self) == str(other)

    @final
    def __hash__(self) -> int:
        return hash(str(self))


def check_remedy(candidate: Any) -> Remedy:
    """Return a remedy as it is.

    Raises:
        TypeError: Something else was given, such as a Keras layer.
    """
    if isinstance(candidate, Remedy):
        return candidate
    if isinstance(candidate, type) and issubclass(candidate, Remedy):
        raise TypeError(f"`remedies` takes instances: write gg.{candidate.__name__}(...) with its strength.")
    if is_keras_own(candidate):
        name = candidate.__name__ if isinstance(candidate, type) else type(candidate).__name__
        raise TypeError(
            f"{name} is a Keras object, not a remedy: gg.Dropout(0.5), gg.L2(1e-3) and the like say where in the model "
            "such objects go, and gg.Augment(layer) takes a preprocessing layer."
        )
    raise TypeError(f"Expected a remedy such as gg.Dropout(0.5), received {type(candidate).__name__}: {candidate!r}.")


@dataclass(frozen=True, eq=False, repr=False)
class Composed(Remedy):
    """Several remedies, one after the other; made by `+`, flat and in the order in which they were written.

    Attributes:
        remedies: The parts, first applied first.
    """

    remedies: tuple[Remedy, ...]

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.remedies))

    def __call__(self, model: Model) -> Model:
        """Apply the parts from left to right."""
        for part in self.remedies:
            model = part(model)
        return model

    def treat(self, variant: Variant) -> Variant:
        """Treat with one part after the other; clones in between belong to nobody else."""
        given = variant.model
        for part in self.remedies:
            own = variant.model is not given
            variant = part.treat_further(variant) if own and isinstance(part, Surgery) else part.treat(variant)
        return dataclasses.replace(variant, name=str(self), remedy=str(self))

    def explain(self, model: Model) -> Explanation:
        """Explain each part on what the parts before it left."""
        changes: list[Change] = []
        before = after = trainable_parameters(model)
        variant = Variant("", model)
        for part in self.remedies:
            explanation = part.explain(variant.model)
            changes += explanation.changes
            after = explanation.parameters[1]
            variant = part.treat(variant)
        return Explanation(tuple(changes), (before, after))

    def parts(self) -> tuple[Remedy, ...]:
        """Return the parts."""
        return self.remedies


@dataclass(frozen=True, eq=False)
class Edit:
    """What a surgery is going to do to one model; `id()` of original objects are the keys.

    Attributes:
        configs: New configuration of layers, by `id(layer)`.
        follow: New layers to call on the output of a node, by `id(node)`, or on an input, by `id(tensor)`.
        skip: `id(node)` of the calls to leave out.
        trainable: Whether layers are to be trained, by `id(layer)`; others are as they were.
        compile: From the original's compile arguments to the new ones, or None to compile as it was.
        finish: Called with the compiled result and the pairs of original and new layers, or None.
        changes: What to say about it.
    """

    configs: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    follow: Mapping[int, Sequence[Layer]] = field(default_factory=dict)
    skip: frozenset[int] = frozenset()
    trainable: Mapping[int, bool] = field(default_factory=dict)
    compile: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    finish: Callable[[Model, Sequence[tuple[Any, Any]]], None] | None = None
    changes: Sequence[Change] = ()

    @property
    def only_compiles(self) -> bool:
        """Whether layers stay as they are."""
        return not (self.configs or self.follow or self.skip or self.trainable or self.finish is not None)


@dataclass(frozen=True, eq=False)
class Treated:
    """What an edit made of a model.

    Attributes:
        model: The compiled clone.
        fresh: Path and shapes of every weight that could not be carried over.
        pairs: Original and copy of every layer.
    """

    model: Model
    fresh: Sequence[tuple[str, str]]
    pairs: Sequence[tuple[Any, Any]]


class Surgery(Remedy):
    """A remedy that changes the model itself: layers, their configuration, or what `compile` was told."""

    @abstractmethod
    def edit(self, anatomy: "Anatomy") -> Edit:
        """Decide what to do to a model, without doing it.

        Raises:
            RemedyError: It cannot be done to this model; the message says what to do instead.
        """

    @final
    def __call__(self, model: Model) -> Model:
        """Return a treated clone of a compiled Sequential or functional model.

        Weights are carried over wherever their shapes stay equal, frozen layers stay frozen, shared layers stay
        shared, and the clone is compiled as the original was, with a fresh optimizer state.

        Raises:
            ModelError: The model is not compiled, is subclassed, or does not know its input shape.
            RemedyError: The surgery is impossible on this model.
            UnknownNameError: `on` names a layer that the model does not have.
        """
        return self._operate(model, self._plan(model)).model

    @final
    def treat(self, variant: Variant) -> Variant:
        """Return the variant with a treated model."""
        edit = self._plan(variant.model)
        treated = self._operate(variant.model, edit)
        kept = {*variant.kept, *thawed_by(edit, variant.model)}
        names = tuple(carried_over(kept, variant.model, treated))
        return dataclasses.replace(variant, name=str(self), model=treated.model, remedy=str(self), kept=names)

    @final
    def treat_further(self, variant: Variant) -> Variant:
        """Treat a variant whose model nobody else holds: where only `compile` is told otherwise, without a clone."""
        from gengap.keras_models.clone import recompile

        edit = self._plan(variant.model)
        if not edit.only_compiles or not recompile(variant.model, edit.compile):
            return self.treat(variant)
        return dataclasses.replace(variant, name=str(self), remedy=str(self))

    @final
    def explain(self, model: Model) -> Explanation:
        """Operate on a clone and return what changed, what was left alone and why, and which weights are fresh."""
        edit = self._plan(model)
        treated = self._operate(model, edit)
        fresh = [Change(str(self), path, f"fresh weights {what}") for path, what in treated.fresh]
        counts = trainable_parameters(model), trainable_parameters(treated.model)
        return Explanation((*edit.changes, *fresh), counts)

    @final
    def parts(self) -> tuple[Remedy, ...]:
        """Return this remedy."""
        return (self,)

    def _plan(self, model: Model) -> Edit:
        from gengap.keras_models.anatomy import Anatomy

        if not getattr(model, "compiled", False):
            raise ModelError(
                f"{self} needs a compiled Keras model, so that what it returns can be trained alike: "
                f"call model.compile(...) first. Received {type(model).__name__}."
            )
        return self.edit(Anatomy.of(model))

    def _operate(self, model: Model, edit: Edit) -> "Treated":
        from gengap.remedies.surgery import perform

        try:
            return Treated(*perform(edit, model))
        except (ValueError, TypeError, KeyError) as error:
            if isinstance(error, RemedyError | ModelError):
                raise
            raise RemedyError(
                f"{self} does not fit model {model.name!r}: choose other layers with `on`, or write this variant by "
                f"hand. What went wrong: {error}"
            ) from error


def thawed_by(edit: Edit, model: Model) -> list[str]:
    """Return the names of the layers of a model that an edit lets learn again, with those inside them."""
    from gengap.keras_models.layer_names import names_told_apart
    from gengap.keras_models.private import all_layers

    names = names_told_apart(model)
    thawed = [layer for layer in all_layers(model) if edit.trainable.get(id(layer))]
    return list(dict.fromkeys(names[id(inner)] for layer in thawed for inner in all_layers(layer)))


def carried_over(kept: Collection[str], model: Model, treated: Treated) -> list[str]:
    """Return the names that layers of a model have in its treated clone, where their weights are of equal shapes."""
    from gengap.keras_models.layer_names import names_told_apart
    from gengap.keras_models.private import all_layers, own_variables

    before, after = names_told_apart(model), names_told_apart(treated.model)
    names: dict[str, None] = {}
    for outer, copy_of_outer in treated.pairs if kept else ():
        for layer, copy in zip(*map(all_layers, (outer, copy_of_outer)), strict=False):
            shapes = [[tuple(weight.shape) for weight in own_variables(one)] for one in (layer, copy)]
            if before.get(id(layer)) in kept and id(copy) in after and shapes[0] == shapes[1]:
                names[after[id(copy)]] = None
    return list(names)


def trainable_parameters(model: Model) -> int:
    """Return the number of trainable parameters of a built Keras model."""
    total = 0
    for variable in model.trainable_variables:
        size = 1
        for length in variable.shape:
            size *= length
        total += size
    return total
