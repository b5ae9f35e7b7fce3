"""The command line: `gengap demo | run | improve | show | compare | report | recommend | gate | export | ship` ..."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gengap.experiments.run_options import OF_FILES, CaseFiles, GivenModel, Kept, Trained, Tried
from gengap.improving import commands as of_improving
from gengap.reporting import decision_commands as of_decisions
from gengap.reporting import result_commands as of_results
from gengap.reporting.option_groups import in_groups
from gengap.reporting.terminal import say, show_table
from gengap.shipping import commands as of_shipping
from gengap.tracking import commands as of_tracking

if TYPE_CHECKING:
    from gengap.results import Result
    from gengap_examples.demos import Demo
    from gengap_examples.telling_cases import CaseStudy

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Does my Keras model overfit, what closes the gap, is it real, and how sure is it of this case?",
)

USAGE_ERROR = 2
INTERRUPTED = 130


def _print_version(asked: bool) -> None:
    if asked:
        from gengap._version import __version__

        typer.echo(f"gengap {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Does my Keras model overfit, what closes the gap, is it real, and how sure is it of this case?"""


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="soundings, reviews, storms, digits or diabetes")] = "soundings",
    *,
    output: Annotated[Path | None, typer.Option(help="Folder to write to; demo/NAME by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 10,
    data: Annotated[str | None, typer.Option(help="Path of data that cannot be shipped (IMDB, storms).")] = None,
    full: Annotated[bool, typer.Option("--full", help="Whole size of data that are small by default.")] = False,
    engine: Annotated[str, typer.Option(help="fused, keras or auto.")] = "auto",
    lang: Annotated[str, typer.Option(help="Language of the report: en or zh.")] = "en",
    storage: Annotated[Path | None, typer.Option(help="Folder that keeps the study; again: continues.")] = None,
    cv: Annotated[int | None, typer.Option(min=2, help="Then resample the study on all its cases: folds.")] = None,
    passes: Annotated[int, typer.Option(min=3, help="With --cv: how many times all cases are divided anew.")] = 5,
) -> None:
    """Run a ready-made study and write its result, figures, table and report."""
    from gengap.reporting.output import check_output
    from gengap_examples.demos import get_demo
    from gengap_examples.telling_cases import study_cases

    chosen, folder = get_demo(name), output or Path("demo") / name
    check_output(folder, lang=lang)
    dataset = chosen.load(data, full=full)
    typer.echo(f"{chosen.title}\n{dataset.description}")
    try:
        result = chosen.run(dataset, seeds=seeds, engine=engine, storage=storage)
    except KeyboardInterrupt as stop:
        raise _interrupted(stop) from None
    asked = study_cases(result, dataset)
    _write(result, folder, asked, lang=lang)
    if asked is not None:
        say(f"Uncertainty of {asked.variant}, with the trained and with the chosen rate of dropout at inference:")
        typer.echo(asked.choice.quality.to_string(float_format="{:.3f}".format))
        say(*asked.choice.findings)
    if chosen.retell is not None:
        from gengap.analysis import audit
        from gengap_examples.reviews_retold import to_markdown

        table = chosen.retell(result)
        (folder / "retold.md").write_text(to_markdown(table), encoding="utf-8")
        show_table(table)
        say("Audit:", str(audit(result)))
        typer.echo(f"Retold:  {folder / 'retold.md'}")
    _name_files(folder)
    if cv is not None:
        _resample(chosen, folder / "resampled", result, data=data, full=full, cv=cv, passes=passes, storage=storage)


def _resample(
    chosen: "Demo",
    folder: Path,
    single: "Result",
    *,
    data: str | None,
    full: bool,
    cv: int,
    passes: int,
    storage: Path | None,
) -> None:
    """Train a demo's study again on folds of all its cases, and set its claim beside that of the single split."""
    from gengap.analysis import compare
    from gengap.reporting.output import check_output

    check_output(folder, lang="en")
    where = None if storage is None else storage / "resampled"
    try:
        result = chosen.run_resampled(data, full=full, cv=cv, passes=passes, storage=where)
    except KeyboardInterrupt as stop:
        raise _interrupted(stop) from None
    typer.echo(f"\nOne split, {len(single.seeds)} seeds:\n{compare(single)}\n\nResampled:")
    _write(result, folder)
    _name_files(folder)


@app.command()
@in_groups
def run(
    context: typer.Context,
    study_file: Annotated[Path | None, typer.Argument(help="A Python file that defines `study` and `fit`.")] = None,
    *,
    given: GivenModel,
    files: CaseFiles,
    tried: Tried,
    trained: Trained,
    kept: Kept,
) -> None:
    """Run a study: of a saved model, or a net made for it, on a data file; or of a study file, which is executed."""
    from gengap.experiments.launch import study_from_files, study_from_script
    from gengap.experiments.relaunch import keep
    from gengap.reporting.output import check_output
    from gengap.searching.commands import search_launch, search_notes

    check_output(kept.output, lang=kept.lang)
    if study_file is None and given.model is None and files.data is None:
        raise typer.BadParameter("give a study file, or --model and --data; or --data alone, for a net made for it")
    if study_file is not None:
        _refuse_beside_a_study_file(context)
        asked: dict[str, Any] | None = None
        launch = study_from_script(study_file, seeds=trained.seeds)
    else:
        of_shipping.use(given.code)
        asked = _asked(given, files, tried, trained)
        launch = study_from_files(**asked)
    if kept.storage is not None or kept.runner is not None:
        launch = launch.placed(kept.storage, kept.runner)
    search = tried.search
    for note in launch.notes if search is None else search_notes(launch.notes):
        typer.echo(note)
    seen = f"{len(launch.study.variants)} variants x {len(launch.study.seeds)} seeds"
    folds = f" x {trained.cv} folds" if trained.cv else ""
    typer.echo(f"{seen if search is None else f'{search} trials'}{folds}")
    try:
        result = launch.run() if search is None else search_launch(launch, search, seeds=trained.seeds)
    except KeyboardInterrupt as stop:
        raise _interrupted(stop) from None
    _write(result, kept.output, lang=kept.lang)
    if asked is not None:
        keep(kept.output, asked)
    _name_files(kept.output)


def _asked(given: GivenModel, files: CaseFiles, tried: Tried, trained: Trained) -> dict[str, Any]:
    """Return what a study on files is asked for, as `study_from_files` takes it and a result's folder keeps it."""
    return {
        "model": given.path,
        "data": files.by_split,
        "wanted": files.wanted,
        "positive": files.positive,
        "task": given.task,
        "remedies": tried.remedies,
        "suggest": tried.suggest,
        "seeds": trained.seeds,
        "fit": {"epochs": trained.epochs, "batch_size": trained.batch_size},
        "cv": trained.cv,
    }


def _refuse_beside_a_study_file(context: typer.Context) -> None:
    """Refuse options that a study file decides itself: ignored, they would mislead."""
    for name in OF_FILES:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            if name in {"model", "data"}:
                raise typer.BadParameter("give a study file, or --model and --data, not both")
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"{option} goes with --model or --data; a study file says it itself")


app.command()(of_results.show)
app.command()(of_results.compare)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder that holds a result.")],
    *,
    output: Annotated[Path | None, typer.Option(help="Where to write; FOLDER/report.html by default.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the report: en or zh.")] = "en",
    form: Annotated[
        Literal["html", "pdf", "md", "latex"],
        typer.Option("--format", help="html; pdf (a browser prints it); md; latex: a folder of tables and figures."),
    ] = "html",
) -> None:
    """Write the report of a result that was saved before."""
    from gengap.reporting.output import DEFAULT_NAMES, check_report, report_of_folder
    from gengap.study.loading import load

    target = output or folder / DEFAULT_NAMES[form]
    if folder.is_dir():
        check_report(target, lang=lang, form=form)
    report_of_folder(load(folder), folder, target, lang=lang, form=form)
    typer.echo(f"Report: {target}")


app.command()(of_improving.improve)
app.command()(of_decisions.recommend)
app.command()(of_decisions.gate)
app.command()(of_tracking.export)
app.command()(of_shipping.ship)
app.command()(of_shipping.predict)


@app.command()
def doctor() -> None:
    """Say which versions, backend and devices there are, and what is missing for which feature."""
    from gengap.doctor import examination

    for line in examination():
        typer.echo(line)


def _interrupted(stop: KeyboardInterrupt) -> typer.Exit:
    """Say how far it came, and end as an interrupted program does."""
    typer.echo(f"gengap: {stop}" if str(stop) else "gengap: interrupted", err=True)
    return typer.Exit(INTERRUPTED)


def _write(result: "Result", folder: Path, asked: "CaseStudy | None" = None, *, lang: str = "en") -> None:
    """Write everything that a study leaves for people, and show the table and the findings."""
    from gengap.analysis import compare, summarize
    from gengap.reporting import findings
    from gengap.reporting.output import write_output
    from gengap.results.resampled import resampling_of

    distribution, choice = (None, None) if asked is None else (asked.distribution, asked.choice)
    write_output(result, folder, lang=lang, distribution=distribution, rate_choice=choice)
    if (table := result.manifest["data"].get("table")) is not None:
        said = json.dumps(table, ensure_ascii=False, indent=1)
        (folder / "table.json").write_text(said + "\n", encoding="utf-8")
    show_table(summarize(result))
    if resampling_of(result) is not None and len(result.variants) > 1:
        show_table(compare(result))
    say(*(f"- {sentence}" for sentence in findings(result, lang=lang)))


def _name_files(folder: Path) -> None:
    """Say where everything is, the report last."""
    typer.echo(f"Table:   {folder / 'table.csv'}\nFigures: {folder / 'learning_curves.svg'}")
    typer.echo(f"Report:  {folder / 'report.html'}")


def main() -> None:
    """Run the command line; what the user did wrong gets one sentence and exit code 2."""
    from gengap.errors import GengapError

    try:
        app()
    except (GengapError, ValueError, TypeError, OSError) as error:
        if os.environ.get("GENGAP_TRACEBACK"):
            raise
        missing = error.filename if isinstance(error, FileNotFoundError) else None
        typer.echo(f"gengap: {error}" if missing is None else f"gengap: there is no file {missing}", err=True)
        raise SystemExit(USAGE_ERROR) from None
    except ModuleNotFoundError as error:
        if os.environ.get("GENGAP_TRACEBACK") or error.name not in _BACKENDS:
            raise
        typer.echo(f"gengap: {_missing(str(error.name))}", err=True)
        raise SystemExit(USAGE_ERROR) from None
    except (MemoryError, RuntimeError) as error:
        if os.environ.get("GENGAP_TRACEBACK") or not _is_out_of_memory(error):
            raise
        typer.echo("gengap: there is not enough memory; take a smaller model or batch, or fewer cases", err=True)
        raise SystemExit(USAGE_ERROR) from None


_BACKENDS = {"keras", "torch", "tensorflow", "jax"}


def _missing(module: str) -> str:
    """Say what is not installed, and what works without it."""
    if module in {"tensorflow", "jax"}:
        return f"Keras is set to the backend {module}, which is not installed: set KERAS_BACKEND=torch, or install it"
    return (
        f"this needs {module}, which is not installed: pip install {module}; `gengap show`, `report` and `doctor` work "
        "without"
    )


def _is_out_of_memory(error: Exception) -> bool:
    said = str(error)
    return isinstance(error, MemoryError) or "allocate memory" in said or "out of memory" in said
