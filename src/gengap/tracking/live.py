"""Trackers that are told of every epoch while a study trains; afterwards, `to_mlflow` and `to_wandb` tell more."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from gengap.engine.callbacks import LiveRecord, called
from gengap.naming import name_apart
from gengap.tracking.mlflow_runs import OF_A_NAME, begin_run, begin_study, require_mlflow
from gengap.tracking.wandb_runs import begin_run as begin_wandb_run
from gengap.tracking.wandb_runs import check_choices, require_wandb

Who = Mapping[str, str | int]


@final
class LiveMLflow(LiveRecord):
    """Runs in MLflow while they train: `gg.Study(..., callbacks=[gg.tracking.LiveMLflow(...)])`.

    A parent run for the study, and a child for each variant and seed (with `cv=`, and fold), whose curves grow epoch by
    epoch (from 1). Each epoch of each run is a call of MLflow's, which training waits for. If one fails, it is warned
    of, and the training goes on without.

    Args:
        experiment: Name of the experiment; made where it does not exist.
        name: Name of the parent run.
        tracking_uri: Where MLflow keeps its runs; None takes what MLflow is set to.

    Raises:
        MissingExtraError: MLflow is not installed.
    """

    def __init__(self, *, experiment: str = "gengap", name: str = "study", tracking_uri: str | None = None) -> None:
        require_mlflow()
        self._where = experiment, name, tracking_uri

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Open the parent run, and close it and all children in the end."""
        from mlflow.entities import Metric

        client, experiment, parent = begin_study(*self._where)
        children: dict[str, str] = {}
        known: dict[str, str] = {}

        def write(who: Who, epoch: int, logs: Mapping[str, float]) -> None:
            if (name := _name(who)) not in children:
                tags = {"name": name, "variant": called(who), "seed": str(who["seed"])}
                children[name] = begin_run(client, experiment, parent, **tags)
            now = int(1000 * time.time())
            values = [Metric(name_apart(one, known, kept=OF_A_NAME), v, now, epoch) for one, v in logs.items()]
            client.log_batch(children[name], metrics=values)

        status = "FAILED"
        try:
            yield _Writing(write)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            for one in (*children.values(), parent):
                client.set_terminated(one, status)


@final
class LiveWandb(LiveRecord):
    """Runs in Weights & Biases while they train: `gg.Study(..., callbacks=[gg.tracking.LiveWandb(...)])`.

    A run for each variant and seed (with `cv=`, and fold), grouped as by `to_wandb`; all of them are open at once, and
    the step is the epoch, from 1. If a call fails, it is warned of, and the training goes on without.

    Args:
        project: Name of the project.
        group_by: What runs of a group have in common.
        mode: `"offline"` writes files, which `wandb sync` sends later; nothing leaves this machine.
        folder: Where files go; None takes `./wandb`.

    Raises:
        MissingExtraError: wandb is not installed.
        UnknownNameError: `group_by` or `mode` is none of these.
    """

    def __init__(
        self,
        *,
        project: str = "gengap",
        group_by: Literal["seed", "variant"] = "seed",
        mode: Literal["offline", "online"] = "offline",
        folder: str | Path | None = None,
    ) -> None:
        require_wandb()
        check_choices(group_by, mode)
        self._by = group_by
        self._how: dict[str, Any] = {"project": project, "mode": mode, "folder": folder}

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Close all runs in the end."""
        with ExitStack() as closing:
            records: dict[str, Any] = {}

            def write(who: Who, epoch: int, logs: Mapping[str, float]) -> None:
                if (name := _name(who)) not in records:
                    names = {"seed": f"seed {who['seed']}", "variant": called(who)}
                    group = names.pop(self._by)
                    (job,) = names.values()
                    records[name] = closing.enter_context(begin_wandb_run(name, group, job, who, **self._how))
                records[name].log(dict(logs), step=epoch)

            yield _Writing(write)


@dataclass(frozen=True, eq=False)
class _Writing:
    write: Callable[[Who, int, Mapping[str, float]], None]

    def on_epoch(self, who: Who, epoch: int, logs: Mapping[str, float]) -> None:
        self.write(who, epoch, logs)


def _name(who: Who) -> str:
    """Return a run's name, as records of results have it."""
    return ", ".join([called(who), *(f"{part} {who[part]}" for part in ("seed", "fold") if part in who)])
