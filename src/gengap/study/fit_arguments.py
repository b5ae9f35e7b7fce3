"""What users of `Model.fit` bring that a study does not take, and what it takes instead; see docs/fit_arguments.md."""

from collections.abc import Mapping
from typing import Any

_EPOCHS = "a study needs every run to see the same data in every epoch"
_INSTEAD = {
    "callbacks": "give them to `gg.Study(..., callbacks=[...])`, which says of each what it does here",
    "verbose": "say `progress=True` or `progress=False`",
    "initial_epoch": "`storage=` goes on where a study stopped",
    "steps_per_epoch": _EPOCHS,
    "validation_steps": _EPOCHS,
    "validation_freq": _EPOCHS,
    "validation_batch_size": "held-out cases are predicted in batches that the engine chooses",
}
_OLD = ("workers", "use_multiprocessing", "max_queue_size")


def refuse_arguments(given: Mapping[str, Any]) -> None:
    """Refuse arguments that `Model.fit` takes and a study does not.

    Raises:
        TypeError: There is one; the sentence says what to do instead.
    """
    for name in given:
        if name in _INSTEAD:
            raise TypeError(f"`Study.run` takes no `{name}`, unlike `Model.fit`: {_INSTEAD[name]}.")
        if name in _OLD:
            raise TypeError(f"`Study.run` takes no `{name}`: the data are arrays, and nobody loads batches.")
        raise TypeError(
            f"`Study.run` has no argument `{name}`; it takes those of `Model.fit` but "
            f"{', '.join(f'`{known}`' for known in _INSTEAD)}."
        )
