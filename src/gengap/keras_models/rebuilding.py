"""Trained models put together again, and checked on a few cases whose forecasts were stored."""

import inspect
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import special

from gengap.errors import ModelError
from gengap.keras_models.layer_rates import OWN_OBJECTS
from gengap.keras_models.private import all_layers, is_keras_own
from gengap.keras_models.shared_generators import constructors_keyed
from gengap.results.remembered import NUM_CASES, UsersCode

Array = NDArray[Any]
_LONGEST = 300


def rebuild(
    config: Any,
    weights: Sequence[Array],
    custom: Mapping[str, Any],
    *,
    variant: str,
    remembered: Mapping[str, Any] | None = None,
) -> Any:
    """Build a model from its configuration and give it weights.

    What constructors of layers draw is drawn as it was in the clone that was trained.

    Args:
        config: What Keras serialized.
        weights: The weights.
        custom: The user's classes and functions by name.
        variant: Name of its variant.
        remembered: What a result remembers of the variant's code; in the process that trained it makes the model anew
            where the configuration cannot.

    Raises:
        ModelError: It cannot be built from its configuration.
    """
    try:
        model = _from_configuration(config, custom, variant)
    except ModelError:
        if not isinstance(remembered, UsersCode):
            raise
        model = remembered.again()
    return _with_weights(model, weights, variant=variant)


def _from_configuration(config: Any, custom: Mapping[str, Any], variant: str) -> Any:
    if config is None:
        raise ModelError(
            f"The model of variant {variant!r} cannot be rebuilt, because it has no configuration that is plain JSON: "
            "give its classes `get_config`, and write lambdas as functions with a name."
        )
    try:
        known = {**OWN_OBJECTS, **custom}
        with keras.saving.custom_object_scope(known), constructors_keyed(), warnings.catch_warnings():
            # what Keras warns of here is mended, or is an error, in `_with_weights`
            warnings.filterwarnings("ignore", r"`build\(\)` was called on layer", UserWarning)
            # Keras 3.15 takes a functional model's configuration apart while it reads it
            taken = _as_constructors_take_it(deepcopy(config), custom)
            return _from_constructor(config, custom) or keras.saving.deserialize_keras_object(taken)
    except (TypeError, ValueError) as reason:
        what, name, why = _unknown(reason)
        raise ModelError(
            f"The model of variant {variant!r} cannot be rebuilt: {why}. Pass what is your own by name, as in "
            f"`result.model({variant!r}, custom_objects={{{name!r}: {what}}})`; on the command line, the file that "
            "defines it, as `--code file.py`."
        ) from reason


def _unknown(reason: BaseException) -> tuple[str, str, str]:
    """Return a class or function that Keras does not know, its name, and why it cannot read a configuration.

    Keras adds the whole configuration to its message, which can be pages.
    """
    found = re.search(r"Could not locate (class|function) '([^']+)'", str(reason))
    if found is None:
        return "MyLayer", "MyLayer", (str(reason).splitlines() or [type(reason).__name__])[0][:_LONGEST].rstrip(".")
    name = found[2].rpartition(">")[2]
    return name, found[2], f"its configuration names the {found[1]} {found[2]!r}, which is not known here"


def _as_constructors_take_it(config: Any, custom: Mapping[str, Any]) -> Any:
    """Return a configuration without what Keras notes of every layer, where a user's class has no argument for it.

    A constructor without `**kwargs` takes neither `name` nor `trainable` nor `dtype`, and most of the layers in Keras'
    own examples are written so.
    """
    if isinstance(config, list | tuple):
        return type(config)(_as_constructors_take_it(part, custom) for part in config)
    if not isinstance(config, dict):
        return config
    kind = _class_of(config, custom)
    config = {name: _as_constructors_take_it(part, custom) for name, part in config.items()}
    if kind is not None and isinstance(config.get("config"), dict):
        arguments = inspect.signature(kind).parameters
        if all(one.kind is not inspect.Parameter.VAR_KEYWORD for one in arguments.values()):
            config["config"] = {
                name: part for name, part in config["config"].items() if name in arguments or not _is_usual(name, part)
            }
    return config


def _is_usual(name: str, value: Any) -> bool:
    """Tell whether an entry is what a layer has that is made without saying anything of it."""
    if name == "dtype":
        policy = value.get("config", {}).get("name") if isinstance(value, dict) else value
        return bool(policy == keras.config.dtype_policy().name)
    return name == "name" or (name == "trainable" and value is True)


def _class_of(config: Mapping[str, Any], custom: Mapping[str, Any]) -> Any | None:
    kind = custom.get(config.get("registered_name") or "") or custom.get(config.get("class_name") or "")
    return kind if inspect.isclass(kind) else None


def takes_nothing(kind: type) -> bool:
    """Tell whether the constructor of a class has no argument of its own."""
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return all(parameter.kind in variadic for parameter in inspect.signature(kind).parameters.values())


def _with_weights(model: keras.Model, weights: Sequence[Array], *, variant: str) -> Any:
    """Give a model its weights; those that its layers make only when they are called are made by a call on zeros."""
    shapes = [np.shape(one) for one in weights]
    if [tuple(one.shape) for one in model.weights] != shapes and getattr(model, "inputs", None):
        zeros = [np.zeros([size or 1 for size in one.shape], one.dtype) for one in model.inputs]
        model(keras.tree.pack_sequence_as(model.input, zeros))
    if [tuple(one.shape) for one in model.weights] != shapes:
        raise ModelError(
            f"The model of variant {variant!r} cannot be rebuilt: made from its configuration it has weights of other "
            f"shapes than the {len(shapes)} that were trained. Give its own classes a `build` that makes all their "
            "weights, and builds the layers inside them."
        )
    model.set_weights(list(weights))
    return model


def _from_constructor(config: Mapping[str, Any], custom: Mapping[str, Any]) -> Any | None:
    """Build a subclassed model whose constructor takes no arguments, as clones are built: Keras cannot read it back."""
    kind = _class_of(config, custom)
    if kind is None or not hasattr(kind, "train_step") or not takes_nothing(kind):
        return None
    if "layers" in config.get("config", {}):  # of a functional class: its configuration holds the graph
        return None
    if "get_config" in vars(kind) or "from_config" in vars(kind):
        return None
    model: keras.Model = kind()
    if config.get("build_config"):
        model.build_from_config(config["build_config"])
    if config.get("compile_config"):
        model.compile_from_config(config["compile_config"])
    return model


def check(model: keras.Model, cases: Mapping[str, Array], stored: Array, *, precise: bool, what: str) -> None:
    """Check that a rebuilt model predicts for a few cases what was stored when it was trained.

    A model whose forecasts are draws, or depend on which cases are predicted together, cannot be checked like this.

    Args:
        model: The model.
        cases: What `first_cases` returned.
        stored: Stored predictions of the whole split.
        precise: Whether activations were computed in float32.
        what: What to call the model.

    Raises:
        ModelError: It predicts something else.
    """
    wanted = np.asarray(stored, np.float64)[:NUM_CASES]
    if not cases or not len(wanted) or not np.isfinite(wanted).all():
        return
    spread, size = float(np.nanstd(stored, axis=0).max()), float(np.abs(wanted).max())
    tolerance = 1e-2 * spread + 1e-5 * size if precise else 0.2 * spread + 1e-2 * size
    found = _predictions(model, cases)
    if any(np.abs(one - wanted).max() <= tolerance for one in _readings(found, wanted)):
        return
    if not _equal(found, _predictions(model, cases)) or not _equal(found, _one_by_one(model, cases)):
        return
    nearest = min(_readings(found, wanted), key=lambda one: float(np.abs(one - wanted).max()), default=None)
    if nearest is None:
        return
    at = np.unravel_index(int(np.abs(nearest - wanted).argmax()), wanted.shape)
    raise ModelError(
        f"{what}, rebuilt from its configuration, is not the network that was trained: for a stored case it predicts "
        f"{nearest[at]:.4g} where {wanted[at]:.4g} was stored. It computes with something that is neither a weight nor "
        f"in `get_config` of its classes{_own_classes(model)}, such as numbers drawn in a constructor, or the code has "
        "changed since. Keep what is drawn as a weight (`add_weight(..., trainable=False)`) or in `get_config`; "
        "`check=False` returns the model as it is."
    )


def _packed(cases: Mapping[str, Array]) -> Any:
    if "array" in cases:
        return cases["array"]
    if all(name.startswith("mapping/") for name in cases):
        return {name.removeprefix("mapping/"): part for name, part in cases.items()}
    return [cases[f"list/{place}"] for place in range(len(cases))]


def _predictions(model: keras.Model, cases: Mapping[str, Array]) -> list[Array]:
    raw = keras.tree.flatten(model.predict_on_batch(_packed(cases)))
    return [np.asarray(keras.ops.convert_to_numpy(one), np.float64) for one in raw]


def _one_by_one(model: keras.Model, cases: Mapping[str, Array]) -> list[Array]:
    count = len(next(iter(cases.values())))
    alone = [_predictions(model, {name: part[k : k + 1] for name, part in cases.items()}) for k in range(count)]
    return [np.concatenate(parts) for parts in zip(*alone, strict=True)]


def _equal(ones: Sequence[Array], others: Sequence[Array]) -> bool:
    return all(np.allclose(one, other, rtol=1e-4, atol=1e-5) for one, other in zip(ones, others, strict=True))


def _readings(outputs: Sequence[Array], wanted: Array) -> Iterator[Array]:
    """Yield every way to read raw outputs as predictions of the shape that was stored: logits or not, one column."""
    for raw in outputs:
        for values in (raw, special.expit(raw), special.softmax(raw, axis=-1)):
            for one in (values, values[..., -1]):
                if one.shape == wanted.shape:
                    yield one


def _own_classes(model: keras.Model) -> str:
    kinds = {type(layer) for layer in (model, *all_layers(model))}
    names = sorted(kind.__name__ for kind in kinds if not is_keras_own(kind))
    return f" ({', '.join(names)})" if names else ""
