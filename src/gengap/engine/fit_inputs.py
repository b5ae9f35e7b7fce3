"""What `Model.fit` takes, for many models at once, as runs, data and settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from gengap.datasets.class_weights import read_class_weight
from gengap.datasets.intake import as_splits, check_data
from gengap.datasets.split import Task
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Array, Run, TrainingSettings
from gengap.engine.scoring import choose_score
from gengap.errors import DataError, ModelError
from gengap.keras_models.outputs import describe_output
from gengap.keras_models.requirements import ModelRequirements
from gengap.remedies.stopping import StoppingRule


def as_runs(models: Sequence[Any], seeds: Sequence[int], *, stopping: StoppingRule | None = None) -> list[Run]:
    """Return one run per model, named by its position.

    Raises:
        DataError: Numbers of models and seeds differ.
        ModelError: A model is not built.
    """
    if len(models) != len(seeds):
        raise DataError(f"`seeds` must hold one seed per model: {len(models)} models, {len(seeds)} seeds.")
    for model in models:
        if not model.built:
            raise ModelError(f"The model {model.name!r} is not built: give it an Input, or call it once on a batch.")
    numbered = enumerate(zip(models, seeds, strict=True))
    return [Run(str(position), int(seed), model, stopping=stopping) for position, (model, seed) in numbered]


def as_training(
    models: Sequence[Any],
    x: Any,
    y: Any,
    *,
    validation_data: Any = None,
    sample_weight: Array | None = None,
    task: Task | None = None,
    score: str | None = None,
    output: str | None = None,
    from_logits: bool | None = None,
    class_weight: Mapping[int, float] | None = None,
    **settings: Any,
) -> tuple[TrainingData, TrainingSettings]:
    """Return data and settings that models have in common, the first of them saying what is predicted.

    Args:
        models: Compiled, built models.
        x: Inputs, or what yields batches of inputs and answers.
        y: Answers; None with what yields batches.
        validation_data: `(x, y)`, `(x, y, sample_weight)`, or what yields batches.
        sample_weight: What each case counts.
        task: What the models predict; None reads it.
        score: The held-out score; None takes the task's own.
        output: Name of the output that is scored.
        from_logits: Whether outputs still need a sigmoid or softmax; None reads it.
        class_weight: What each label counts.
        **settings: Other fields of `TrainingSettings`.

    Raises:
        DataError: The data cannot be used as given; the first thing found, in one sentence.
    """
    required = ModelRequirements(models, describe_output(models[0], output, task=task, from_logits=from_logits))
    given = as_splits(
        x,
        y,
        validation_data=validation_data,
        validation_split=0.0,
        test_data=None,
        sample_weight=sample_weight,
        names=required.input_names,
    )
    data = check_data(given, required, apart=False)
    kind = required.kind
    return data, TrainingSettings(
        task=kind.task,
        score=choose_score(kind.task, score),
        output=kind.name,
        from_logits=from_logits,
        wants_codes=required.wants_codes(given.train.y),
        keep_every_epoch=False,
        class_weight=read_class_weight(class_weight, kind),
        **settings,
    )
