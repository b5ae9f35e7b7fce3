"""The objectives of K runs: Keras' own losses on all samples, reduced run by run."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch
from keras import tree

from gengap.keras_models.compile_state import CompiledLoss, align_answers, compiled_losses
from gengap.keras_models.private import function_and_options, is_keras_own
from gengap.keras_models.separability import is_separate
from gengap.layers.probe import PerRun


class Objective:
    """The data loss of each run: all its losses, weighted, without penalties.

    Args:
        model: A compiled model of the runs, which share their losses.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._losses: list[_Reduced] | None = None

    def answers(self, y_true: Any, y_pred: Any) -> list[Any]:
        """Return answers flat, in the order of the outputs."""
        return align_answers(self._model, y_true, y_pred)

    def parts(self, y_true: Sequence[Any], y_pred: Any, sample_weight: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Return each loss of each run, unweighted among each other, by Keras' name: `(K,)` each.

        Args:
            y_true: Flat answers, `(K, B, ...)`.
            y_pred: Outputs `(K, B, ...)` in the model's structure.
            sample_weight: What each case counts, `(K, B)`, or None.
        """
        if self._losses is None:
            first = tree.map_structure(lambda value: value[0].detach(), y_pred)
            one = [None if value is None else value[0] for value in y_true]
            self._losses = [_Reduced(loss) for loss in compiled_losses(self._model, one, first)]
        outputs = tree.flatten(y_pred)
        return {
            loss.spec.name: loss(y_true[loss.spec.output], outputs[loss.spec.output], sample_weight)
            for loss in self._losses
        }

    def in_batches(
        self, y_true: Sequence[Any], y_pred: Any, sample_weight: torch.Tensor | None, batch_size: int
    ) -> dict[str, torch.Tensor]:
        """Return what `parts` returns as Keras' `evaluate` has it: the mean over batches, weighted by their cases.

        Losses that are means over samples come to the same all at once.
        """
        outputs = tree.flatten(y_pred)
        total = outputs[0].shape[1]
        size = total if self._adds_up(outputs, sample_weight) else batch_size
        parts = []
        for start in range(0, total, size):
            batch = slice(start, min(start + size, total))
            own = tree.map_structure(lambda value, batch=batch: value[:, batch], y_pred)
            answers = [None if value is None else value[:, batch] for value in y_true]
            weight = None if sample_weight is None else sample_weight[:, batch]
            share = (batch.stop - batch.start) / total
            parts.append({name: share * value for name, value in self.parts(answers, own, weight).items()})
        return {name: sum((one[name] for one in parts[1:]), parts[0][name]) for name in parts[0]}

    def _adds_up(self, outputs: Sequence[torch.Tensor], sample_weight: torch.Tensor | None) -> bool:
        losses = self._losses or ()
        return bool(losses) and all(one.adds_up(outputs[one.spec.output], sample_weight) for one in losses)

    def total(self, parts: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the weighted sum of what `parts` returned, `(K,)`."""
        weights = {loss.spec.name: loss.spec.weight for loss in self._losses or ()}
        first, *rest = [value if weights[name] == 1.0 else value * weights[name] for name, value in parts.items()]
        return sum(rest, first)


class _Reduced:
    """One loss, reduced per run as Keras reduces it."""

    def __init__(self, spec: CompiledLoss) -> None:
        self.spec = spec
        self._loss = spec.loss
        fast = fast_values(spec.loss)
        self._guarded = fast is None
        self._values = PerRun(fast or spec.loss.call, separate=fast is not None or _is_separate(spec.loss))
        self._whole = PerRun(spec.loss, separate=False)

    def __call__(self, y_true: torch.Tensor, y_pred: torch.Tensor, sample_weight: torch.Tensor | None) -> torch.Tensor:
        y_true, y_pred = y_true.float(), y_pred.float()
        if not self._guarded:
            return self._all_runs(y_true, y_pred, sample_weight)
        # torch's losses raise for NaN: a run that has diverged would stop all others
        ones = [1] * (y_pred.ndim - 1)
        sane = y_pred.detach().isfinite().flatten(1).all(dim=1)
        safe = torch.where(sane.view(-1, *ones), y_pred, torch.full_like(y_pred, 0.5))
        losses = self._all_runs(y_true, safe, sample_weight)
        return torch.where(sane, losses, torch.full_like(losses, torch.nan))

    def adds_up(self, y_pred: torch.Tensor, sample_weight: torch.Tensor | None) -> bool:
        """Tell whether the loss of many samples is the mean of the losses of their batches."""
        reduction = self._loss.reduction
        mean = reduction in {"sum_over_batch_size", "mean"}
        mean |= reduction == "mean_with_sample_weight" and sample_weight is None
        return bool(self._values.separate and y_pred.ndim > 2 and mean)

    def _all_runs(self, y_true: torch.Tensor, y_pred: torch.Tensor, sample_weight: torch.Tensor | None) -> torch.Tensor:
        if self._values.separate and y_pred.ndim > 2:  # of one axis, Keras' losses take means over the samples
            values = self._values(y_true, y_pred)
            if sample_weight is None or values.ndim == 2:
                return self._reduce(values, sample_weight)
        return self._whole(*(one for one in (y_true, y_pred, sample_weight) if one is not None))

    def _reduce(self, values: torch.Tensor, sample_weight: torch.Tensor | None) -> torch.Tensor:
        weighted = values if sample_weight is None else values * sample_weight
        total = weighted.flatten(1).sum(dim=1)
        reduction = self._loss.reduction
        if reduction == "sum":
            return total
        if reduction == "mean_with_sample_weight" and sample_weight is not None:
            divisor = sample_weight.sum(dim=1)
            return torch.where(divisor == 0, torch.zeros_like(total), total / divisor)
        return total / values[0].numel()


def _is_separate(loss: Any) -> bool:
    """Tell whether a loss gives every sample's own value by a function of Keras."""
    return is_keras_own(loss) and is_separate(*function_and_options(loss))


def fast_values(loss: Any) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None:
    """Return the loss per sample in plain torch, for the losses that most studies use; None for all others.

    The same formulas as Keras', without its conversions: a small network spends as long in them as in its layers.
    """
    function, options = function_and_options(loss)
    if function is keras.losses.binary_crossentropy and not options.pop("from_logits", False):
        smoothing = float(options.pop("label_smoothing", 0.0))
        return _BinaryCrossentropy(smoothing) if options in ({}, {"axis": -1}) else None
    if function is keras.losses.mean_squared_error and not options:
        return lambda y_true, y_pred: (y_pred - y_true).square().mean(dim=-1)
    return None


class _BinaryCrossentropy:
    def __init__(self, label_smoothing: float) -> None:
        self._smoothing = label_smoothing

    def __call__(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        if self._smoothing:
            y_true = y_true * (1.0 - self._smoothing) + 0.5 * self._smoothing
        epsilon = keras.config.epsilon()
        clipped = y_pred.clamp(epsilon, 1.0 - epsilon)
        return -(y_true * clipped.log() + (1.0 - y_true) * (1.0 - clipped).log()).mean(dim=-1)
