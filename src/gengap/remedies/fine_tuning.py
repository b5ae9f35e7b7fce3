"""How much of a pretrained model learns, and how fast: freezing its beginning, thawing its end, smaller steps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras

from gengap.errors import RemedyError, UnknownNameError
from gengap.keras_models.anatomy import DROPOUTS, NORMALIZATIONS, Anatomy, Call, parts_of
from gengap.keras_models.clone import innermost, optimizer_config
from gengap.keras_models.layer_rates import NAMES, factors_of, listed, plain_class, with_layer_rates
from gengap.keras_models.private import rate_of
from gengap.remedies.base import Edit, Model, Surgery
from gengap.remedies.checks import check_choice, check_positive
from gengap.remedies.explanation import Change
from gengap.remedies.optimizing import with_config

Noise = Literal["off", "keep"]
_NOISE = {**dict.fromkeys(DROPOUTS, "rate"), keras.layers.GaussianNoise: "stddev"}


@dataclass(frozen=True, eq=False)
class Freeze(Surgery):
    """Everything up to a layer stops learning and keeps its weights; what comes after it is trained.

    With few cases, how much of a pretrained model is trained is its strongest regularizer. What is frozen is computed
    once per case, for all runs that share it; so its noise layers are switched off as well, which Keras leaves on in
    training even where nothing around them is trained (3.15). Noise behind the last frozen layer with weights (a
    dropout in front of the head) acts on what the trained layers see, and stays. Batch normalizations that are frozen
    use the statistics that they have.

    Attributes:
        upto: The last layer that is frozen, by name, path, pattern or class, or the name of a model inside the model:
            it and all that leads to it. Default `"hidden"`: all hidden layers, so that only the head is trained.
        noise: `"off"` sets the rates of noise layers in front of frozen weights to 0, `"keep"` leaves them, and then
            nothing behind the first of them can be computed once.

    References:
        Yosinski, J. et al. (2014). How transferable are features in deep neural networks? NIPS 27. arXiv:1411.1792
    """

    upto: Any = "hidden"
    noise: Noise = field(default="off", kw_only=True)

    def __post_init__(self) -> None:
        check_choice("noise", self.noise, Noise)

    def edit(self, anatomy: Anatomy) -> Edit:
        """Freeze the layers that lead to the chosen ones, and these."""
        before = _reached(self._ends(anatomy), lambda call: [anatomy.calls[n] for n in call.sources if n >= 0])
        calls = [call for call in anatomy.calls if isinstance(call.operation, keras.Layer)]
        layers = {id(call.operation): call for call in calls if call.index in before}
        learning = [call for call in layers.values() if call.operation.trainable_weights]
        if not any(call.operation.trainable_weights for call in calls if id(call.operation) not in layers):
            raise RemedyError(
                f"{self} leaves nothing of model {anatomy.model.name!r} to train: name an earlier layer, as one of "
                f"{anatomy.names_near('')}."
            )
        changes = [Change(str(self), call.path, "frozen") for call in learning]
        configs = {}
        for call in layers.values() if self.noise == "off" else ():
            strength = _NOISE.get(type(call.operation))
            if strength is not None and getattr(call.operation, strength) and _meets_weights(anatomy, call, before):
                configs[id(call.operation)] = {**call.operation.get_config(), strength: 0.0}
                changes.append(Change(str(self), call.path, "its noise is switched off"))
        if not changes:
            changes.append(Change(str(self), "(all layers)", reason="what it names is frozen already"))
        flags = dict.fromkeys((id(call.operation) for call in learning), False)
        return Edit(configs=configs, trainable=flags, changes=tuple(changes))

    def _ends(self, anatomy: Anatomy) -> list[Call]:
        """Return the last calls that are frozen."""
        if self.upto != "hidden":
            return _chosen(anatomy, self.upto)
        heads = [call for call in anatomy.weighted() if not anatomy.is_hidden(call)]
        ends = [anatomy.calls[source] for call in heads for source in call.sources if source >= 0]
        if not any(anatomy.is_hidden(call) for call in anatomy.weighted()):
            raise RemedyError(f"{self} finds no hidden layer in model {anatomy.model.name!r} that it could freeze.")
        return ends


@dataclass(frozen=True, eq=False)
class Thaw(Surgery):
    """A layer that is frozen, and all frozen ones behind it, learn again, from the weights that they have.

    Batch normalizations stay in inference mode, with the statistics they have: those of a few cases are noise, and
    moving them undoes what was learned before.

    Attributes:
        from_: The first layer that learns again, by name, path, pattern or class, or the name of a model inside the
            model: it and all that follows. None thaws everything.
        normalizations: Whether batch normalizations learn and gather statistics, too.

    References:
        Howard, J. and Ruder, S. (2018). Universal language model fine-tuning for text classification. ACL.
        arXiv:1801.06146
    """

    from_: Any = None
    normalizations: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.normalizations, bool):
            raise TypeError(f"`normalizations` must be True or False, received {self.normalizations!r}.")

    def edit(self, anatomy: Anatomy) -> Edit:
        """Thaw the chosen layers and those that follow."""
        chosen = list(anatomy.calls) if self.from_ is None else _chosen(anatomy, self.from_)
        reached = _reached(chosen, anatomy.consumers)
        flags: dict[int, bool] = {}
        changes: list[Change] = []
        for call in anatomy.calls:
            layer = call.operation
            if call.index not in reached or id(layer) in flags or not _is_frozen(layer):
                continue
            if isinstance(layer, NORMALIZATIONS) and not self.normalizations:
                changes.append(Change(str(self), call.path, reason="normalizations keep their statistics"))
            else:
                flags[id(layer)] = True
                changes.append(Change(str(self), call.path, "learns again"))
        if not flags:
            raise RemedyError(
                f"{self} finds nothing frozen that it could thaw in model {anatomy.model.name!r}: it is for models of "
                "which a part has `trainable = False`."
            )
        return Edit(trainable=flags, changes=tuple(changes))


@dataclass(frozen=True, eq=False)
class LearningRate(Surgery):
    """The learning rate times a factor, of all layers or of some: a pretrained model is moved by small steps.

    It is no regularization by itself, but strengths that are found at one learning rate are those of that rate, which
    is why they are searched together. With `on`, the optimizer becomes a subclass of its own class that multiplies the
    rate of each trained weight, schedules and decoupled decay included, and is saved with the model; factors of several
    such remedies multiply. Keras reads it back once gengap is imported and `gengap.LearningRate` was asked for, and
    without gengap with `compile=False`.

    Attributes:
        factor: What the learning rate is multiplied by, above 0; 1 is the identity.
        on: Which layers learn at that rate, by role, name, path, pattern, class, or the name of a model inside the
            model; `"hidden"` are all but the head. None changes the rate of the whole model.

    References:
        Bengio, Y. (2012). Practical recommendations for gradient-based training of deep architectures.
        arXiv:1206.5533
        Howard, J. and Ruder, S. (2018). Universal language model fine-tuning for text classification. ACL.
        arXiv:1801.06146
        Li, H. et al. (2020). Rethinking the hyperparameters for fine-tuning. ICLR. arXiv:2002.11770
    """

    factor: float
    on: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_positive(self, self.factor)

    def edit(self, anatomy: Anatomy) -> Edit:
        """Give the optimizer another learning rate, or the chosen layers."""
        model = anatomy.model
        layers = [] if self.on is None else self._layers(anatomy)
        if self.factor == 1:
            return Edit(changes=(Change(str(self), "(optimizer)", reason="a factor of 1 changes nothing"),))
        if self.on is not None:
            return self._layerwise(model, layers)
        given = rate_of(innermost(model.optimizer))
        if callable(given) or isinstance(given, keras.optimizers.schedules.LearningRateSchedule):
            return self._layerwise(model, [model])  # a schedule cannot be multiplied, its values can
        before = float(model.optimizer.learning_rate)
        change = Change(str(self), "(optimizer)", f"learning rate {before:g} -> {before * self.factor:g}")
        return Edit(compile=with_config(learning_rate=before * float(self.factor)), changes=(change,))

    def _layers(self, anatomy: Anatomy) -> list[Any]:
        """Return the layers that `on` names.

        Raises:
            RemedyError: None of them is trained.
        """
        if self.on == "hidden":
            anatomy.select("hidden")  # refuses models without hidden layers that learn
            heads = {id(call.operation) for call in anatomy.weighted() if not anatomy.is_hidden(call)}
            layers = [call.operation for call in anatomy.calls if id(call.operation) not in heads]
        else:
            layers = [call.operation for call in _chosen(anatomy, self.on)]
        if not any(getattr(layer, "trainable_variables", ()) for layer in layers):
            raise RemedyError(
                f"{self}: no layer of model {anatomy.model.name!r} that it names has weights that are trained. What is "
                f"frozen is thawed first: gg.Thaw(...) + gg.LearningRate({self.factor:g}, on=...)."
            )
        return layers

    def _layerwise(self, model: Model, layers: Sequence[Any]) -> Edit:
        """Give each weight of some layers its own rate; all others keep theirs."""
        optimizer, factor = innermost(model.optimizer), float(self.factor)
        kind = plain_class(optimizer)
        if kind is None or kind.__name__ not in NAMES:
            raise RemedyError(
                f"{self} has learning rates for layers with one of Keras' optimizers {', '.join(NAMES)}, and model "
                f"{model.name!r} is compiled with {type(optimizer).__name__}: compile it with one of these."
            )
        variables, before = model.trainable_variables, factors_of(model, optimizer)
        chosen = {id(one) for layer in layers for one in getattr(layer, "trainable_variables", ())}
        after = {id(one): before.get(id(one), 1.0) * (factor if id(one) in chosen else 1.0) for one in variables}

        def compile_with(arguments: dict[str, Any]) -> dict[str, Any]:
            plain = with_config()(arguments)["optimizer"]
            return {**arguments, "optimizer": with_layer_rates(plain, optimizer_config(plain))}

        def finish(treated: Model, _: Sequence[tuple[Any, Any]]) -> None:
            # the graph is unchanged, so variables correspond one to one
            innermost(treated.optimizer).factors = listed(variables, after)

        changes = [
            Change(str(self), layer.name, f"learns at {after[id(own[0])]:g} of the learning rate")
            if (own := layer.trainable_variables)
            else Change(str(self), layer.name, reason="nothing in it is trained")
            for layer in {id(one): one for one in layers if getattr(one, "weights", ())}.values()
        ]
        return Edit(compile=compile_with, finish=finish, changes=tuple(changes))


def _chosen(anatomy: Anatomy, name: Any) -> list[Call]:
    """Return the calls that one or more names select; that of a model inside the model selects all of it."""
    try:
        return [call for part in parts_of(name) for call in _inside(anatomy, part) or anatomy.select(part)]
    except UnknownNameError as error:
        models = sorted({part for call in anatomy.calls for part in call.path.split("/")[:-1]})
        raise UnknownNameError(f"{error} Models inside it: {', '.join(models)}." if models else str(error)) from error


def _inside(anatomy: Anatomy, name: str) -> list[Call]:
    return [call for call in anatomy.calls if f"/{name}/" in f"/{call.path}"]


def _reached(start: Iterable[Call], following: Any) -> set[int]:
    """Return positions of some calls and of all that are reached from them."""
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        call = waiting.pop()
        if call.index not in found:
            found.add(call.index)
            waiting += following(call)
    return found


def _meets_weights(anatomy: Anatomy, noise: Call, frozen: set[int]) -> bool:
    """Tell whether what a noise layer gives, in any of its calls, enters a frozen layer with weights."""
    calls = [call for call in anatomy.calls if call.operation is noise.operation]
    behind = _reached([one for call in calls for one in anatomy.consumers(call)], anatomy.consumers) & frozen
    return any(getattr(anatomy.calls[index].operation, "weights", ()) for index in behind)


def _is_frozen(operation: keras.Operation) -> bool:
    return isinstance(operation, keras.Layer) and bool(operation.weights) and not operation.trainable
