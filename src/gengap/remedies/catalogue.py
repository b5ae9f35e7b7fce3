"""Every remedy by name, and the way from text to remedy."""

from typing import Any

import keras

from gengap.errors import UnknownNameError
from gengap.naming import did_you_mean
from gengap.remedies.augmenting import Augment
from gengap.remedies.base import Composed, Remedy
from gengap.remedies.capacity import Depth, Width
from gengap.remedies.constraints import MaxNorm
from gengap.remedies.dropout import Dropout, GaussianDropout, GaussianNoise, SpatialDropout
from gengap.remedies.fine_tuning import Freeze, LearningRate, Thaw
from gengap.remedies.labels import LabelSmoothing
from gengap.remedies.normalizing import BatchNorm
from gengap.remedies.notation import Term, read, snake
from gengap.remedies.optimizing import EMA, WeightDecay
from gengap.remedies.penalties import L1, L1L2, L2
from gengap.remedies.training import EarlyStopping, Subsample

CLASSES: tuple[type[Any], ...] = (
    Width, Depth,
    Freeze, Thaw, LearningRate,
    L1, L2, L1L2, WeightDecay, MaxNorm,
    Dropout, SpatialDropout, GaussianDropout, GaussianNoise,
    LabelSmoothing, BatchNorm, EMA,
    Augment, Subsample, EarlyStopping,
)  # fmt: skip
"""All remedies, family by family."""

REMEDIES: dict[str, type[Any]] = {snake(cls.__name__): cls for cls in CLASSES}
"""Classes of remedies by canonical name."""


def remedy(text: str) -> Remedy:
    """Read a remedy as `str(remedy)` writes it, and as the command line takes it.

    Args:
        text: Calls joined by `+`, such as `"dropout(0.5)+l2(0.001, on=kernels)"`. Names may be written in the class's
            spelling; patterns stand in quotes.

    Returns:
        The remedy.

    Raises:
        ValueError: The text is not a sum of calls, or a remedy does not take these values.
        UnknownNameError: There is no remedy of that name.

    Example:
        >>> from gengap.remedies import L2, Dropout, remedy
        >>> remedy("dropout(0.5) + L2(1e-3)") == Dropout(0.5) + L2(0.001)
        True
    """
    parts = tuple(_make(term) for term in read(text))
    return parts[0] if len(parts) == 1 else Composed(parts)


def _make(term: Term) -> Remedy:
    cls = REMEDIES.get(snake(term.name)) or REMEDIES.get(_squeezed().get(term.name.replace("_", "").lower(), ""))
    if cls is None:
        near = did_you_mean(snake(term.name), REMEDIES)
        raise UnknownNameError(
            f"There is no remedy named {term.name!r}{near}. There are: {', '.join(sorted(REMEDIES))}."
        )
    args = [_layer(value) if isinstance(value, Term) else value for value in term.args]
    try:
        made: Remedy = cls(*args, **term.kwargs)
    except TypeError as error:
        raise ValueError(f"{snake(cls.__name__)} cannot be made of {term.args} {term.kwargs}: {error}") from error
    return made


def _layer(term: Term) -> Any:
    """Make the Keras layer that `augment(RandomFlip(mode=horizontal))` writes down."""
    cls = getattr(keras.layers, term.name, None)
    if not (isinstance(cls, type) and issubclass(cls, keras.Layer)):
        raise UnknownNameError(f"keras.layers has no layer named {term.name!r}; write remedies with others in Python.")
    return cls(*term.args, **term.kwargs)


def _squeezed() -> dict[str, str]:
    return {name.replace("_", ""): name for name in REMEDIES}
