"""The command `gengap improve`; what it needs is imported when it runs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gengap.experiments.launch import Launch

INTERRUPTED = 130


def improve(
    *,
    data: Annotated[Path, typer.Option(help="Data: .csv, .parquet, .npz or .nc.")],
    model: Annotated[
        Path | None, typer.Option(help="A saved, compiled model: model.keras; none: a net for it.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long it may take.")] = 5.0,
    validation: Annotated[Path | None, typer.Option(help="Data to choose on; held out of --data without.")] = None,
    test: Annotated[Path | None, typer.Option(help="Data to judge on; without, held out or folds.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the answers; the last one by default.")] = None,
    groups: Annotated[str | None, typer.Option(help="Column of groups of dependent cases (days, patients).")] = None,
    times: Annotated[str | None, typer.Option(help="Column of times: the latest are held out.")] = None,
    encode: Annotated[bool, typer.Option("--encode", help="Encode words, dates and blanks, for --model.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Cases a step.")] = 32,
    output: Annotated[Path, typer.Option(help="Folder for report and model.")] = Path("gengap-improve"),
    lang: Annotated[str, typer.Option(help="Language of the report: en or zh.")] = "en",
) -> None:
    """Improve a model within a time: one sentence, one report, one .keras."""
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
    files = {"train": data, "validation": validation, "test": test}
    columns = {"target": target, "groups": groups, "times": times, "encode": encode}
    launch = _launch(model, files, columns)
    dataset = launch.fit["x"]
    few = test is None and validation is None and len(dataset.train) + len(dataset.validation) < FEW
    raw = _launch(model, files, columns, cv=5).fit if few else None
    for note in search_notes(launch.notes):
        typer.echo(note)
    own = None if raw is None else {name: value for name, value in raw.items() if name != "cv"}
    division = of_dataset(dataset, raw=own, fold=few)
    untreated = launch.study.variants[0].model
    try:
        found = improved(untreated, division, clock, Place(output, lang), batch_size=batch_size)
    except KeyboardInterrupt:
        typer.echo("gengap: interrupted; give fewer --minutes for an earlier end", err=True)
        raise typer.Exit(INTERRUPTED) from None
    say(*(f"- {one}" for one in found.said), found.sentence)
    typer.echo(f"Model:  {output / MODEL}\nReport: {output / REPORT}")


def _launch(
    model: Path | None, files: dict[str, Path | None], columns: dict[str, Any], cv: int | None = None
) -> "Launch":
    from gengap.datasets.table_files import Wanted
    from gengap.experiments.launch import study_from_files

    wanted = Wanted(columns["target"], columns["groups"], (), times=columns["times"], encode=columns["encode"])
    return study_from_files(model, files, wanted=wanted, remedies="", suggest=False, seeds=None, fit={}, cv=cv)
