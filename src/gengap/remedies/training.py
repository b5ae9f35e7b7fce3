"""Remedies that a Keras model cannot hold: less data, and stopping early. They belong to the variant."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import NoReturn, final

from gengap.errors import RemedyError
from gengap.remedies.base import Model, Remedy, Variant, trainable_parameters
from gengap.remedies.checks import check_share, check_strength
from gengap.remedies.explanation import Change, Explanation
from gengap.remedies.stopping import StoppingRule


class TrainingRemedy(Remedy):
    """A remedy that changes how a variant is trained, and leaves its model as it is."""

    @abstractmethod
    def adjust(self, variant: Variant) -> Variant:
        """Return the variant with another share or stopping rule."""

    @property
    @abstractmethod
    def effect(self) -> Change:
        """What is different, for the table of changes."""

    @final
    def __call__(self, model: Model) -> NoReturn:  # noqa: ARG002  what every remedy takes
        """Refuse: no Keras model can hold this.

        Raises:
            RemedyError: Always.
        """
        raise RemedyError(
            f"{self} changes how a variant is trained, which a Keras model cannot hold: give it to gg.Study(model, "
            f"remedies=[...]), or call its treat(variant)."
        )

    @final
    def treat(self, variant: Variant) -> Variant:
        """Return the variant with the same model, trained differently."""
        return replace(self.adjust(variant), name=str(self), remedy=str(self))

    @final
    def explain(self, model: Model) -> Explanation:
        """Return the one line that there is to say."""
        count = trainable_parameters(model)
        return Explanation((self.effect,), (count, count))

    @final
    def parts(self) -> tuple[Remedy, ...]:
        """Return this remedy."""
        return (self,)


@dataclass(frozen=True, eq=False)
class Subsample(TrainingRemedy):
    """Learn from a share of the training cases: not a cure but the question whether more data would help.

    Attributes:
        share: Share of the training cases, in (0, 1]; 1 is the identity. Shares multiply when composed.
    """

    share: float

    def __post_init__(self) -> None:
        check_share(self, self.share)

    def adjust(self, variant: Variant) -> Variant:
        """Multiply the variant's share."""
        return replace(variant, share=variant.share * self.share)

    @property
    def effect(self) -> Change:
        """The share of the training cases."""
        return Change(str(self), "(training data)", f"{self.share:.0%} of the training cases, drawn anew for each seed")


@dataclass(frozen=True, eq=False)
class EarlyStopping(TrainingRemedy):
    """Stop a run after `patience` epochs without a better held-out score.

    Attributes:
        patience: Epochs to wait, at least 1.
        min_delta: By how much the score must fall to count as better, in the score's units.

    References:
        Prechelt, L. (1998). Early stopping, but when? In Neural Networks: Tricks of the Trade. Springer.
        doi 10.1007/3-540-49430-8_3
    """

    patience: int
    min_delta: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_strength(self, self.min_delta)
        if isinstance(self.patience, bool) or not isinstance(self.patience, int) or self.patience < 1:
            raise ValueError(f"`patience` must be a whole number of at least 1, received {self.patience!r}.")

    def adjust(self, variant: Variant) -> Variant:
        """Set the variant's stopping rule; the last one written counts."""
        return replace(variant, stopping=StoppingRule(self.patience, float(self.min_delta)))

    @property
    def effect(self) -> Change:
        """The stopping rule."""
        return Change(str(self), "(epochs)", f"stops after {self.patience} epochs without a better held-out score")
