"""What the models of a study require of data: inputs of their shapes, answers that their outputs and losses take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from gengap.datasets.output_kind import OutputKind
from gengap.errors import DataError
from gengap.keras_models.answers import check_answers
from gengap.keras_models.heads import flat_inputs, input_names, input_structure
from gengap.keras_models.outputs import wants_codes


@dataclass(frozen=True, eq=False)
class ModelRequirements:
    """What models require of the splits that they are to train on; see `gengap.datasets.intake.Requirements`.

    Attributes:
        models: The model of every variant, the baseline first.
        kind: How the scored output is read.
    """

    models: Sequence[keras.Model]
    kind: OutputKind

    @property
    def input_names(self) -> Sequence[str]:
        """Names of the inputs."""
        return input_names(self.models[0])

    def check_shapes(self, x: Any, name: str) -> None:
        """Check that inputs fit every model.

        Raises:
            DataError: They have other names, or another shape.
        """
        for model in self.models:
            _check_shapes(x, name, model)

    def plain_answers(self, y: Any, name: str, num_cases: int) -> Any:
        """Check the answers and return them in the plain form of `TrainingData`.

        Raises:
            DataError: They are not what the outputs and losses take.
        """
        return check_answers(y, name, num_cases, self.models[0], self.kind)

    def wants_codes(self, y: Any) -> bool:
        """Tell whether a loss of the user's own is to get labels as integers, since `y` has them so."""
        return wants_codes(y, self.models, self.kind)


def _check_shapes(x: Any, name: str, model: keras.Model) -> None:
    names = input_names(model)
    if not names:  # a subclassed model knows its input only after its first call
        return
    if isinstance(x, Mapping) and (unknown := sorted(set(x) - set(names))) and not any("/" in one for one in names):
        raise DataError(
            f"The {name} split has inputs named {', '.join(map(str, unknown))}; the model's inputs are named "
            f"{', '.join(names)}."
        )
    shapes = [tuple(part.shape) for part in flat_inputs(model, x)]
    if len(shapes) != len(names):
        raise DataError(
            f"The model has {len(names)} input(s), but the {name} split is a {type(x).__name__} of "
            f"{len(shapes)} arrays: give one array with a row for each case."
        )
    _check_fit(shapes, name, model)


def _check_fit(shapes: Sequence[tuple[int, ...]], name: str, model: keras.Model) -> None:
    names = input_names(model)
    for label, actual, tensor in zip(names, shapes, keras.tree.flatten(input_structure(model)), strict=True):
        expected = tuple(tensor.shape)
        if not _fits(actual, expected, lenient=len(names) > 1):
            which = f"for {label!r} " if len(names) > 1 else ""
            raise DataError(
                f"The model takes inputs {which}of shape {expected}, but the {name} split has shape {actual}: reshape "
                "the data or change the model's Input."
            )


def _fits(actual: tuple[int, ...], expected: tuple[int | None, ...], *, lenient: bool) -> bool:
    """Tell whether inputs have the shape of an Input; Keras adds or takes away a last axis of 1."""
    if lenient and len(actual) == len(expected) - 1 and expected[-1] == 1:
        actual = (*actual, 1)
    elif lenient and len(actual) == len(expected) + 1 and actual[-1] == 1:
        actual = actual[:-1]
    sizes = zip(actual[1:], expected[1:], strict=False)
    return len(actual) == len(expected) and all(e in {None, a} for a, e in sizes)
