"""What `Model.fit` takes, for many models at once, as runs, data and settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from gengap.datasets.cases import count_cases
from gengap.datasets.intake import read_cases
from gengap.datasets.loaders import read_batches, yields_batches
from gengap.datasets.split import Split, Task
from gengap.datasets.training_data import TrainingData
from gengap.engine.runs import Array, Run, TrainingSettings
from gengap.engine.scoring import choose_score
from gengap.errors import DataError, ModelError
from gengap.keras_models.outputs import describe_output, plain_answers, wants_codes
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
        **settings: Other fields of `TrainingSettings`.

    Raises:
        DataError: Lengths of `x` and `y` differ.
    """
    x, y, sample_weight = read_cases(x, y, sample_weight, "The training data")
    if y is None:
        raise DataError("`y` is missing: pass `fit_many(models, x, y, ...)`, or what yields batches in place of both.")
    if not isinstance(y, Mapping | list | tuple) and count_cases(x) != len(y):
        raise DataError(f"`x` holds {count_cases(x)} cases, `y` {len(y)}.")
    kind = describe_output(models[0], output, task=task, from_logits=from_logits)
    train, validation = Split(x, plain_answers(y, models[0], kind), sample_weight), None
    if validation_data is not None:
        held = yields_batches(validation_data)
        xv, yv, *weight = read_batches(validation_data, "`validation_data`") if held else validation_data
        validation = Split(xv, plain_answers(yv, models[0], kind), *weight)
    return TrainingData(train, validation), TrainingSettings(
        task=kind.task,
        score=choose_score(kind.task, score),
        output=kind.name,
        from_logits=from_logits,
        wants_codes=wants_codes(y, models, kind),
        keep_every_epoch=False,
        **settings,
    )
