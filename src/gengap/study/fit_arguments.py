"""What users of `Model.fit` bring that a study does not take, and what it takes instead; see docs/fit_arguments.md."""

from collections.abc import Iterable, Mapping
from typing import Any

from gengap.naming import did_you_mean

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


def refuse_arguments(given: Mapping[str, Any], *, by: str = "Study.run", known: Iterable[str] = ()) -> None:
    """Refuse arguments that `Model.fit` takes and a study does not.

    Args:
        given: The arguments.
        by: What refuses them.
        known: The arguments that it has, of which the most alike is named.

    Raises:
        TypeError: There is one; the sentence says what to do instead.
    """
    for name in given:
        if name in _INSTEAD:
            raise TypeError(f"`{by}` takes no `{name}`, unlike `Model.fit`: {_INSTEAD[name]}.")
        if name in _OLD:
            raise TypeError(f"`{by}` takes no `{name}`: the data are arrays, and nobody loads batches.")
        raise TypeError(
            f"`{by}` has no argument `{name}`{did_you_mean(name, known)}; it takes those of `Model.fit` but "
            f"{', '.join(f'`{one}`' for one in _INSTEAD)}."
        )
