"""The command `gengap improve`; what it needs is imported when it runs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gengap.experiments.run_options import CaseFiles, GivenModel
from gengap.reporting.option_groups import in_groups
from gengap.shipping.commands import use

if TYPE_CHECKING:
    from gengap.experiments.launch import Launch

INTERRUPTED = 130


@in_groups
def improve(
    *,
    given: GivenModel,
    files: CaseFiles,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long it may take.")] = 5.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Cases a step.")] = 32,
    output: Annotated[Path, typer.Option(help="Folder for report and model.")] = Path("gengap-improve"),
    lang: Annotated[str, typer.Option(help="Language of the report: en or zh.")] = "en",
) -> None:
    """Improve a model within a time: one sentence, one report, one .keras.

    Cases to judge on are those of --test; without, some are held out, or all are judged in folds where they are few.
    """
    if files.data is None:
        raise typer.BadParameter("give --data train.csv")
    started = time.perf_counter()  # what is imported now takes seconds of the user's time
    from gengap.improving.dividing import FEW, of_dataset
    from gengap.improving.one_call import MODEL, REPORT, Place, check_place, improved
    from gengap.improving.planning import Clock
    from gengap.reporting.terminal import say
    from gengap.searching.commands import search_notes
    from gengap.searching.ranges import need_optuna

    clock = Clock(minutes, started)
    need_optuna()
    check_place(output, lang)
    use(given.code)
    launch = _launch(given, files, judge_from=FEW if files.validation is None else 0)
    dataset = launch.fit["x"]
    for note in search_notes(launch.notes):
        typer.echo(note)
    division = of_dataset(dataset)
    untreated = launch.study.variants[0].model
    try:
        found = improved(untreated, division, clock, Place(output, lang), batch_size=batch_size)
    except KeyboardInterrupt:
        typer.echo("gengap: interrupted; give fewer --minutes for an earlier end", err=True)
        raise typer.Exit(INTERRUPTED) from None
    say(*(f"- {one}" for one in found.said), found.sentence)
    typer.echo(f"Model:  {output / MODEL}\nReport: {output / REPORT}")


def _launch(given: GivenModel, files: CaseFiles, **how: int | None) -> "Launch":
    from gengap.experiments.launch import study_from_files

    return study_from_files(
        given.path,
        files.by_split,
        wanted=files.wanted,
        positive=files.positive,
        task=given.task,
        remedies="",
        suggest=False,
        seeds=None,
        fit={},
        **how,
    )
