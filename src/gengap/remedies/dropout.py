"""Noise in training: dropout of units, of whole maps, and Gaussian noise on activations."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, final

import keras

from gengap.errors import RemedyError
from gengap.keras_models.anatomy import DROPOUTS, Anatomy, Call, On
from gengap.remedies.base import Edit, Layer, Surgery
from gengap.remedies.checks import check_choice, check_rate, check_strength
from gengap.remedies.explanation import Change, grouped
from gengap.remedies.notation import snake

Existing = Literal["add", "replace"]
OUTPUT = "it is an output of the model, and noise on the answer is never wanted"


class Noise(Surgery):
    """A noise layer after the activation of every chosen layer, before the pooling, never after the output.

    The activation ends at the layer itself where it has a nonlinear activation of its own, else at the activation
    layer that follows it, across normalizations and sums (`conv - batch normalization - add - relu`).

    Where only a head is trained behind frozen layers, "hidden" means what enters it: the features. A noise layer of the
    same kind that stands there already gets the new strength.
    """

    on: On
    existing: Existing

    misfit: ClassVar[str] = ""
    """Why `layer` may return None: what is wrong with such an output."""

    @abstractmethod
    def strength_of(self) -> float:
        """Return the rate or standard deviation."""

    @abstractmethod
    def layer(self, call: Call, name: str) -> Layer | None:
        """Return a new noise layer for the output of a call, or None where it does not fit."""

    @final
    def edit(self, anatomy: Anatomy) -> Edit:
        """Choose the places, once for each call of a shared layer."""
        skip, changes = self._removal(anatomy)
        if self.on == "hidden" and (head := anatomy.head()):
            return self._at_head(anatomy, head, skip, changes)
        follow: dict[int, list[Layer]] = {}
        names: set[str] = set()
        for call, reason in self._places(anatomy):
            name = anatomy.free_name(f"{call.operation.name}_{snake(type(self).__name__)}", names)
            layer = None if reason else self.layer(call, name)
            if layer is None:
                changes.append(Change(str(self), call.path, reason=reason or self.misfit))
            elif self.strength_of() == 0:
                changes.append(Change(str(self), call.path, reason="a strength of 0 changes nothing"))
            else:
                names.add(name)
                follow[id(call.node)] = [layer]
                changes.append(Change(str(self), call.path, f"followed by {type(layer).__name__} {name!r}"))
        if not follow and self.strength_of():
            raise RemedyError(f"{self} finds no place in model {anatomy.model.name!r}. {grouped(changes)}.")
        return Edit(follow=follow, skip=skip, changes=tuple(changes))

    def _at_head(self, anatomy: Anatomy, head: Sequence[Call], skip: frozenset[int], changes: list[Change]) -> Edit:
        """Disturb what enters each output layer, once where several take the same."""
        follow: dict[int, list[Layer]] = {}
        configs: dict[int, dict[str, Any]] = {}
        names: set[str] = set()
        for call in head:
            source = anatomy.calls[call.sources[0]] if call.sources[0] >= 0 else None
            name = anatomy.free_name(f"{call.operation.name}_{snake(type(self).__name__)}", names)
            layer = None if source is None else self.layer(source, name)
            if source is None or layer is None or source.is_output:
                reason = (
                    "it takes an input of the model as it is: gg.Augment puts noise there" if source is None else ""
                )
                reason = reason or (OUTPUT if layer is not None else self.misfit)
                changes.append(Change(str(self), call.path, reason=reason))
            elif self.strength_of() == 0:
                changes.append(Change(str(self), call.path, reason="a strength of 0 changes nothing"))
            elif type(source.operation) is type(layer) and not skip:
                strength = "stddev" if isinstance(layer, keras.layers.GaussianNoise) else "rate"
                configs[id(source.operation)] = {**source.operation.get_config(), strength: self.strength_of()}
                changes.append(
                    Change(str(self), source.path, f"{strength} {self.strength_of():g}, in front of the head")
                )
            elif (place := id(anatomy.node_before(call))) not in follow:
                names.add(name)
                follow[place] = [layer]
                told = f"preceded by {type(layer).__name__} {name!r}, as all before it is frozen"
                changes.append(Change(str(self), call.path, told))
        if not follow and not configs and self.strength_of():
            raise RemedyError(f"{self} finds no place in model {anatomy.model.name!r}. {grouped(changes)}.")
        return Edit(configs=configs, follow=follow, skip=skip, changes=tuple(changes))

    def _places(self, anatomy: Anatomy) -> Iterator[tuple[Call, str]]:
        """Yield each place once, with the reason why it must be left alone, if any."""
        outputs = {id(call.node) for call in anatomy.weighted() if not anatomy.is_hidden(call)}
        outputs |= {id(anatomy.end_of_activation(call).node) for call in anatomy.calls if id(call.node) in outputs}
        outputs |= {id(call.node) for call in anatomy.calls if call.is_output}
        seen: set[int] = set()
        for call in anatomy.select(self.on):
            place = anatomy.end_of_activation(call) if call in anatomy.weighted() else call
            if id(place.node) not in seen:
                seen.add(id(place.node))
                yield place, OUTPUT if id(place.node) in outputs else ""

    def _removal(self, anatomy: Anatomy) -> tuple[frozenset[int], list[Change]]:
        """Choose the dropout layers that are taken out, where existing ones are to be replaced."""
        if self.existing == "add":
            return frozenset(), []
        old = [call for call in anatomy.calls if isinstance(call.operation, DROPOUTS)]
        paths = dict.fromkeys(call.path for call in old)
        return frozenset(id(call.node) for call in old), [Change(str(self), path, "taken out") for path in paths]


def _like(call: Call, name: str) -> dict[str, Any]:
    """Return the arguments that a new layer shares with the one before it."""
    policy = call.operation.dtype_policy if isinstance(call.operation, keras.Layer) else None
    return {"name": name, "dtype": policy}


@dataclass(frozen=True, eq=False)
class _WithRate(Noise):
    """Noise whose strength is a rate, in [0, 1)."""

    rate: float
    on: On = field(default="hidden", kw_only=True)
    existing: Existing = field(default="add", kw_only=True)

    def __post_init__(self) -> None:
        check_rate(self, self.rate)
        check_choice("existing", self.existing, Existing)

    def strength_of(self) -> float:
        """Return the rate."""
        return float(self.rate)


@dataclass(frozen=True, eq=False)
class Dropout(_WithRate):
    """Each unit is set to 0 with probability `rate` in training; the others are divided by `1 - rate`.

    At inference nothing is dropped and nothing is scaled. On fields whose neighbours are alike (images, soundings)
    dropping single values takes little information away: see `SpatialDropout`.

    Attributes:
        rate: Share of units dropped, in [0, 1); 0 is the identity.
        on: After which layers. Default `"hidden"`, as both tutorials have it. Other layers (an embedding, a pooling)
            are named.
        existing: `"add"` leaves the model's own dropout layers in place, `"replace"` takes all of them out.

    References:
        Srivastava, N. et al. (2014). Dropout. JMLR 15, 1929-1958.
    """

    def layer(self, call: Call, name: str) -> Layer:
        """Return a `keras.layers.Dropout`."""
        return keras.layers.Dropout(float(self.rate), **_like(call, name))


@dataclass(frozen=True, eq=False)
class SpatialDropout(_WithRate):
    """Whole feature maps are set to 0 with probability `rate` in training; the others are divided by `1 - rate`.

    The layer is `SpatialDropout1D`, `2D` or `3D`, as the tensor has it. Layers with flat outputs are left alone.

    Attributes:
        rate: Share of maps dropped, in [0, 1); 0 is the identity.
        on: After which layers. Default `"hidden"`, as the storm tutorial has it.
        existing: `"add"` leaves the model's own dropout layers in place, `"replace"` takes all of them out.

    References:
        Tompson, J. et al. (2015). Efficient object localization using convolutional networks. CVPR.
    """

    misfit = "its output is flat: there are no maps to drop, use Dropout there"

    def layer(self, call: Call, name: str) -> Layer | None:
        """Return the spatial dropout of the output's number of axes."""
        classes = {3: "SpatialDropout1D", 4: "SpatialDropout2D", 5: "SpatialDropout3D"}
        if len(call.shape) not in classes:
            return None
        arguments = _like(call, name)
        if len(call.shape) > 3:
            arguments["data_format"] = getattr(call.operation, "data_format", None)
        return getattr(keras.layers, classes[len(call.shape)])(float(self.rate), **arguments)


@dataclass(frozen=True, eq=False)
class GaussianDropout(_WithRate):
    """Each unit is multiplied in training by Gaussian noise of mean 1 and variance `rate / (1 - rate)`.

    The same mean and variance as dropout, without zeros; nothing happens at inference.

    Attributes:
        rate: As in `Dropout`, in [0, 1); 0 is the identity.
        on: After which layers. Default `"hidden"`, as for `Dropout`.
        existing: `"add"` leaves the model's own dropout layers in place, `"replace"` takes all of them out.

    References:
        Srivastava, N. et al. (2014). Dropout, section 10. JMLR 15, 1929-1958.
    """

    def layer(self, call: Call, name: str) -> Layer:
        """Return a `keras.layers.GaussianDropout`."""
        return keras.layers.GaussianDropout(float(self.rate), **_like(call, name))


@dataclass(frozen=True, eq=False)
class GaussianNoise(Noise):
    """Gaussian noise of mean 0 is added to each activation in training; nothing happens at inference.

    Attributes:
        stddev: Standard deviation of the noise, in units of the activation, at least 0; 0 is the identity.
        on: After which layers. Default `"hidden"`: inputs may be counts, codes or sparse rows, where such noise means
            nothing; for real-valued inputs use `Augment(keras.layers.GaussianNoise(...))`.
        existing: `"add"` leaves the model's own dropout layers in place, `"replace"` takes all of them out.

    References:
        Bishop, C. (1995). Training with noise is equivalent to Tikhonov regularization. doi:10.1162/neco.1995.7.1.108
    """

    stddev: float
    on: On = field(default="hidden", kw_only=True)
    existing: Existing = field(default="add", kw_only=True)

    def __post_init__(self) -> None:
        check_strength(self, self.stddev)
        check_choice("existing", self.existing, Existing)

    def strength_of(self) -> float:
        """Return the standard deviation."""
        return float(self.stddev)

    def layer(self, call: Call, name: str) -> Layer:
        """Return a `keras.layers.GaussianNoise`."""
        return keras.layers.GaussianNoise(float(self.stddev), **_like(call, name))
