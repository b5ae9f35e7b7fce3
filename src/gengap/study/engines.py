"""Engines and runners by name, and which ones a study takes."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import keras

from gengap.datasets.training_data import TrainingData
from gengap.engine.reference import train_reference
from gengap.engine.runs import Listener, Run, TrainingSettings
from gengap.errors import ModelError, UnknownNameError
from gengap.keras_models.devices import computing_as_told
from gengap.naming import did_you_mean
from gengap.runners.base import Engine as EngineFunction
from gengap.runners.base import Planner, Runner
from gengap.runners.local import LocalRunner

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
    near = did_you_mean(engine, ("auto", "fused", "keras"))
    raise UnknownNameError(f"There is no engine {engine!r}{near}; choose from 'auto', 'fused', 'keras'.")


def engine_functions(
    name: Literal["fused", "keras"], device: Literal["auto", "cpu", "cuda"] = "auto"
) -> tuple[EngineFunction, Planner | None]:
    """Return what trains, and what plans for it; Keras' own loop trains run by run and needs no plan."""
    if name == "keras":
        return train_plain, None
    from gengap.engine.fused import plan_fused, train_fused  # torch is imported only where it is used

    return train_fused, partial(plan_fused, device=device)


def train_plain(
    runs: Sequence[Run],
    data: TrainingData,
    settings: TrainingSettings,
    listener: Listener,
    *,
    plan: object = None,  # noqa: ARG001  the form that runners call
    states: object = None,  # noqa: ARG001
) -> None:
    """Train every run in Keras' own loop, in the form that runners call."""
    with computing_as_told():
        train_reference(runs, data, settings, listener)


def choose_runner(runner: Runner | str) -> Runner:
    """Return the runner that a study takes.

    Raises:
        UnknownNameError: There is no such runner.
        MissingExtraError: Its library is not installed.
    """
    if isinstance(runner, Runner):
        return runner
    if runner == "local":
        return LocalRunner()
    if runner == "ray":
        from gengap.runners.ray import RayRunner

        return RayRunner()
    near = did_you_mean(runner, ("local", "ray"))
    raise UnknownNameError(
        f"There is no runner {runner!r}{near}; choose from 'local', 'ray', or give a gengap.RayRunner."
    )
