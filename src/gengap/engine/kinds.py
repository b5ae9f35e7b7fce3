"""How the scored output of a model is read in a training."""

import keras

from gengap.datasets.output_kind import OutputKind
from gengap.engine.runs import TrainingSettings
from gengap.keras_models.outputs import describe_output


def kind_of(model: keras.Model, settings: TrainingSettings) -> OutputKind:
    """Return how a model's scored output is read in a training."""
    return describe_output(
        model,
        settings.output,
        task=settings.task,
        from_logits=settings.from_logits,
        wants_codes=settings.wants_codes,
    )
