"""The command `gengap export`; what it needs is imported when it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Target(StrEnum):
    """Where a result can go."""

    csv = "csv"
    parquet = "parquet"
    mlflow = "mlflow"
    tensorboard = "tensorboard"
    wandb = "wandb"


def export(
    folder: Annotated[Path, typer.Argument(help="Folder that holds a result.")],
    *,
    to: Annotated[Target, typer.Option("--to", help="Tables (csv, parquet), or the records of another tool.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to; FOLDER-TO by default. Not with mlflow.")
    ] = None,
    uri: Annotated[
        str | None, typer.Option(help="With mlflow: where it keeps its runs; by default what it is set to.")
    ] = None,
    experiment: Annotated[str, typer.Option(help="With mlflow or wandb: the experiment or project.")] = "gengap",
) -> None:
    """Write a result as tables, or into the records of MLflow, TensorBoard or Weights & Biases."""
    from gengap import tracking
    from gengap.study.loading import load

    result = load(folder)
    where = output or folder.with_name(f"{folder.resolve().name}-{to.value}")
    if to is Target.mlflow:
        if output is not None:
            raise typer.BadParameter("mlflow keeps its runs where --uri says: omit --output")
        run = tracking.to_mlflow(result, experiment=experiment, name=folder.resolve().name, tracking_uri=uri)
        typer.echo(f"MLflow: parent run {run} in experiment {experiment}")
        return
    if uri is not None:
        raise typer.BadParameter("--uri goes with --to mlflow")
    if to is Target.tensorboard:
        typer.echo(f"TensorBoard: tensorboard --logdir {tracking.to_tensorboard(result, where)}")
    elif to is Target.wandb:
        where.mkdir(parents=True, exist_ok=True)
        runs = tracking.to_wandb(result, project=experiment, folder=where)
        typer.echo(f"Weights & Biases: {len(runs)} runs in {where}; wandb sync sends them")
    else:
        for file in tracking.write_tables(result, where, form="csv" if to is Target.csv else "parquet"):
            typer.echo(file)
