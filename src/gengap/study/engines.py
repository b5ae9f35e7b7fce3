"""The engines by name, and which one a study takes."""

from collections.abc import Sequence
from typing import Literal

import keras

from gengap.engine.reference import train_reference
from gengap.engine.runs import Listener, Run, TrainingData, TrainingSettings
from gengap.errors import ModelError, UnknownNameError

Engine = Literal["auto", "fused", "keras"]


def choose_engine(engine: str) -> Literal["fused", "keras"]:
    """Return the engine that a study takes.

    Raises:
        UnknownNameError: There is no such engine.
        ModelError: The fused engine is asked for on a backend other than torch.
    """
    on_torch = keras.config.backend() == "torch"
    if engine == "auto":
        return "fused" if on_torch else "keras"
    if engine == "fused" and not on_torch:
        raise ModelError(
            f"The fused engine runs Keras on torch, but the backend is {keras.config.backend()!r}: set "
            "KERAS_BACKEND=torch before Keras is imported, or use engine='keras'."
        )
    if engine in ("fused", "keras"):
        return engine  # type: ignore[return-value]
    raise UnknownNameError(f"There is no engine {engine!r}; choose from 'auto', 'fused', 'keras'.")


def train(
    engine: Literal["fused", "keras"],
    runs: Sequence[Run],
    data: TrainingData,
    settings: TrainingSettings,
    listener: Listener,
) -> None:
    """Train all runs with the named engine."""
    if engine == "keras":
        train_reference(runs, data, settings, listener)
        return
    from gengap.engine.fused import train_fused  # torch is imported only where it is used

    train_fused(runs, data, settings, listener)
