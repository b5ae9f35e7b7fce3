"""Softer labels: the loss asks for a little less than certainty."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from gengap.errors import RemedyError
from gengap.keras_models.anatomy import Anatomy
from gengap.remedies.base import Edit, Surgery
from gengap.remedies.checks import check_rate
from gengap.remedies.explanation import Change


@keras.saving.register_keras_serializable(package="gengap")
class SmoothedSparseCategoricalCrossentropy(keras.losses.SparseCategoricalCrossentropy):  # type: ignore[misc]
    """Cross-entropy of integer labels that are smoothed first, which Keras 3.15 offers for one-hot labels only.

    Args:
        label_smoothing: Share of each label that is spread evenly over all labels.
        **kwargs: As for `keras.losses.SparseCategoricalCrossentropy`.
    """

    def __init__(self, label_smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the cross-entropy of each case."""
        if len(y_true.shape) == len(y_pred.shape):
            y_true = keras.ops.squeeze(y_true, -1)
        codes = keras.ops.cast(y_true, "int32")
        one_hot = keras.ops.one_hot(codes, y_pred.shape[-1], dtype=y_pred.dtype)
        return keras.losses.categorical_crossentropy(
            one_hot, y_pred, from_logits=self._fn_kwargs["from_logits"], label_smoothing=self.label_smoothing
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


SMOOTHABLE = {
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SmoothedSparseCategoricalCrossentropy,
    "binary_focal_crossentropy": keras.losses.BinaryFocalCrossentropy,
    "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
}


@dataclass(frozen=True, eq=False)
class LabelSmoothing(Surgery):
    """Labels are mixed with the uniform distribution: `(1 - amount) * label + amount / number of labels`.

    It keeps logits from growing without bound and tends to cost accuracy of the probabilities near 0 and 1. The
    common score of a study is computed on the labels as they are. A smoothing that the loss has already is replaced.

    Attributes:
        amount: Share of each label that is spread over all labels, in [0, 1); 0 is the identity.

    References:
        Szegedy, C. et al. (2016). Rethinking the Inception architecture. arXiv:1512.00567
    """

    amount: float

    def __post_init__(self) -> None:
        check_rate(self, self.amount)

    def edit(self, anatomy: Anatomy) -> Edit:
        """Put the smoothing into every cross-entropy of the model's loss."""
        if self.amount == 0:
            return Edit(changes=(Change(str(self), "(loss)", reason="an amount of 0 changes nothing"),))
        losses = keras.tree.flatten(anatomy.model.loss)
        changes = [self._tell(loss) for loss in losses]
        if not any(change.change for change in changes):
            raise RemedyError(
                f"{self} needs a cross-entropy of labels in the loss; model {anatomy.model.name!r} has "
                f"{', '.join(change.layer for change in changes)}."
            )
        return Edit(compile=self._compile_arguments, changes=tuple(changes))

    def _compile_arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            **arguments,
            "loss": keras.tree.map_structure(lambda old: self._smoothed(old) or old, arguments["loss"]),
        }

    def _tell(self, loss: Any) -> Change:
        name = loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", repr(loss)))
        if self._smoothed(loss) is None:
            return Change(str(self), f"(loss {name})", reason="it has no labels to smooth")
        return Change(str(self), f"(loss {name})", f"labels smoothed by {self.amount:g}")

    def _smoothed(self, loss: Any) -> Any:
        """Return the loss with smoothed labels, or None where it has no labels."""
        amount = {"label_smoothing": float(self.amount)}
        if isinstance(loss, keras.losses.Loss):
            config = loss.get_config()
            if "label_smoothing" in config:
                return type(loss).from_config({**config, **amount})
            sparse = keras.losses.SparseCategoricalCrossentropy
            if isinstance(loss, sparse) and type(loss).call is sparse.call and config.get("ignore_class") is None:
                kept = {name: config[name] for name in ("name", "reduction", "dtype", "from_logits") if name in config}
                return SmoothedSparseCategoricalCrossentropy(**kept, **amount)
            return None
        function: Any = keras.losses.get(loss)
        options: dict[str, Any] = {}
        while isinstance(function, partial):
            function, options = function.func, {**function.keywords, **options}
        cls = SMOOTHABLE.get(getattr(function, "__name__", ""))
        if cls is None or function is not keras.losses.get(function.__name__):
            return None
        return cls(**options, **amount) if options.get("ignore_class") is None else None
