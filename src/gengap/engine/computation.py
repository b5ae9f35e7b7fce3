"""How something is computed: what changes the seconds it takes, and its numbers by rounding only."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from gengap.engine.planner import Device, Plan

Precision = Literal["float32", "bfloat16"]
OF_TRAINING = ("precision", "compile", "device", "frozen", "frozen_memory")
"""What a training reads of a `Computation`."""


@dataclass(frozen=True)
class Computation:
    """How something is computed, as one value for all that compute.

    A study and `fit_many` read precision, compilation, device and what is said of frozen parts, `fit_many` the plan
    too; `predict_distribution` and `choose_rate` read precision and memory limit. What is set and not read is refused,
    never ignored.

    Attributes:
        precision: Number format of the activations; a model's own dtype policy wins.
        compile: Whether the fused engine compiles its steps: some seconds for every architecture and size of batch,
            paid back by thousands of short steps. The plan says so, and why not where torch finds no compiler.
        device: Where to train; `"auto"` takes a GPU where torch sees one.
        plan: What trains together; None measures.
        memory_limit: Bytes that activations may take; it decides how much is computed at once. None takes 512 MiB.
        frozen: Whether training computes `"once"` per case what no run trains (a frozen backbone), or at
            `"every_step"`, as Keras does; numbers agree to rounding.
        frozen_memory: Bytes that these values may take in memory, before they are kept in memory-mapped files; None
            takes a quarter of what is free.

    Raises:
        ValueError: A setting is not among its choices or out of its range.
        TypeError: `compile` is neither True nor False, or `plan` is no plan.

    Example:
        >>> import gengap as gg
        >>> gg.Computation(precision="bfloat16").compile
        False
    """

    precision: Precision = "float32"
    compile: bool = False
    device: "Device" = "auto"
    plan: "Plan | None" = None
    memory_limit: int | None = None
    frozen: Literal["once", "every_step"] = "once"
    frozen_memory: int | None = None

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise ValueError(f"`precision` must be one of {get_args(Precision)}; received {self.precision!r}.")
        if not isinstance(self.compile, bool):
            raise TypeError(f"`compile` must be True or False; received {self.compile!r}.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"`device` must be one of ('auto', 'cpu', 'cuda'); received {self.device!r}.")
        if self.frozen not in ("once", "every_step"):
            raise ValueError(f"`frozen` must be one of ('once', 'every_step'); received {self.frozen!r}.")
        if self.plan is not None and not hasattr(self.plan, "chunks"):
            raise TypeError(f"`plan` must be a plan, as `Study.plan` gives it; received {self.plan!r}.")
        for name in ("memory_limit", "frozen_memory"):
            limit = getattr(self, name)
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
                raise ValueError(f"`{name}` must be a whole number of bytes above 0; received {limit!r}.")

    def of_training(self) -> dict[str, Any]:
        """Return what training reads of it, as fields of `TrainingSettings`."""
        return {name: getattr(self, name) for name in ("precision", "compile", "frozen", "frozen_memory")}


def check_computation(computation: Computation, *read: str, by: str) -> None:
    """Refuse settings that would have no effect.

    Args:
        computation: How something is to be computed.
        read: Names of the settings that are read.
        by: Name of the function that reads them.

    Raises:
        TypeError: It is no `Computation`.
        ValueError: A setting is given that is not read.
    """
    if not isinstance(computation, Computation):
        raise TypeError(
            f"`computation` must be a gengap.Computation, such as gg.Computation(compile=True); received "
            f"{computation!r}."
        )
    for one in fields(computation):
        if one.name not in read and getattr(computation, one.name) != one.default:
            raise ValueError(f"`{by}` has no use for `{one.name}`: leave it out; it reads {', '.join(read)}.")
