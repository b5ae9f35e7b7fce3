"""What goes into an engine and what comes out: runs, settings, records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.folds import Fold
from gengap.datasets.split import Task
from gengap.engine.rates import RateRule
from gengap.remedies.stopping import StoppingRule

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Run:
    """One variant with one seed.

    Attributes:
        variant: Name of the variant.
        seed: Fixes initial weights, batch order and noise, paired across variants.
        model: The variant's compiled Keras model. Engines train clones of it, never the model itself.
        share: Share of the training cases that the run learns from, in (0, 1].
        stopping: Its stopping rule, or None to train all epochs.
        kept: Names of layers that start from what the model holds, whatever the others start from.
        fold: Its own cases of each split, in a resampled study; None where every run has all of them.
        own: Whether nobody else holds the model, so that an engine may train it and needs no clone.
    """

    variant: str
    seed: int
    model: Any
    share: float = 1.0
    stopping: StoppingRule | None = None
    fold: Fold | None = None
    kept: tuple[str, ...] = ()
    own: bool = False


@dataclass(frozen=True)
class TrainingSettings:
    """What all runs of a study have in common.

    Attributes:
        epochs: How many times a run sees its training cases.
        batch_size: Cases a step; the last batch of an epoch may be smaller, as in Keras.
        task: What the model predicts.
        score: Name of the common proper score (`"log_loss"`, `"brier_score"`, `"squared_error"`); smaller is better.
        shuffle: Whether each epoch sees the cases in a new order.
        class_weight: Weight of each label in the objective, or None.
        output: Name of the output that is scored, for models with several; None for the only one.
        from_logits: Whether scored outputs still need a sigmoid or softmax, under losses of the user's own whose last
            activation does not say; None where it says.
        wants_codes: Whether losses of the user's own take labels as integers, as the user gave them.
        initial_weights: `"fresh"` draws each run's weights from its seed, `"keep"` starts from the model's own.
        keep_every_epoch: Whether held-out predictions of every epoch are kept, which takes memory.
        precision: Number format of the fused engine's activations.
        training_score: Whether the training cases are predicted once more after every epoch, in inference mode, for
            `train_score`. The gap needs it; Keras' own `fit` does not give it.
        compile: Whether the fused engine compiles its steps.
        frozen: Whether the fused engine computes once per case what no run trains, or at every step, as Keras does.
        frozen_memory: Bytes of that which are kept in memory, before files are mapped; None takes a quarter of what is
            free.
        rates: What changes the learning rate of each run between epochs; nothing leaves it to the optimizer.
    """

    epochs: int
    batch_size: int
    task: Task
    score: str
    shuffle: bool = True
    class_weight: Mapping[int, float] | None = None
    output: str | None = None
    from_logits: bool | None = None
    wants_codes: bool = False
    initial_weights: Literal["fresh", "keep"] = "fresh"
    keep_every_epoch: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"
    training_score: bool = True
    compile: bool = False
    frozen: Literal["once", "every_step"] = "once"
    frozen_memory: int | None = None
    rates: tuple[RateRule, ...] = ()


@dataclass(frozen=True, eq=False)
class Predictions:
    """A run's predictions for one held-out split: probabilities or real numbers, never logits.

    Attributes:
        last: After the last epoch, float32, shape `(n,)` or `(n, labels)`.
        best: After the epoch of best held-out score, same shape.
        epochs: After each epoch, float32, shape `(epochs, n)` or `(epochs, n, labels)`; None where not kept.
    """

    last: Array
    best: Array
    epochs: Array | None = None


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What one finished run leaves.

    Attributes:
        variant: Name of the variant.
        seed: Seed of the run.
        history: Per epoch, shape `(epochs,)`, float64: `loss` (objective without penalties, running mean with noise
            on), `penalty` (all that is added to the objective: penalties on weights at the end of the epoch, penalties
            on activities and `add_loss` as running means like `loss`), `train_score` and `val_score` (the common score,
            in inference mode, at the end of the epoch), `val_loss` (objective without penalties on the validation
            split), and the
            model's metrics under Keras' names (`accuracy`, `val_accuracy`). Without validation data no `val_*`. With
            callbacks that change the rate, `learning_rate`.
        predictions: By split name, `"validation"` and `"test"` where those exist.
        weights_last: All weights of the model after the last epoch, in the order of `model.weights`.
        weights_best: The same after the best epoch.
        best_epoch: Epoch (from 1) of the best held-out score; of the last epoch where there is no validation split.
        parameters: Number of trainable parameters.
        seconds: Wall time of the run; a run trained with others carries its share.
        status: `"completed"`, or a sentence: `"diverged at epoch 7"`, `"stopped at epoch 12"`.
        frozen: Places of the weights of frozen layers, which many runs have in common.
    """

    variant: str
    seed: int
    history: Mapping[str, NDArray[np.float64]]
    predictions: Mapping[str, Predictions]
    weights_last: Sequence[Array]
    weights_best: Sequence[Array]
    best_epoch: int
    parameters: int
    seconds: float
    status: str = "completed"
    frozen: Sequence[int] = ()


class Listener(Protocol):
    """What an engine tells while it trains; the engine knows nothing about who listens."""

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        """Take note of a finished epoch (from 1)."""

    def on_record(self, record: RunRecord) -> None:
        """Take a finished run."""


@dataclass
class Collector:
    """The listener that keeps records in memory."""

    records: list[RunRecord] = field(default_factory=list)

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        """Ignore epochs."""

    def on_record(self, record: RunRecord) -> None:
        """Keep the record."""
        self.records.append(record)
