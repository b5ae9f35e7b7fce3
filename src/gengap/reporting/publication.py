"""What a paper takes from a study: every table for LaTeX and every figure as vectors, in one folder."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.errors import GengapError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gengap.results import Result

SUFFIXES = (".pdf", ".svg")
MANUSCRIPT = "tables.tex"


def publish(result: "Result", folder: str | Path) -> tuple[Path, ...]:
    r"""Write the tables of a study for LaTeX, and its figures as PDF and SVG.

    Args:
        result: The result.
        folder: Where to write; made if missing. `tables.tex` inputs every table and needs the package booktabs.

    Returns:
        The files that were written; a table that the result holds nothing for is absent.
    """
    from matplotlib import pyplot as plt

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = [_write(folder / f"{name}.tex", text) for name, text in _tables(result)]
    inputs = "\n\n".join(rf"\input{{{path.stem}}}" for path in written)
    head = "% \\usepackage{booktabs} in the preamble; wide tables: \\resizebox{\\textwidth}{!}{\\input{...}}\n"
    written.append(_write(folder / MANUSCRIPT, f"{head}{inputs}\n"))
    for name, figure in _figures(result):
        for suffix in SUFFIXES:
            figure.savefig((folder / name).with_suffix(suffix), bbox_inches="tight")
            written.append((folder / name).with_suffix(suffix))
        plt.close(figure)
    return tuple(written)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _tables(result: "Result") -> Iterator[tuple[str, str]]:
    from gengap.analysis import compare, diagnose, recommend, summarize

    makers: dict[str, Callable[[], str]] = {
        "scores": lambda: summarize(result).to_latex(),
        "comparison": lambda: compare(result).to_latex(),
        "diagnosis": lambda: diagnose(result).to_latex(),
        "recommendation": lambda: recommend(result).to_latex(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tables' own notes say it
        for name, make in makers.items():
            try:
                yield name, make()
            except GengapError:
                continue


def _figures(result: "Result") -> Iterator[tuple[str, "Figure"]]:
    from gengap.analysis import compare
    from gengap.plots import ComparisonDisplay
    from gengap.plots.learning_curves import LearningCurvesDisplay

    if result.history.sizes.get("epoch"):
        curves = LearningCurvesDisplay.from_result(result)
        yield "learning_curves", curves.figure()
        yield "learning_curve_pairs", curves.plot_pairs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            axes = ComparisonDisplay.from_comparison(compare(result)).plot()
        except GengapError:
            axes = None
    if axes is not None:
        yield "comparison", axes.figure  # type: ignore[misc]  # a figure, unless the axes were put into a part of one
    yield from _diagrams(result)


def _diagrams(result: "Result") -> Iterator[tuple[str, "Figure"]]:
    """Verification diagrams of the page: those of one variant bear its place among the variants in their name."""
    from matplotlib.figure import Figure

    from gengap.plots.style import style
    from gengap.reporting.languages import get_language
    from gengap.reporting.material import Material
    from gengap.reporting.sections.verification import sketches_of

    for sketch in sketches_of(Material(result, get_language("en"))):
        alone = len(sketch.variants) == 1 and sketch.name not in {"roc", "performance", "attributes"}
        with style(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = Figure(figsize=(4.1, 4.1))
            try:
                sketch.draw(figure.subplots())
            except GengapError:  # these cases do not allow it
                continue
        yield f"{sketch.name}_{result.variants.index(sketch.variants[0])}" if alone else sketch.name, figure
