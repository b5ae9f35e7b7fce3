"""Whether a model's loss, its last activation and what its user declares agree; one sentence where they do not."""

from gengap.datasets.split import Task
from gengap.errors import ModelError
from gengap.keras_models.loss_kinds import LossKind

PROBABILITIES: dict[str, Task] = {
    "sigmoid": "binary",
    "hard_sigmoid": "binary",
    "sparse_sigmoid": "binary",
    "softmax": "multiclass",
    "sparsemax": "multiclass",
}
"""Keras' activations that give probabilities, and of what."""
_NO_LOGITS = {
    *(
        "relu",
        "relu6",
        "softplus",
        "exponential",
        "tanh",
        "hard_tanh",
        "softsign",
        "log_sigmoid",
        "elu",
        "celu",
        "selu",
    ),
    *("gelu", "silu", "swish", "hard_silu", "hard_swish", "mish", "squareplus", "sparse_plus", "threshold"),
}
"""Keras' activations that cannot give every real number."""
_NO_PROBABILITIES = {*_NO_LOGITS, "linear", "log_softmax", "leaky_relu", "tanh_shrink", "soft_shrink", "hard_shrink"}


def check_agreement(loss: LossKind, activation: str | None, width: int) -> None:
    """Check that a cross-entropy gets what it expects from the last activation.

    Args:
        loss: What the loss is of.
        activation: Name of the last activation; None where it cannot be read.
        width: Size of the last axis of the output.

    Raises:
        ModelError: It expects probabilities and gets none, or logits and gets probabilities or a part of the numbers.
    """
    if not loss.is_cross_entropy or activation is None:
        return
    right = "sigmoid" if loss.family == "binary" else "softmax"
    if not loss.from_logits and activation in _NO_PROBABILITIES:
        ends = "without an activation" if activation == "linear" else f"in {activation!r}"
        raise ModelError(
            f"The model ends {ends}, but its loss {loss.name!r} expects probabilities: give the last layer a {right}, "
            "or no activation and the loss from_logits=True."
        )
    if loss.from_logits and (activation in PROBABILITIES or activation in _NO_LOGITS):
        what = "is already a probability" if activation in PROBABILITIES else "cannot be every real number"
        raise ModelError(
            f"The model ends in {activation!r}, so that its output {what}, but its loss {loss.name!r} has "
            "from_logits=True: leave out the activation, or end in a "
            f"{right} under the loss with from_logits=False."
        )
    if activation in {"softmax", "sparsemax"} and width == 1:
        raise ModelError(
            f"The model ends in a {activation} of one unit, which is 1 whatever it sees: give the last layer a "
            "sigmoid, or one unit for each label."
        )
    if loss.family != "binary" and PROBABILITIES.get(activation) == "binary":
        raise ModelError(
            f"The model ends in {activation!r}, whose {width} outputs need not sum to 1, but its loss {loss.name!r} is "
            "of one label among several: give the last layer a softmax, or one unit and the loss binary_crossentropy."
        )


def declared_link(loss: LossKind, activation: str | None, task: Task | None, from_logits: bool | None) -> bool:
    """Return whether an output under a loss of the user's own still needs a sigmoid or softmax.

    Raises:
        ModelError: The last activation does not say, and neither does the user.
    """
    if activation in PROBABILITIES:
        return False
    if task is None:
        raise ModelError(
            f"The loss {loss.name!r} is your own, and the last layer does not say what the model predicts: declare it, "
            'as task="regression"; or, for logits, as task="binary" or task="multiclass" with from_logits=True.'
        )
    if task == "regression":
        return bool(from_logits)
    if from_logits is None or (not from_logits and activation in _NO_PROBABILITIES):
        ends = "does not say" if activation is None else "gives no probabilities"
        raise ModelError(
            f"task={task!r} under the loss {loss.name!r}, which is your own, needs probabilities, and the last layer "
            f"{ends}: declare from_logits=True where the loss applies the "
            f"{'sigmoid' if task == 'binary' else 'softmax'} itself, or end the model in one"
            f"{' and declare from_logits=False' if activation is None else ''}."
        )
    return from_logits


def read_task(loss: LossKind, activation: str | None, width: int) -> Task:
    """Return what a model predicts, as its loss and last activation say.

    Raises:
        ModelError: It predicts several labels, each by itself.
    """
    if loss.family == "binary" and activation not in {"softmax", "sparsemax"}:
        task: Task = "binary"
    elif loss.is_cross_entropy:
        task = "multiclass"
    else:
        task = PROBABILITIES.get(activation or "", "regression")
    if task == "binary" and width != 1:
        raise ModelError(
            f"The model has {width} {activation or 'binary'} outputs under {loss.name!r}: gengap scores one "
            "probability or one softmax. Declare one output per label, or study the labels one at a time."
        )
    # a softmax of two is the probability of yes beside that of no
    return "binary" if task == "multiclass" and width == 2 else task


def check_task(task: Task, loss: LossKind, activation: str | None, width: int, *, from_logits: bool) -> Task:
    """Return the declared task.

    Raises:
        ModelError: The model cannot predict that.
    """
    of_labels = PROBABILITIES.get(activation or "")
    several = loss.family in {"one-hot", "codes"} or of_labels == "multiclass"
    if task == "regression" and loss.family == "codes":
        raise ModelError(
            f"task='regression' does not fit the loss {loss.name!r}, whose answers are integer labels: leave `task` "
            "out, or take categorical_crossentropy for shares of labels."
        )
    if task == "binary" and not (several and width == 2) and (several or width != 1):
        raise ModelError(
            f"task='binary' needs one probability for each case; the model ends in {width} units under "
            f"{loss.name!r}: give the last layer one unit and a sigmoid, or declare task='multiclass'."
        )
    if task == "multiclass" and (width == 1 or (loss.family == "binary" and not several)):
        raise ModelError(
            f"task='multiclass' needs one probability for each label, which sum to 1; the model ends in {width} units "
            f"under {loss.name!r}: give the last layer one unit for each label and a softmax."
        )
    if task != "regression" and loss.family == "numbers" and activation in _NO_PROBABILITIES and not from_logits:
        raise ModelError(
            f"task={task!r} needs probabilities, and the model ends in {activation!r} under the loss {loss.name!r}: "
            f"give the last layer a {'sigmoid' if task == 'binary' else 'softmax'}."
        )
    return task
