"""A result in Weights & Biases: a run for each variant and seed, grouped."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gengap.errors import need
from gengap.study.values import one_of
from gengap.tracking.records import TrackedRun, study_parameters, tracked_runs

if TYPE_CHECKING:
    from gengap.results import Result


def to_wandb(
    result: "Result",
    *,
    project: str = "gengap",
    group_by: Literal["seed", "variant"] = "seed",
    mode: Literal["offline", "online"] = "offline",
    folder: str | Path | None = None,
) -> tuple[str, ...]:
    """Record a result in Weights & Biases, and return the ids of the runs, in the order of `result`, seed by seed.

    Each variant with each seed is a run whose steps are epochs, from 1. Runs of a seed are a group (they are paired:
    equal weights, batches and noise), and the job type is the variant; or the other way round, for means over seeds.

    Args:
        result: The result.
        project: Name of the project.
        group_by: What runs of a group have in common.
        mode: `"offline"` writes files, which `wandb sync` sends later; nothing leaves this machine.
        folder: Where files go; None takes `./wandb`.

    Raises:
        MissingExtraError: wandb is not installed.
        UnknownNameError: `group_by` or `mode` is none of these.
    """
    require_wandb()
    check_choices(group_by, mode)
    common = study_parameters(result)
    return tuple(
        _record(run, {**common, **run.parameters}, project=project, by=group_by, mode=mode, folder=folder)
        for run in tracked_runs(result)
    )


def require_wandb() -> None:
    """Check that wandb is there.

    Raises:
        MissingExtraError: It is not.
    """
    need("wandb", "Results go to Weights & Biases with: pip install 'gengap[wandb]'.")


def check_choices(group_by: str, mode: str) -> None:
    """Check what runs are grouped by, and whether they are sent.

    Raises:
        UnknownNameError: One of the two is none of its words.
    """
    one_of(group_by, "grouping", ("seed", "variant"))
    one_of(mode, "mode", ("offline", "online"))


def begin_run(
    name: str, group: str, job: str, config: Mapping[str, Any], *, project: str, mode: str, folder: str | Path | None
) -> Any:
    """Begin a run of Weights & Biases beside those that are open."""
    import wandb

    return wandb.init(
        project=project,
        group=group,
        job_type=job,
        name=name,
        config=dict(config),
        mode=mode,
        dir=None if folder is None else str(folder),
        reinit="create_new",
        settings=wandb.Settings(console="off", silent=True),
    )


def _record(
    run: TrackedRun,
    config: dict[str, Any],
    *,
    project: str,
    by: str,
    mode: str,
    folder: str | Path | None,
) -> str:
    names = {"seed": f"seed {run.seed}", "variant": run.variant}
    other = next(name for name in names if name != by)
    with begin_run(run.name, names[by], names[other], config, project=project, mode=mode, folder=folder) as record:
        for epoch in sorted({epoch for curve in run.curves.values() for epoch in curve}):
            record.log({name: curve[epoch] for name, curve in run.curves.items() if epoch in curve}, step=epoch)
        record.summary.update({**run.metrics, "status": run.status})
        return str(record.id)
