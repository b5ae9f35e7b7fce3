"""The folder that a command leaves for people: result, table, figures and report; checked before training."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gengap.errors import StoreError
from gengap.reporting.languages import get_language
from gengap.reporting.writing import render_report, report
from gengap.results import Result, is_result
from gengap.storage.files import saying_unwritable

if TYPE_CHECKING:
    from gengap.analysis.uncertainty import PredictiveDistribution, RateChoice

RESULT = "result.nc"
WEIGHTS = "weights"
DISTRIBUTION = "distribution.nc"
RATE_CHOICE = "rate_choice.json"
TABLE = "table.csv"
REPORT = "report.html"
RETOLD = "retold.md"
_OF_RUNS = ("table.json", "run.json")
"""What `gengap run` adds: how its table was read, and how it was asked for."""
FIGURES = tuple(f"{name}.{suffix}" for name in ("learning_curves", "learning_curve_pairs") for suffix in ("svg", "png"))

Form = Literal["html", "pdf", "md", "latex"]
DEFAULT_NAMES: Mapping[Form, str] = {"html": REPORT, "pdf": "report.pdf", "md": "report.md", "latex": "latex"}
"""What a report is called in the folder of its result."""

_DPI = 220
"""Twice what screens of before had: sharp on those of today."""
_MARKED = "gengap · "
_GENERATOR = re.compile(r"<!doctype html>.*<meta name=\"generator\" content=\"gengap", re.IGNORECASE | re.DOTALL)


def check_output(folder: Path, *, lang: str) -> None:
    """Check all that can be known of an output folder and a language before there is a result to write.

    Raises:
        UnknownNameError: The report does not speak the language.
        StoreError: The folder cannot be written to, or holds files of somebody else that would be written over.
    """
    get_language(lang)
    with saying_unwritable(folder, new=True):
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder} is a file; `--output` needs a folder, such as {folder.with_suffix('')}-study")
        _refuse_what_is_not_ours(folder)
        _try_to_write(folder)


def check_report(path: Path, *, lang: str, form: Form = "html") -> None:
    """Check that a report can be written, over an earlier report at most.

    Raises:
        UnknownNameError: There is no report in the language.
        StoreError: The path is a folder, or a file that is not a report.
        MissingExtraError: A PDF is wanted, and no browser is there to print it.
    """
    get_language(lang)
    if form == "pdf":
        from gengap.reporting.printing import find_browser

        find_browser()
    with saying_unwritable(path.parent, new=True):
        if form == "latex":
            _check_folder_of_tables(path)
        elif path.is_dir():
            raise StoreError(f"{path} is a folder; give the report a name, such as {path / DEFAULT_NAMES[form]}")
        elif path.is_symlink() or (path.exists() and not _is_report(path, form)):
            raise StoreError(f"{path} is not a report of gengap, and would be written over: choose another name")
        _try_to_write(path.parent)


def _check_folder_of_tables(path: Path) -> None:
    from gengap.reporting.publication import MANUSCRIPT

    if path.is_symlink() or path.is_file():
        raise StoreError(f"{path} is a file or a link; tables and figures need a folder of their own")
    if path.is_dir() and any(path.iterdir()) and not (path / MANUSCRIPT).is_file():
        raise StoreError(f"{path} holds files of somebody else: choose another folder with `--output`")


def write_output(
    result: Result,
    folder: Path,
    *,
    lang: str = "en",
    distribution: "PredictiveDistribution | None" = None,
    rate_choice: "RateChoice | None" = None,
) -> None:
    """Write everything that a study leaves for people.

    Args:
        result: The result.
        folder: Where; see `check_output`.
        lang: Language of the report.
        distribution: Predictive distribution of telling cases.
        rate_choice: What `choose_rate` found.
    """
    from matplotlib import pyplot as plt

    from gengap.analysis import summarize
    from gengap.plots.learning_curves import LearningCurvesDisplay

    beside = [name for name, one in ((DISTRIBUTION, distribution), (RATE_CHOICE, rate_choice)) if one is not None]
    replace(result, manifest={**result.manifest, "beside": beside}).save(folder)
    if distribution is not None:
        distribution.to_netcdf(folder / DISTRIBUTION)
    if rate_choice is not None:
        rate_choice.to_json(folder / RATE_CHOICE)
    (folder / TABLE).write_text(summarize(result).to_dataframe().to_csv(index=False), encoding="utf-8")
    curves = LearningCurvesDisplay.from_result(result)
    for name, figure in zip(FIGURES[::2], (curves.figure(), curves.plot_pairs()), strict=True):
        for suffix in (".svg", ".png"):
            figure.savefig((folder / name).with_suffix(suffix), bbox_inches="tight", dpi=_DPI)
        plt.close(figure)  # a notebook would show it, and twenty open figures are warned of
    report(result, folder / REPORT, lang=lang, distribution=distribution, rate_choice=rate_choice)


def report_of_folder(result: Result, folder: Path, path: Path, *, lang: str, form: Form = "html") -> None:
    """Write the report of a folder's result, with what was found of single cases when that result was written.

    Args:
        result: The folder's result.
        folder: A folder that `write_output` wrote, or a study's.
        path: Where to write; see `check_report`.
        lang: Language of the report.
        form: What to write: the page, the page printed, the page as Markdown, or tables and figures for LaTeX.
    """
    if form == "latex":
        from gengap.reporting.publication import publish

        publish(result, path)
        return
    asked, chosen = folder / DISTRIBUTION, folder / RATE_CHOICE
    beside = result.manifest.get("beside", [DISTRIBUTION, RATE_CHOICE])  # a folder of before does not say
    distribution = rate_choice = None
    if DISTRIBUTION in beside and asked.exists():
        from gengap.analysis.uncertainty import PredictiveDistribution

        distribution = PredictiveDistribution.from_netcdf(asked)
    if RATE_CHOICE in beside and chosen.exists():
        from gengap.analysis.uncertainty import RateChoice

        rate_choice = RateChoice.from_json(chosen)
    page = render_report(result, lang=lang, distribution=distribution, rate_choice=rate_choice)
    _write_page(page, path, form)


def _write_page(page: str, path: Path, form: Form) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "pdf":
        from gengap.reporting.printing import find_browser, print_page

        print_page(page, path, browser=find_browser())
    elif form == "md":
        from gengap.reporting.markdown import to_markdown

        path.write_text(to_markdown(page), encoding="utf-8")
    else:
        path.write_text(page, encoding="utf-8")


def _refuse_what_is_not_ours(folder: Path) -> None:
    written = (RESULT, WEIGHTS, TABLE, REPORT, DISTRIBUTION, RATE_CHOICE, RETOLD, *FIGURES, *_OF_RUNS)
    for name in written:
        if (folder / name).is_symlink():
            raise StoreError(f"{folder / name} is a link, through which nothing is written: choose another folder")
    strangers = [name for name in written if (folder / name).exists()]
    if strangers and not is_result(folder / RESULT):
        raise StoreError(
            f"{folder} holds {', '.join(strangers[:3])}, which would be written over, and no result of gengap that "
            "these belong to: choose another folder with `--output`"
        )


def _is_report(path: Path, form: Form) -> bool:
    with path.open("rb") as file:
        head = file.read(4096).decode("utf-8", "replace").lstrip()
    if form == "html":
        return _GENERATOR.match(head) is not None
    if form == "md":
        return head.startswith(_MARKED)
    return head.startswith("%PDF-") and path.name == DEFAULT_NAMES[form]  # a PDF does not say who made it


def _try_to_write(folder: Path) -> None:
    """Make the folder and a file in it, and remove again what was made: only trying tells the truth about rights."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    made: list[Path] = []
    try:
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
        with tempfile.TemporaryFile(dir=folder):
            pass
    finally:
        for path in reversed(made):
            path.rmdir()
