"""A model written down as the Keras code that builds it, so that nobody depends on gengap to use a variant."""

import functools
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from gengap.errors import ModelError
from gengap.keras_models.clone import compile_config, excluded_from_decay, rate_factors
from gengap.keras_models.private import is_keras_own, kind_of_operation, operation_of
from gengap.keras_models.rebuild import Model, Operation, function_of, is_graph, nodes_of
from gengap.remedies.notation import snake

OMITTED = frozenset({"build_config", "registered_name", "build_input_shape", "batch_input_shape"})


def to_code(model: Model) -> str:
    """Write a Sequential or functional model as Python code that builds and compiles it.

    The code needs Keras only, and asks for the backend at work here unless the environment names one. Arguments that
    Keras would choose by itself are left out, and so are names that Keras would give. Weights are not written:
    `model.save` keeps those.

    Args:
        model: A built model.

    Returns:
        Code that leaves the model in the variable `model`.

    Raises:
        ModelError: The model is subclassed, or something in it exists as an object only (a lambda).

    Example:
        >>> import gengap as gg, keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
        >>> model.compile("sgd", "binary_crossentropy")
        >>> print(gg.to_code(model))
        import os
        <BLANKLINE>
        os.environ.setdefault("KERAS_BACKEND", "torch")
        <BLANKLINE>
        import keras
        <BLANKLINE>
        model = keras.Sequential([
            keras.Input((4,)),
            keras.layers.Dense(1, activation="sigmoid"),
        ])
        model.compile(
            optimizer=keras.optimizers.SGD(),
            loss="binary_crossentropy",
        )
    """
    backend = f'os.environ.setdefault("KERAS_BACKEND", "{keras.config.backend()}")'  # else Keras looks for TensorFlow
    lines = ["import os", "", backend, "", "import keras", "", *_Writer().model(model, "model")]
    if model.compiled:
        lines += _compile(model)
    return "\n".join(lines)


class _Writer:
    """One writing: which layers and tensors already have a variable."""

    def __init__(self) -> None:
        self.named: dict[int, str] = {}
        self.tensors: dict[int, str] = {}

    def model(self, model: Model, variable: str) -> list[str]:
        """Return the lines that assign a model to a variable."""
        inner = [layer for layer in dict.fromkeys(n.operation for n in nodes_of(model)) if is_graph(layer)]
        lines = []
        for layer in inner:
            if id(layer) not in self.named:
                self.named[id(layer)] = self._word(layer.name)
                lines += [*_Writer().model(layer, self.named[id(layer)]), ""]
        write = self._sequential if isinstance(model, keras.Sequential) else self._functional
        return lines + write(model, variable)

    def _sequential(self, model: Model, variable: str) -> list[str]:
        layers = [self.named.get(id(layer)) or write_value(layer) for layer in model.layers]
        body = [f"    {text}," for text in (_input(model.inputs[0]), *layers)]
        return [f"{variable} = keras.Sequential([", *body, f"]{_name_of(model)})"]

    def _functional(self, model: Model, variable: str) -> list[str]:
        lines = []
        for tensor in function_of(model).inputs:
            word = self._word(operation_of(tensor).name)
            self.tensors[id(tensor)] = word
            lines.append(f"{word} = {_input(tensor)}")
        nodes = list(nodes_of(model))
        calls = Counter(id(node.operation) for node in nodes)
        for node in nodes:
            operation = node.operation
            if calls[id(operation)] > 1 and id(operation) not in self.named and isinstance(operation, keras.Layer):
                self.named[id(operation)] = self._word(f"{operation.name}_layer")
                lines.append(f"{self.named[id(operation)]} = {write_value(operation)}")
            words = [self._word(operation.name + f"_{i}" * bool(i)) for i in range(len(node.outputs))]
            lines.append(f"{', '.join(words)} = {self._call(node)}")
            self.tensors.update(zip(map(id, node.outputs), words, strict=True))
        ends = (self._structure(model.input), self._structure(model.output))
        return [*lines, f"{variable} = keras.Model({ends[0]}, {ends[1]}{_name_of(model)})"]

    def _call(self, node: Any) -> str:
        given = [self._structure(value) for value in node.arguments.args]
        named = {key: value for key, value in node.arguments.kwargs.items() if value is not None}
        given += [f"{key}={self._structure(value)}" for key, value in named.items()]
        operation = node.operation
        if isinstance(operation, keras.Layer):
            return f"{self.named.get(id(operation)) or write_value(operation)}({', '.join(given)})"
        function = _function_name(operation)
        own = [f"{k}={write_value(v)}" for k, v in operation.get_config().items() if k != "name"]
        return f"keras.ops.{function}({', '.join(given + own)})"

    def _structure(self, value: Any) -> str:
        if isinstance(value, keras.KerasTensor):
            return self.tensors[id(value)]
        if isinstance(value, dict):
            return "{" + ", ".join(f'"{key}": {self._structure(entry)}' for key, entry in value.items()) + "}"
        if isinstance(value, list | tuple):
            inside = ", ".join(map(self._structure, value))
            return f"[{inside}]" if isinstance(value, list) else f"({inside},)"
        return write_value(value)

    def _word(self, name: str) -> str:
        """Return a variable that nothing else has."""
        word = wish = re.sub(r"\W", "_", name)
        count, used = 0, {*self.named.values(), *self.tensors.values(), "keras", "model", "os"}
        while word in used:
            count += 1
            word = f"{wish}_{count}"
        return word


def write_value(value: Any) -> str:
    """Write a number, text, list, or a Keras object as the call of its constructor."""
    if isinstance(value, dict):
        return _write_serialized(value) if {"class_name", "config"} <= value.keys() else _write_dict(value)
    if isinstance(value, list | tuple):
        inside = ", ".join(map(write_value, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float):  # Keras hands settings back rounded to float32: 0.009999999776482582
        return repr(value) if float(np.float32(value)) != value else str(np.float32(value))
    if isinstance(value, int) or value is None:
        return repr(value)
    if inspect.isfunction(value) and not is_keras_own(value):
        raise ModelError(f"{value.__name__!r} is a function that exists as an object only and cannot be written.")
    return write_value(keras.saving.serialize_keras_object(value))


def _write_dict(value: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{write_value(key)}: {write_value(entry)}" for key, entry in value.items()) + "}"


def _write_serialized(value: dict[str, Any]) -> str:
    """Write what Keras has serialized: `{"module": ..., "class_name": ..., "config": ...}`."""
    name, config, module = value["class_name"], value["config"], value["module"] or ""
    if name == "DTypePolicy":
        return write_value(config["name"])
    if name == "function" and module.startswith(("keras", "builtins")) and isinstance(config, str):
        return write_value(config)
    if not isinstance(config, dict) or name == "__lambda__":
        raise ModelError(f"{config!r} is a function that exists as an object only and cannot be written.")
    place = _public(name, module)
    if place:
        return _write_call(getattr(_resolve(place), name), f"keras.{place}.", config)
    return _write_call(keras.saving.get_registered_object(value["registered_name"]), "", config)


def _public(name: str, module: str) -> str:
    """Return the public module of Keras that has a class; backends keep their own variants in private ones."""
    if not module.startswith("keras"):
        return ""
    places = ("layers", "optimizers", "losses", "metrics", "regularizers", "constraints", "initializers")
    ordered = sorted((*places, "optimizers.schedules"), key=lambda place: place not in module)
    return next((place for place in ordered if hasattr(_resolve(place), name)), "")


def _write_call(cls: Any, prefix: str, config: dict[str, Any]) -> str:
    """Write a constructor with the arguments that differ from what it would choose by itself."""
    parameters = inspect.signature(cls).parameters
    required = [n for n, p in parameters.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    chosen = {name: one.default for name, one in parameters.items() if one.default is not one.empty}
    needed = {name: config[name] for name in required}
    try:
        plain = cls.from_config(needed).get_config()
    except LookupError:  # some read every argument, as Rescaling does from Keras 3.15 on
        plain = cls.from_config({**chosen, **needed}).get_config()
    words = [_write_argument(config[name]) for name in required]
    for name, value in config.items():
        if name in required or name in OMITTED or (name in plain and _equal(plain[name], value)):
            continue
        if name == "name" and _automatic(cls, value):
            continue
        words.append(f"{name}={_write_argument(value)}")
    return f"{prefix}{cls.__name__}({', '.join(words)})"


def _write_argument(value: Any) -> str:
    return write_value(tuple(value) if isinstance(value, list) and all(isinstance(v, int) for v in value) else value)


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other or (isinstance(one, list | tuple) and list(one) == list(other)))


def _automatic(cls: type, name: str) -> bool:
    """Return whether Keras would have given this name by itself."""
    return re.sub(r"_\d+$", "", name) == _snake(cls)


def _snake(cls: type) -> str:
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", cls.__name__))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _resolve(place: str) -> Any:
    return functools.reduce(getattr, place.split("."), keras)


def _function_name(operation: Operation) -> str:
    name = snake(kind_of_operation(operation))
    if not hasattr(keras.ops, name):
        raise ModelError(f"Operation {operation.name!r} ({type(operation).__name__}) has no name in keras.ops.")
    return name


def _input(tensor: Any) -> str:
    layer = operation_of(tensor)
    shape = tuple(tensor.shape)
    words = [write_value(shape[1:]) if shape[0] is None else f"batch_shape={write_value(shape)}"]
    words += [f'dtype="{tensor.dtype}"'] * (tensor.dtype != "float32") + ["sparse=True"] * bool(tensor.sparse)
    if not re.fullmatch(r"(input_layer|keras_tensor)(_\d+)?", layer.name):
        words.append(f'name="{layer.name}"')
    return f"keras.Input({', '.join(words)})"


def _name_of(model: Model) -> str:
    """Return the last arguments of a model's constructor."""
    plain = re.fullmatch(r"(sequential|functional)(_\d+)?", model.name)
    return ("" if plain else f', name="{model.name}"') + ("" if model.trainable else ", trainable=False")


def _compile(model: Model) -> Iterator[str]:
    """Yield the lines that compile a model as it was."""
    given = compile_config(model)
    if rate_factors(model):
        raise ModelError(
            f"Model {model.name!r} has a learning rate for each layer, which Keras has no words for: keep it with "
            "model.save(...)."
        )
    plain = {"run_eagerly": False, "jit_compile": False, "steps_per_execution": 1}
    yield "model.compile("
    for name, value in given.items():
        if value is not None and value != plain.get(name):
            yield f"    {name}={write_value(value)},"
    yield ")"
    excluded = {id(variable) for variable in excluded_from_decay(model)}
    if excluded:
        places = tuple(i for i, variable in enumerate(model.trainable_variables) if id(variable) in excluded)
        yield "model.optimizer.exclude_from_weight_decay("
        yield f"    var_list=[model.trainable_variables[i] for i in {write_value(places)}]"
        yield ")"
