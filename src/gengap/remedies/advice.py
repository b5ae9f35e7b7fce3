"""What a knowledgeable colleague would try first on this very model and amount of data, each with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from gengap.datasets.cases import count_cases
from gengap.datasets.split import Dataset, Split
from gengap.errors import ModelError, RemedyError
from gengap.keras_models.anatomy import DROPOUTS, NORMALIZATIONS, Anatomy
from gengap.randomness import gives_random_back
from gengap.remedies.augmenting import Augment
from gengap.remedies.base import Model, Remedy, Variant, trainable_parameters
from gengap.remedies.capacity import Depth, Width
from gengap.remedies.dropout import Dropout, SpatialDropout
from gengap.remedies.labels import LabelSmoothing
from gengap.remedies.normalizing import BatchNorm
from gengap.remedies.optimizing import WeightDecay
from gengap.remedies.penalties import L2
from gengap.remedies.training import EarlyStopping, Subsample


@dataclass(frozen=True)
class Suggestion:
    """One remedy to try, and why.

    Attributes:
        remedy: The remedy, as a study takes it.
        reason: One sentence about this model and these data.
    """

    remedy: Remedy
    reason: str

    def __str__(self) -> str:
        return f"{self.remedy}: {self.reason}"


@gives_random_back
def suggest(model: Model, data: Dataset | Split | tuple[Any, Any]) -> tuple[Suggestion, ...]:
    """Suggest remedies for a model and an amount of data, the most promising first.

    The rules look at the number of parameters for each training case, at what the layers are, and at what the model
    has already; they have not seen a training curve. A study decides, this only says where to begin. Remedies that
    are impossible on the model are left out.

    Args:
        model: A compiled Sequential or functional model.
        data: A data set (its training split counts), a split, or `(x, y)`.

    Returns:
        Suggestions; `gg.Study(model, remedies=[s.remedy for s in gg.suggest(model, data)])` runs them.

    Raises:
        ModelError: The model is not compiled or shows no graph.

    Example:
        >>> import gengap as gg, keras, numpy as np
        >>> model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> print(gg.suggest(model, (np.zeros((500, 100)), np.zeros(500)))[0])
        dropout(0.5): 13.1 parameters for each of 500 training cases: noise on hidden units keeps them from conspiring
    """
    y = data.train.y if isinstance(data, Dataset) else data.y if isinstance(data, Split) else data[1]
    if not getattr(model, "compiled", True):
        raise ModelError("The model is not compiled: call `model.compile(optimizer, loss)` first.")
    facts = _Facts.of(model, count_cases(y))
    return tuple(s for s in _candidates(facts) if _fits(s.remedy, model))


@dataclass(frozen=True)
class _Facts:
    cases: int
    parameters: int
    widest: int
    maps: bool
    flat: bool
    hidden: int
    normalized: bool
    dropped: bool
    penalized: bool
    adaptive: bool
    labels: int
    image: bool

    @staticmethod
    def of(model: Model, cases: int) -> "_Facts":
        anatomy = Anatomy.of(model)
        hidden = [call for call in anatomy.weighted() if anatomy.is_hidden(call) and call.operation.trainable]
        layers = [call.operation for call in anatomy.calls]
        plain = isinstance(model.optimizer, keras.optimizers.SGD)
        return _Facts(
            cases=cases,
            parameters=trainable_parameters(model),
            widest=max((call.shape[-1] or 1 for call in hidden), default=0),
            maps=any(len(call.shape) > 2 for call in hidden),
            flat=any(len(call.shape) == 2 for call in hidden),
            hidden=len(hidden),
            normalized=any(isinstance(layer, NORMALIZATIONS) for layer in layers),
            dropped=any(isinstance(layer, DROPOUTS) for layer in layers),
            penalized=any(getattr(layer, "kernel_regularizer", None) is not None for layer in layers),
            adaptive=not plain,
            labels=int(np.prod(model.outputs[0].shape[1:]) or 1),
            image=len(model.inputs) == 1 and len(model.inputs[0].shape) == 4,
        )

    @property
    def burden(self) -> float:
        """Trainable parameters for each training case."""
        return self.parameters / max(1, self.cases)


def _candidates(facts: _Facts) -> Iterator[Suggestion]:
    per_case = f"{facts.burden:.3g} parameters for each of {facts.cases:,} training cases"
    rate = 0.5 if facts.widest >= 32 else 0.3
    dropout = Dropout(rate, existing="replace" if facts.dropped else "add")
    penalty = L2(1e-3 if facts.cases >= 2000 else 1e-2, existing="replace" if facts.penalized else "add")
    if facts.maps:
        spatial = SpatialDropout(0.2, existing=dropout.existing)
        yield Suggestion(spatial, "neighbours on its maps are alike, so whole maps are dropped rather than values")
    if facts.burden >= 0.1:
        yield Suggestion(dropout, f"{per_case}: noise on hidden units keeps them from conspiring")
        yield Suggestion(penalty, f"{per_case}: a penalty keeps weights small that the data do not ask for")
        yield Suggestion(dropout + penalty, "noise and penalty act on different things and often add up")
        factor = 0.25 if facts.burden >= 10 else 0.5
        yield Suggestion(Width(factor), f"{per_case}: the plainest cure is a smaller net, and a faster one")
    else:
        yield Suggestion(Width(2), f"only {per_case}: it may underfit, which a wider net would show")
        yield Suggestion(Depth(1), f"only {per_case}: it may underfit, which a deeper net would show")
    if facts.adaptive and facts.burden >= 0.1:
        yield Suggestion(WeightDecay(0.01), "with an adaptive optimizer an L2 penalty is not weight decay: try both")
    if facts.labels > 2:
        yield Suggestion(LabelSmoothing(0.1), f"{facts.labels} labels: smoothing keeps it from being too sure")
    if facts.hidden >= 3 and not facts.normalized:
        yield Suggestion(BatchNorm(), f"{facts.hidden} hidden layers and no normalization")
    if facts.image:
        shift = keras.layers.RandomTranslation(0.1, 0.1)
        yield Suggestion(Augment(shift), "shifted images are new cases for free, if a shift leaves the answer as it is")
    yield Suggestion(EarlyStopping(5), "costs nothing: stops where the held-out score no longer improves")
    yield Suggestion(Subsample(0.5), "if half of the data does almost as well, more data will not help much")


def _fits(remedy: Remedy, model: Model) -> bool:
    try:
        remedy.treat(Variant("", model))
    except RemedyError:
        return False
    return True
