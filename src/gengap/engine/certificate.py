"""The parity certificate for models: `certify`, which takes what `Model.fit` takes."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gengap.datasets.split import Task
from gengap.datasets.training_data import TrainingData
from gengap.deprecated import warn_of_old
from gengap.engine.cohorts import cohorts
from gengap.engine.fit_inputs import as_runs, as_training
from gengap.engine.parity import Parity, certify_runs
from gengap.engine.runs import Array


def certify(  # noqa: PLR0913  takes what `Model.fit` takes
    models: Sequence[Any],
    x: Any,
    y: Any,
    *,
    seeds: Sequence[int] | None = None,
    batch_size: int = 32,
    sample_weight: Array | None = None,
    class_weight: Mapping[int, float] | None = None,
    shuffle: bool = True,
    initial_weights: Literal["fresh", "keep"] = "fresh",
    task: Task | None = None,
    output: str | None = None,
    from_logits: bool | None = None,
    steps: int = 20,
    tolerance: float = 1e-4,
) -> list[Parity]:
    """Train models together and each by Keras' layers, loss and optimizer, and tell how far their weights differ.

    Both sides see the same batches and the same noise; the models stay as they were. Rounding grows with every step,
    chaotically in the end: after hundreds nothing can be certified.

    Args:
        models: Compiled, built models; those of equal architecture are trained as one program.
        x: Inputs, as `Model.fit` takes them.
        y: Answers, shape `(n,)` or as the models' losses want them.
        seeds: One seed per model; None counts from 0.
        batch_size: Cases a step.
        sample_weight: What each case counts, shape `(n,)`.
        class_weight: What each label counts.
        shuffle: Whether the cases are seen in a new order.
        initial_weights: `"fresh"` draws each model's weights from its seed, `"keep"` starts from what it has.
        task: What the models predict; None reads it from loss and last activation.
        output: Name of the output that is scored, for models with several.
        from_logits: Whether outputs under a loss of your own still need a sigmoid or softmax; None reads it.
        steps: How many steps, at most 50 and at most one epoch.
        tolerance: Largest difference that counts as rounding.

    Returns:
        How far each model is from Keras, in the order of `models`; `variant` is its position.

    Raises:
        DataError: Lengths of `models` and `seeds`, or of `x` and `y`, differ.
        ModelError: A model is not compiled or not built.
        ValueError: There is no model, or fewer than one step.

    Example:
        >>> import gengap as gg, keras, numpy as np
        >>> models = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(3)]
        >>> for model in models:
        ...     model.compile("sgd", "mse")
        >>> x = np.linspace(-1, 1, 40).reshape(20, 2).astype("float32")
        >>> [one.holds for one in gg.certify(models, x, x.sum(axis=1), batch_size=5)]
        [True, True, True]
    """
    if isinstance(x, TrainingData):
        form = "`gengap.certify(runs, data, settings)` is now `gengap.certify(models, x, y, seeds=...)`"
        warn_of_old(form, stacklevel=3)
        return certify_runs(models, x, y, steps=steps, tolerance=tolerance)
    if not len(models) or steps < 1:
        raise ValueError(f"At least one model and one step are needed; received {len(models)} models, steps={steps}.")
    runs = as_runs(models, range(len(models)) if seeds is None else seeds)
    data, settings = as_training(
        models,
        x,
        y,
        sample_weight=sample_weight,
        task=task,
        output=output,
        from_logits=from_logits,
        epochs=1,
        batch_size=batch_size,
        shuffle=shuffle,
        class_weight=class_weight,
        initial_weights=initial_weights,
    )
    found: dict[int, Parity] = {}
    for positions in cohorts(runs):
        own = [runs[position] for position in positions]
        found |= zip(positions, certify_runs(own, data, settings, steps=steps, tolerance=tolerance), strict=True)
    return [found[position] for position in range(len(runs))]
