"""The commands `gengap recommend` and `gengap gate`; what they need is imported when they run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from gengap.reporting.terminal import show_table

if TYPE_CHECKING:
    from gengap.analysis.comparison.estimators import ScoreName


def recommend(
    folder: Annotated[Path, typer.Argument(help="Folder that holds a result.")],
    *,
    tolerance: Annotated[float | None, typer.Option(help="Loss that does not matter, in the score's units.")] = None,
    patience: Annotated[int | None, typer.Option(help="Also consider early stopping of this patience.")] = None,
    ensembles: Annotated[bool, typer.Option("--ensembles", help="Also consider the mean of all runs.")] = False,
) -> None:
    """Say what to ship, and how much could be lost by it."""
    from gengap.analysis import recommend as recommend_from
    from gengap.study.loading import load

    show_table(recommend_from(load(folder), tolerance=tolerance, patience=patience, ensembles=ensembles))


def gate(
    folder: Annotated[Path, typer.Argument(help="Folder that holds the result of the variant.")],
    *,
    variant: Annotated[str, typer.Option(help="The variant that is to pass.")],
    against: Annotated[str, typer.Option(help="The variant that it is held against.")],
    no_worse_than: Annotated[float, typer.Option(help="By how much it may be worse, in the score's units.")],
    against_folder: Annotated[Path | None, typer.Option(help="Folder of another result that holds --against.")] = None,
    score: Annotated[str | None, typer.Option(help="The score; the declared one by default.")] = None,
    epoch: Annotated[Literal["best", "last"] | None, typer.Option(help="The declared one by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
    output: Annotated[Path | None, typer.Option(help="Also write it to this file.")] = None,
) -> None:
    """Ask whether a variant is no worse than another: exit code 0 holds, 1 fails, 3 cannot say, 2 wrong use."""
    from gengap.analysis import gate as gate_of
    from gengap.study.loading import load

    other = None if against_folder is None else load(against_folder)
    found = gate_of(
        load(folder),
        variant=variant,
        against=against,
        no_worse_than=no_worse_than,
        other=other,
        score=cast("ScoreName | None", score),  # the gate knows the names
        epoch=epoch,
    )
    said = found.to_json() if as_json else found.to_markdown()
    if output is not None:
        output.write_text(said, encoding="utf-8")
    typer.echo(said, nl=False)
    raise typer.Exit(found.exit_code)
