"""The commands `gengap show` and `gengap compare`; what they need is imported when they run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from gengap.reporting.terminal import say, show_table

if TYPE_CHECKING:
    from gengap.analysis.comparison.estimators import ScoreName


def show(
    folder: Annotated[Path, typer.Argument(help="Folder of a stored study, running or not; or of a saved result.")],
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the table once instead of following the study.")] = False,
    lang: Annotated[str, typer.Option(help="Language of a result's findings: en or zh.")] = "en",
) -> None:
    """Show how far a stored study has come, and follow it until it is finished; or what a saved result holds."""
    from gengap.storage import Store

    saved = folder if folder.is_file() else folder / "result.nc"
    if not Store.exists(folder) and saved.is_file():
        _show_result(folder, lang)
        return
    from rich.console import Console
    from rich.live import Live

    from gengap.study.watching import progress_table, tables

    console = Console()
    if once or not console.is_terminal:
        console.print(progress_table(folder)[0])
        return
    with Live(console=console) as live:
        for table in tables(folder):
            live.update(table)


def _show_result(folder: Path, lang: str) -> None:
    from gengap.analysis import summarize
    from gengap.reporting import findings
    from gengap.reporting.languages import get_language
    from gengap.results import Result

    get_language(lang)
    result = Result.from_netcdf(folder) if folder.is_file() else Result.load(folder)
    seeds = "1 seed" if len(result.seeds) == 1 else f"{len(result.seeds)} seeds"
    typer.echo(f"{folder}: a saved result, {len(result.variants)} variants x {seeds}")
    show_table(summarize(result))
    say(*(f"- {sentence}" for sentence in findings(result, lang=lang)))


def compare(
    folder: Annotated[Path, typer.Argument(help="Folder that holds a result.")],
    other: Annotated[Path | None, typer.Argument(help="Folder of another result, of the same held-out cases.")] = None,
    *,
    baseline: Annotated[
        str | None, typer.Option(help="What variants are compared with; the first one by default.")
    ] = None,
    score: Annotated[str | None, typer.Option(help="The score; the declared one by default.")] = None,
    epoch: Annotated[Literal["best", "last"] | None, typer.Option(help="The declared one by default.")] = None,
    margin: Annotated[float | None, typer.Option(help="Differences of this size or less do not matter.")] = None,
) -> None:
    """Compare the variants of a result with its baseline; or those of two results, paired by seed and by case."""
    from gengap.analysis import compare as compare_in
    from gengap.experiments.joining import beside
    from gengap.study.loading import load

    result, notes = load(folder), tuple[str, ...]()
    if other is not None:
        result, notes = beside(result, load(other), names=(_called(folder), _called(other)))
    named = cast("ScoreName | None", score)  # the comparison knows the names
    show_table(compare_in(result, baseline=baseline, score=named, epoch=epoch, margin=margin))
    say(*(f"- {note}" for note in notes))


def _called(folder: Path) -> str:
    return folder.resolve().name
